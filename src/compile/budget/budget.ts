/** What calls of models may cost: reserved before a call, settled after it. */
import { exitCodes, OperatorError } from '../../errors.ts';

export type BudgetScope = 'call' | 'trajectory' | 'day' | 'month';

export interface SpendAsk {
  /** Id of the call: the reservation's too. */
  callId: string;
  trajectoryId: string;
  agent: string | null;
  stage: 'compile' | 'verify';
  /** The most that the call can cost; null where the model has no price. */
  maxUsd: number | null;
}

export interface Reservation {
  /** What it did cost. Null, where that is not known: what was reserved then counts as spent. */
  settle(costUsd: number | null): Promise<void>;
}

export interface BudgetLevel {
  scope: 'day' | 'month';
  /** `2026-11-21` or `2026-11`, UTC. */
  period: string;
  limitUsd: number | null;
  spentUsd: number;
  reservedUsd: number;
}

export interface Budget {
  /**
   * Resolves once the cost is reserved, durably. Waits while calls in flight, of this process or another, hold what this
   * one needs and may give some of it back.
   *
   * @throws BudgetRefusal where a cap stands against it whatever those cost; the signal's reason where it fired.
   */
  reserve(ask: SpendAsk, signal: AbortSignal): Promise<Reservation>;
  levels(): Promise<BudgetLevel[]>;
  close(): Promise<void>;
}

/** A cap is reached. For `day` and `month` waiting helps, and {@link OperatorError.resumeAt} says how long. */
export class BudgetRefusal extends OperatorError {
  readonly scope: BudgetScope;
  /** When the trajectory was refused for the first time. */
  readonly since: Date;

  constructor(message: string, details: { scope: BudgetScope; since: Date; resumeAt?: Date }) {
    const { resumeAt } = details;
    super(message, {
      kind: 'stop',
      code: 'budget_exhausted',
      exitCode: exitCodes.budget,
      ...(resumeAt === undefined ? {} : { resumeAt }),
    });
    this.name = 'BudgetRefusal';
    this.scope = details.scope;
    this.since = details.since;
  }
}
