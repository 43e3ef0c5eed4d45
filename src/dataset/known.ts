/** What has been compiled already: asked before anything is read or compiled again. */

import { inflateSync } from 'node:zlib';
import { park } from '../errors.ts';
import { type CompilerVersion, compilerKey, microsOf, type Trajectory, trajectorySchema } from '../records.ts';
import type { SqliteDatabase } from '../sqlite.ts';

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

/** Which of these sessions of a source are in the dataset. */
export function knownAmong(db: SqliteDatabase, sessionIds: readonly string[], source: string): Set<string> {
  if (sessionIds.length === 0) return new Set();
  const found = db
    .prepare('SELECT session_id FROM sessions WHERE source = ? AND session_id IN (SELECT value FROM json_each(?))')
    .pluck()
    .all(source, JSON.stringify(sessionIds));
  return new Set(found as string[]);
}

/** Which of these rows of a source are in some trajectory of the dataset. */
export function rowsAmong(db: SqliteDatabase, rowKeys: readonly string[], source: string): Set<string> {
  const found = db
    .prepare(
      `SELECT DISTINCT r.row_key FROM trajectory_rows r JOIN trajectories t ON t.id = r.trajectory_id
       WHERE t.source = ? AND r.row_key IN (SELECT value FROM json_each(?))`,
    )
    .pluck()
    .all(source, JSON.stringify(rowKeys));
  return new Set(found as string[]);
}

/** Ids of a session's trajectories, by part. */
export function trajectoriesOf(db: SqliteDatabase, source: string, sessionId: string): string[] {
  const sql = 'SELECT id FROM trajectories WHERE source = ? AND session_id = ? ORDER BY part, id';
  return db.prepare(sql).pluck().all(source, sessionId) as string[];
}

/** A trajectory as the dataset holds it. @throws OperatorError `trajectory_unknown` where it holds none of that id. */
export function storedTrajectory(db: SqliteDatabase, id: string): Trajectory {
  const row = db.prepare('SELECT * FROM trajectories WHERE id = ?').get(id) as Record<string, string> | undefined;
  if (row === undefined) throw park('trajectory_unknown', `the dataset does not hold trajectory ${id}`);
  return trajectorySchema.parse({
    spec: 'trajectory/1',
    id,
    source: row.source,
    sessionId: row.session_id,
    part: row.part,
    agents: JSON.parse(row.agents ?? '[]'),
    turns: JSON.parse(inflateSync(row.turns as unknown as Uint8Array).toString('utf8')),
    startedAt: microsOf(row.started_at ?? ''),
    endedAt: microsOf(row.ended_at ?? ''),
    closedBy: row.closed_by,
    contentHash: row.content_hash,
  });
}
