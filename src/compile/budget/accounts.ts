/** Adding to what a day, a month and a trajectory have spent. */
import type { LedgerTables } from './ledger-schema.ts';

/** A row as the driver gives it: numbers, or numbers as text. */
export type LedgerRow = Record<string, unknown>;

export interface LedgerTransaction {
  readonly now: Date;
  /** `$1` stands for the first value. */
  query(sql: string, values?: readonly (string | number | null)[]): Promise<LedgerRow[]>;
}

/** What stands in both then. Day before month, always: whoever locks in one order waits for nobody who waits for them. */
export async function addToPeriods(
  tx: LedgerTransaction,
  periods: string,
  { day, month, amount }: { day: string; month: string; amount: number },
): Promise<{ day: number; month: number }> {
  const rows = await tx.query(
    `INSERT INTO ${periods} AS p (scope, period, spent) VALUES ('day', $1, $3), ('month', $2, $3)
       ON CONFLICT (scope, period) DO UPDATE SET spent = p.spent + excluded.spent
       RETURNING scope, spent`,
    [day, month, amount],
  );
  const spent = (scope: string) => Number(rows.find((row) => row.scope === scope)?.spent);
  return { day: spent('day'), month: spent('month') };
}

/** To the account of the day, the month and the trajectory of a reservation. */
export async function spend(
  tx: LedgerTransaction,
  { periods, trajectories }: LedgerTables,
  { day, month, trajectory_id }: LedgerRow,
  amount: number,
): Promise<void> {
  await addToPeriods(tx, periods, { day: String(day), month: String(month), amount });
  await tx.query(
    `INSERT INTO ${trajectories} AS t (id, spent, touched_at) VALUES ($1, $2, $3)
       ON CONFLICT (id) DO UPDATE SET spent = t.spent + excluded.spent, touched_at = excluded.touched_at`,
    [String(trajectory_id), amount, tx.now.getTime()],
  );
}
