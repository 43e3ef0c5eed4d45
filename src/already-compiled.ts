/** Rows that are in a trajectory of the dataset already, because `compile` took them from the table, belong to it. */
import { knownAmong, rowsAmong } from './dataset/known.ts';
import type { Batch, Turn } from './records.ts';
import type { SqliteDatabase } from './sqlite.ts';

/**
 * The batch without rows of the dataset; they are counted under `already_compiled`. Sessions that are live are not looked
 * up: `compile` leaves a session with a live part alone, and in the stream what it took before stands before that part.
 * Rows that are `changed` are other ones than those that the dataset has under their keys.
 */
export function withoutCompiled(
  batch: Batch,
  { isLive, changed }: { isLive: (sessionId: string) => boolean; changed: ReadonlySet<Turn> },
  dataset: SqliteDatabase,
  source: string,
): Batch {
  const returning = knownAmong(
    dataset,
    [...batch.sessionIds].filter((id) => !isLive(id)),
    source,
  );
  if (returning.size === 0) return batch;
  const turns = batch.changes.flatMap((change) => (change.kind === 'turn' ? change.turn : []));
  const keys = turns.filter(({ sessionId }) => returning.has(sessionId)).map(({ rowKey }) => rowKey);
  const compiled = rowsAmong(dataset, keys, source);
  if (compiled.size === 0) return batch;
  const isCompiled = (turn: Turn) => returning.has(turn.sessionId) && compiled.has(turn.rowKey) && !changed.has(turn);
  const changes = batch.changes.filter((change) => change.kind !== 'turn' || !isCompiled(change.turn));
  const left = batch.changes.length - changes.length;
  return { ...batch, changes, skipped: { ...batch.skipped, already_compiled: left } };
}
