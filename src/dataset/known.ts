/** What has been compiled already: asked before anything is read or compiled again. */

import { park } from '../errors.ts';
import { type CompilerVersion, compilerKey, microsOf, type Trajectory, trajectorySchema } from '../records.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { turnsOf } from './turns.ts';

export interface KnownSession {
  trajectories: number;
  turns: number;
  /** Compilers that have been over all of its trajectories or some: `rules rules rules/1 off`. */
  compilers: string[];
}

/** Sessions of a source that are in the dataset, whatever compiled them. */
export function knownSessions(db: SqliteDatabase, source: string): Map<string, KnownSession> {
  const rows = db
    .prepare(
      `SELECT s.session_id AS sessionId, s.trajectories, s.turns,
              (SELECT json_group_array(DISTINCT c.compiler_version) FROM trajectories t
               JOIN compilations c ON c.trajectory_id = t.id
               WHERE t.source = s.source AND t.session_id = s.session_id AND c.complete = 1) AS compilers
       FROM sessions s WHERE s.source = ?`,
    )
    .all(source) as { sessionId: string; trajectories: number; turns: number; compilers: string }[];
  return new Map(
    rows.map(({ sessionId, trajectories, turns, compilers }) => [
      sessionId,
      { trajectories, turns, compilers: (JSON.parse(compilers) as string[]).sort() },
    ]),
  );
}

/** Which of these trajectories that compiler has been over, each segment with an outcome other than `failed`. */
export function compiledAmong(db: SqliteDatabase, trajectoryIds: readonly string[], by: CompilerVersion): Set<string> {
  const found = db
    .prepare(
      `SELECT trajectory_id FROM compilations
       WHERE complete = 1 AND compiler_version = ? AND trajectory_id IN (SELECT value FROM json_each(?))`,
    )
    .pluck()
    .all(compilerKey(by), JSON.stringify(trajectoryIds));
  return new Set(found as string[]);
}

/** Which of these trajectories have segments that were left out: enough of their shape was compiled, or a cap stood against it. */
export function skippedAmong(db: SqliteDatabase, trajectoryIds: readonly string[]): Set<string> {
  const found = db
    .prepare(
      `SELECT trajectory_id FROM segments WHERE status = 'active' AND outcome = 'skipped'
       AND reason IN ('coverage', 'budget') AND trajectory_id IN (SELECT value FROM json_each(?))`,
    )
    .pluck()
    .all(JSON.stringify(trajectoryIds));
  return new Set(found as string[]);
}

/** Which of these sessions of a source are in the dataset. */
export function knownAmong(db: SqliteDatabase, sessionIds: readonly string[], source: string): Set<string> {
  if (sessionIds.length === 0) return new Set();
  const found = db
    .prepare('SELECT session_id FROM sessions WHERE source = ? AND session_id IN (SELECT value FROM json_each(?))')
    .pluck()
    .all(source, JSON.stringify(sessionIds));
  return new Set(found as string[]);
}

/**
 * Which of these rows of a source are in some trajectory of the dataset. One whose turns are still arriving is not there
 * yet: what regroups its rows gives it the same id, while leaving out some of them would make another one of the rest.
 */
export function rowsAmong(db: SqliteDatabase, rowKeys: readonly string[], source: string): Set<string> {
  const found = db
    .prepare(
      `WITH found AS MATERIALIZED (
         SELECT t.id, t.turn_count, r.row_key FROM trajectory_turns r JOIN trajectories t ON t.id = r.trajectory_id
         WHERE t.source = ? AND r.row_key IN (SELECT value FROM json_each(?))),
       whole AS MATERIALIZED (
         SELECT id FROM (SELECT DISTINCT id, turn_count FROM found) t
         WHERE (SELECT count(*) FROM trajectory_turns WHERE trajectory_id = t.id) = turn_count)
       SELECT DISTINCT row_key FROM found WHERE id IN (SELECT id FROM whole)`,
    )
    .pluck()
    .all(source, JSON.stringify(rowKeys));
  return new Set(found as string[]);
}

/** Which of these trajectories lack turns that travel apart from them. */
export function arrivingAmong(db: SqliteDatabase, trajectoryIds: readonly string[]): Set<string> {
  const found = db
    .prepare(
      `SELECT id FROM trajectories t WHERE id IN (SELECT value FROM json_each(?))
       AND (SELECT count(*) FROM trajectory_turns WHERE trajectory_id = t.id) < turn_count`,
    )
    .pluck()
    .all(JSON.stringify(trajectoryIds));
  return new Set(found as string[]);
}

/** Ids of a session's trajectories, by part. */
export function trajectoriesOf(db: SqliteDatabase, source: string, sessionId: string): string[] {
  const sql = 'SELECT id FROM trajectories WHERE source = ? AND session_id = ? ORDER BY part, id';
  return db.prepare(sql).pluck().all(source, sessionId) as string[];
}

/**
 * A trajectory as the dataset holds it.
 *
 * @throws OperatorError, parking: `trajectory_unknown` where it holds none of that id, `trajectory_arriving` where some
 * of its turns are not there yet.
 */
export function storedTrajectory(db: SqliteDatabase, id: string): Trajectory {
  const row = db.prepare('SELECT * FROM trajectories WHERE id = ?').get(id) as Record<string, string> | undefined;
  if (row === undefined) throw park('trajectory_unknown', `the dataset does not hold trajectory ${id}`);
  const turns = turnsOf(db, id);
  if (turns.length < Number(row.turn_count)) {
    const arrived = `${turns.length} of ${row.turn_count} turns`;
    throw park(
      'trajectory_arriving',
      `the dataset holds ${arrived} of trajectory ${id}: the rest is still to arrive, or among the dead letters`,
    );
  }
  return trajectorySchema.parse({
    spec: 'trajectory/1',
    id,
    source: row.source,
    sessionId: row.session_id,
    part: row.part,
    agents: JSON.parse(row.agents ?? '[]'),
    turns,
    startedAt: microsOf(row.started_at ?? ''),
    endedAt: microsOf(row.ended_at ?? ''),
    closedBy: row.closed_by,
    contentHash: row.content_hash,
  });
}
