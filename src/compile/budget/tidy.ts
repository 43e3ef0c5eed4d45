/** What a ledger forgets, once a day. */
import { type Steps, spend } from './accounts.ts';
import { dayOf, monthOf } from './decision.ts';
import type { LedgerTables } from './ledger-schema.ts';

const dayMs = 86_400_000;
/** Nobody who is silent for so long comes back to settle. */
const goneForMs = dayMs;
/** Of days, of trajectories, and of those that were refused and not heard of since: two months of waiting for a month's money. */
const keptMs = 62 * dayMs;
const monthsKeptMs = 400 * dayMs;

export function* tidy(tables: LedgerTables, now: Date): Steps<void> {
  const { periods, trajectories, reservations, refused } = tables;
  const before = (ms: number) => new Date(now.getTime() - ms);
  const gone = yield {
    sql: `DELETE FROM ${reservations} WHERE alive_until < $1 RETURNING trajectory_id, amount, day, month`,
    values: [before(goneForMs).getTime()],
  };
  for (const row of gone) yield* spend(tables, row, Number(row.amount), now);
  yield {
    sql: `DELETE FROM ${periods} WHERE (scope = 'day' AND period < $1) OR (scope = 'month' AND period < $2)`,
    values: [dayOf(before(keptMs)), monthOf(before(monthsKeptMs))],
  };
  yield { sql: `DELETE FROM ${trajectories} WHERE touched_at < $1`, values: [before(keptMs).getTime()] };
  yield { sql: `DELETE FROM ${refused} WHERE latest < $1`, values: [before(keptMs).getTime()] };
}
