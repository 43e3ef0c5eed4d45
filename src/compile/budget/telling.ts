/** A cap that no waiting helps against leaves work out without an error: somebody has to be told. */
import { type Budget, BudgetRefusal, type BudgetScope } from './budget.ts';

/** `onLeftOut`: told of the first refusal of a call's and of a trajectory's cap, not of each. */
export function tellingLeftOut(budget: Budget, onLeftOut: (refusal: BudgetRefusal) => void): Budget {
  const told = new Set<BudgetScope>();
  const tell = (error: unknown) => {
    if (!(error instanceof BudgetRefusal) || error.resumeAt !== undefined || told.has(error.scope)) return;
    told.add(error.scope);
    onLeftOut(error);
  };
  return {
    reserve: async (ask, signal) => {
      try {
        return await budget.reserve(ask, signal);
      } catch (error) {
        tell(error);
        throw error;
      }
    },
    levels: () => budget.levels(),
    close: () => budget.close(),
  };
}
