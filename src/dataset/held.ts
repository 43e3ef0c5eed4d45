/** What of the audit log the dataset holds: the keys and digests of rows, and trajectories, without their text. */
import type { HeldRow } from '../dataset-tables.ts';
import type { SqliteDatabase } from '../sqlite.ts';

/**
 * Which of these rows of a source the dataset holds: in which trajectories (more than one is a row that was doubled), with
 * which digests, by row key and in the order of trajectory ids. A trajectory that is still arriving is among them with the
 * turns it has, once what says its source is there. One query for up to some thousand keys.
 */
export function rowsHeld(db: SqliteDatabase, source: string, rowKeys: readonly string[]): Map<string, HeldRow[]> {
  // From the keys to their turns: the other way about SQLite would go over every turn of the source.
  const rows = db
    .prepare(
      `SELECT r.row_key AS rowKey, r.trajectory_id AS trajectoryId, r.digest
       FROM json_each(?) AS wanted CROSS JOIN trajectory_turns AS r ON r.row_key = wanted.value
       JOIN trajectories AS t ON t.id = r.trajectory_id
       WHERE t.source = ? ORDER BY r.trajectory_id`,
    )
    .all(JSON.stringify([...new Set(rowKeys)]), source) as ({ rowKey: string } & HeldRow)[];
  const held = new Map<string, HeldRow[]>();
  for (const { rowKey, ...row } of rows) held.set(rowKey, [...(held.get(rowKey) ?? []), row]);
  return held;
}

/** Which of these trajectories are in the dataset with all of their turns. */
export function trajectoriesHeld(db: SqliteDatabase, ids: readonly string[]): Set<string> {
  const found = db
    .prepare(
      `SELECT id FROM trajectories AS t WHERE id IN (SELECT value FROM json_each(?))
       AND (SELECT count(*) FROM trajectory_turns WHERE trajectory_id = t.id) = turn_count`,
    )
    .pluck()
    .all(JSON.stringify(ids));
  return new Set(found as string[]);
}
