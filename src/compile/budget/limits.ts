/** Caps, and money in integers: nano-dollars, so that no sum is off by a fraction, however many calls it is of. */
import { exitCodes, stop } from '../../errors.ts';

/** In US dollars; null for no cap. */
export interface BudgetLimits {
  perCall: number | null;
  perTrajectory: number | null;
  perDay: number | null;
  perMonth: number | null;
}

/** {@link BudgetLimits} in nano-dollars; infinite for no cap. */
export interface Caps {
  call: number;
  trajectory: number;
  day: number;
  month: number;
}

export function capsOf({ perCall, perTrajectory, perDay, perMonth }: BudgetLimits): Caps {
  const cap = (usd: number | null) => (usd === null ? Number.POSITIVE_INFINITY : nanoOf(usd));
  return { call: cap(perCall), trajectory: cap(perTrajectory), day: cap(perDay), month: cap(perMonth) };
}

const nanoPerUsd = 1e9;
/** Far above what multiplying leaves behind, far below anything that has a price. */
const noise = 1e-2;

/** What is no whole number of nano-dollars counts as the next one. */
export function nanoOf(usd: number): number {
  const nano = usd * nanoPerUsd;
  const nearest = Math.round(nano);
  return Math.abs(nano - nearest) < noise ? nearest : Math.ceil(nano);
}

export function usdOf(nano: number): number {
  return nano / nanoPerUsd;
}

/**
 * Refuses to begin where a cap would not hold.
 *
 * @throws OperatorError `budget_unpriced` where a cap is set, the model has no price and `unpriced` is `refuse`.
 */
export function refuseUnpriced(options: {
  limits: BudgetLimits;
  unpriced: 'refuse' | 'allow';
  model: string;
  priced: boolean;
}): void {
  const { limits, unpriced, model, priced } = options;
  const capped = Object.entries(limits).filter(([, usd]) => usd !== null);
  if (priced || unpriced === 'allow' || capped.length === 0) return;
  const names = capped.map(([name]) => `budget.${name}`).join(', ');
  throw stop(
    'budget_unpriced',
    `${model} has no price, so ${names} would not hold: give its price in prices, or count its calls as nothing with budget.unpriced: allow`,
    { exitCode: exitCodes.configuration },
  );
}
