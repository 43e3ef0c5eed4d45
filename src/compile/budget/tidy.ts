/** What a ledger forgets, once a day. */
import { type LedgerTransaction, spend } from './accounts.ts';
import { dayOf, monthOf } from './decision.ts';
import type { LedgerTables } from './ledger-schema.ts';

const dayMs = 86_400_000;
/** Nobody who is silent for so long comes back to settle. */
const goneForMs = dayMs;
/** Of days, of trajectories, and of those that were refused and not heard of since: two months of waiting for a month's money. */
const keptMs = 62 * dayMs;
const monthsKeptMs = 400 * dayMs;

export async function tidy(tx: LedgerTransaction, tables: LedgerTables): Promise<void> {
  const now = tx.now.getTime();
  const { periods, trajectories, reservations, refused } = tables;
  const gone = await tx.query(
    `DELETE FROM ${reservations} WHERE alive_until < $1 RETURNING trajectory_id, amount, day, month`,
    [now - goneForMs],
  );
  for (const row of gone) await spend(tx, tables, row, Number(row.amount));
  const forgotten = [dayOf(new Date(now - keptMs)), monthOf(new Date(now - monthsKeptMs))];
  await tx.query(
    `DELETE FROM ${periods} WHERE (scope = 'day' AND period < $1) OR (scope = 'month' AND period < $2)`,
    forgotten,
  );
  await tx.query(`DELETE FROM ${trajectories} WHERE touched_at < $1`, [now - keptMs]);
  await tx.query(`DELETE FROM ${refused} WHERE latest < $1`, [now - keptMs]);
}
