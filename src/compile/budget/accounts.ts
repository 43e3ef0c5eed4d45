/** Adding to what a day, a month and a trajectory have spent. */
import type { LedgerTables } from './ledger-schema.ts';

/** A row as the driver gives it: numbers, or numbers as text. */
export type LedgerRow = Record<string, unknown>;

/** `$1` stands for the first value. */
export interface Statement {
  sql: string;
  values: readonly (string | number | null)[];
}

/**
 * What is done in one transaction: yields statements and is given their rows. So the same steps are taken in one go where
 * the file is at hand, and one answer at a time where a server is asked.
 */
export type Steps<T> = Generator<Statement, T, LedgerRow[]>;

/** What stands in both. Who only looks locks nothing. */
export function* spentIn(
  periods: string,
  { day, month }: { day: string; month: string },
): Steps<{ day: number; month: number }> {
  const rows = yield {
    sql: `SELECT scope, spent FROM ${periods} WHERE (scope = 'day' AND period = $1) OR (scope = 'month' AND period = $2)`,
    values: [day, month],
  };
  const spent = (scope: string) => Number(rows.find((row) => row.scope === scope)?.spent ?? 0);
  return { day: spent('day'), month: spent('month') };
}

/** What stands in both then. Day before month, always: whoever locks in one order waits for nobody who waits for them. */
export function* addToPeriods(
  periods: string,
  { day, month, amount }: { day: string; month: string; amount: number },
): Steps<{ day: number; month: number }> {
  const rows = yield {
    sql: `INSERT INTO ${periods} AS p (scope, period, spent) VALUES ('day', $1, $3), ('month', $2, $3)
            ON CONFLICT (scope, period) DO UPDATE SET spent = p.spent + excluded.spent RETURNING scope, spent`,
    values: [day, month, amount],
  };
  const spent = (scope: string) => Number(rows.find((row) => row.scope === scope)?.spent);
  return { day: spent('day'), month: spent('month') };
}

/** To the account of the day, the month and the trajectory of a reservation. */
export function* spend(
  { periods, trajectories }: LedgerTables,
  { day, month, trajectory_id }: LedgerRow,
  amount: number,
  now: Date,
): Steps<void> {
  yield* addToPeriods(periods, { day: String(day), month: String(month), amount });
  yield {
    sql: `INSERT INTO ${trajectories} AS t (id, spent, touched_at) VALUES ($1, $2, $3)
            ON CONFLICT (id) DO UPDATE SET spent = t.spent + excluded.spent, touched_at = excluded.touched_at`,
    values: [String(trajectory_id), amount, now.getTime()],
  };
}
