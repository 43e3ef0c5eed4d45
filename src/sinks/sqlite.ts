/** The dataset as a SQLite file. Readers may have it open at the same time. */
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { datasetMigrations } from '../dataset-file.ts';
import type { Logger } from '../log.ts';
import type { Compiled } from '../records.ts';
import { explainSqlite, openSqlite, type SqliteDatabase } from '../sqlite.ts';
import { type Row, type Rows, rowsOf } from './rows.ts';
import type { Sink } from './sink.ts';

const compress = promisify(deflate);
const what = 'dataset';

/**
 * Opens the dataset at `path`, which is created, brought up to date, or taken over from the published shape.
 *
 * @throws OperatorError as `openSqlite` does, and `dataset_foreign` where its `qa_pairs` is of another shape.
 */
export function openSqliteSink({ path, log }: { path: string; log: Logger }): Sink {
  const db = openSqlite(path, { what, migrations: datasetMigrations, synchronous: 'full' });
  const store = prepareStore(db);
  return {
    name: 'sqlite',
    async write(compiled, signal) {
      const rows = rowsOf(compiled);
      // In a thread of zlib's: a trajectory may be 16 MiB.
      const turns = await compress(JSON.stringify(compiled.trajectory.turns));
      signal.throwIfAborted();
      try {
        store.immediate(compiled, rows, turns);
      } catch (error) {
        throw explainSqlite(error, what, path);
      }
      log.debug({ trajectory: compiled.trajectory.id, pairs: rows.pairs.length }, 'written to the dataset');
    },
    async close() {
      db.close();
    },
  };
}

function prepareStore(db: SqliteDatabase) {
  const upserts = {
    trajectory: upsert(db, 'trajectories', 'excluded.generation > trajectories.generation'),
    compilation: upsert(db, 'compilations', 'excluded.generation > compilations.generation'),
    segment: upsert(db, 'segments', 'excluded.generation > segments.generation'),
    pair: upsert(db, 'qa_pairs', 'excluded.generation > qa_pairs.generation'),
    rejection: upsert(db, 'rejections', 'excluded.generation > rejections.generation'),
    // A recorded answer that was used again appears with its call again: it was paid for the first time.
    call: upsert(db, 'llm_calls', 'excluded.generation < llm_calls.generation'),
  };
  const rowKey = db.prepare(
    'INSERT INTO trajectory_rows (row_key, trajectory_id) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );
  const settle = settleSegments(db);
  const summarise = summariseSession(db);
  return db.transaction((compiled: Compiled, rows: Rows, turns: Uint8Array) => {
    const { id, source, sessionId } = compiled.trajectory;
    upserts.trajectory({ ...rows.trajectory, turns });
    for (const key of rows.rowKeys) rowKey.run(key, id);
    upserts.compilation(rows.compilation);
    for (const row of rows.segments) upserts.segment(row);
    for (const row of rows.pairs) upserts.pair(row);
    for (const row of rows.rejections) upserts.rejection(row);
    for (const row of rows.calls) upserts.call(row);
    for (const { segment } of compiled.segments) settle(segment.id);
    summarise(source, sessionId);
  });
}

/**
 * Puts a row in the place of the one of its key where `wins`. Columns it does not name stay as they are, and so does the
 * status, which follows from the segment.
 */
function upsert(
  db: SqliteDatabase,
  table: string,
  wins: string,
): (row: Record<string, Row[string] | Uint8Array>) => void {
  let statement: ReturnType<SqliteDatabase['prepare']> | undefined;
  return (row) => {
    const columns = Object.keys(row);
    const changes = columns.filter((column) => column !== 'status').map((column) => `${column} = excluded.${column}`);
    statement ??= db.prepare(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((column) => `@${column}`).join(', ')})
       ON CONFLICT DO UPDATE SET ${changes.join(', ')} WHERE ${wins}`,
    );
    statement.run(row);
  };
}

/** Of all compiles of a segment that are known, the greatest generation is in force. */
function settleSegments(db: SqliteDatabase): (segmentId: string) => void {
  const inForce = db.prepare('SELECT max(generation) FROM segments WHERE id = ?').pluck();
  const settle = [
    ['segments', 'id'],
    ['qa_pairs', 'segment_id'],
    ['rejections', 'segment_id'],
  ].map(([table, column]) =>
    db.prepare(
      `UPDATE ${table} SET status = CASE WHEN generation = ? THEN 'active' ELSE 'superseded' END
       WHERE ${column} = ? AND status IN ('active', 'superseded')`,
    ),
  );
  return (segmentId) => {
    const generation = inForce.get(segmentId);
    for (const statement of settle) statement.run(generation, segmentId);
  };
}

function summariseSession(db: SqliteDatabase): (source: string, sessionId: string) => void {
  const statement = db.prepare(
    `INSERT INTO sessions (source, session_id, trajectories, turns, agents, started_at, ended_at)
     SELECT source, session_id, count(*), sum(turn_count),
            (SELECT json_group_array(value) FROM (
               SELECT DISTINCT value FROM trajectories, json_each(agents)
               WHERE source = @source AND session_id = @sessionId ORDER BY value)),
            min(started_at), max(ended_at)
     FROM trajectories WHERE source = @source AND session_id = @sessionId GROUP BY source, session_id
     ON CONFLICT DO UPDATE SET trajectories = excluded.trajectories, turns = excluded.turns, agents = excluded.agents,
            started_at = excluded.started_at, ended_at = excluded.ended_at`,
  );
  return (source, sessionId) => void statement.run({ source, sessionId });
}
