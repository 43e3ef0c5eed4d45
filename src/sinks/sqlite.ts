/** The dataset as a SQLite file. Readers may have it open at the same time. */
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { deflate, deflateSync } from 'node:zlib';
import { datasetMigrations } from '../dataset-file.ts';
import { type Cell, type RowOf, type TableName, tableNames, tables } from '../dataset-tables.ts';
import type { Logger } from '../log.ts';
import { explainSqlite, openSqlite, type SqliteDatabase } from '../sqlite.ts';
import { type Rows, rowsOf } from './rows.ts';
import type { Sink } from './sink.ts';

const compressInThread = promisify(deflate);
const what = 'dataset';

type StoredRow = Record<string, Cell | Uint8Array>;
type StoredRows = Omit<Rows, 'trajectory_turns'> & { trajectory_turns: StoredRow[] };

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
    async write(message, signal) {
      const rows = rowsOf(message);
      const stored = { ...rows, trajectory_turns: await compressBodies(rows.trajectory_turns) };
      signal.throwIfAborted();
      let written = 0;
      try {
        written = store.immediate(stored);
      } catch (error) {
        throw explainSqlite(error, what, path);
      }
      const trajectory = message.spec === 'compiled/1' ? message.trajectory.id : message.trajectoryId;
      const all = tableNames.reduce((sum, table) => sum + stored[table].length, 0);
      log.debug({ trajectory, pairs: rows.qa_pairs.length, rows: all, written }, 'written to the dataset');
      return { written, unchanged: all - written, unknown: 0 };
    },
    async close() {
      db.close();
    },
  };
}

/** Other work of the process goes on between the turns, which may be 16 MiB together. */
async function compressBodies(rows: RowOf<'trajectory_turns'>[]): Promise<StoredRow[]> {
  const compressed: StoredRow[] = [];
  for (const [index, row] of rows.entries()) {
    if (index % 100 === 99) await setImmediate();
    compressed.push({ ...row, body: await compress(String(row.body)) });
  }
  return compressed;
}

// The way to a thread of zlib's and back costs more than compressing a small text: 85 against 16 µs for 630 characters.
function compress(body: string): Uint8Array | Promise<Uint8Array> {
  return body.length < 32_768 ? deflateSync(body) : compressInThread(body);
}

function prepareStore(db: SqliteDatabase) {
  const upserts = tableNames.map((table) => ({ table, statement: db.prepare(upsertOf(table)) }));
  const settle = settleSegments(db);
  const decide = decideVerdict(db);
  const summarise = summariseSession(db);
  return db.transaction((rows: StoredRows): number => {
    let written = 0;
    for (const { table, statement } of upserts) for (const row of rows[table]) written += statement.run(row).changes;
    for (const { pair_key } of rows.verdicts) decide(pair_key);
    for (const { id } of rows.segments) settle(id);
    for (const { source, session_id } of rows.trajectories) summarise(source, session_id);
    return written;
  });
}

function upsertOf(table: TableName): string {
  const { columns, wins }: { columns: readonly string[]; wins: 'greatest' | 'smallest' } = tables[table];
  const changes = columns.filter((column) => column !== 'status').map((column) => `${column} = excluded.${column}`);
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((column) => `@${column}`).join(', ')})
    ON CONFLICT DO UPDATE SET ${changes.join(', ')}
    WHERE excluded.generation ${wins === 'greatest' ? '>' : '<'} ${table}.generation`;
}

/** Of all compiles of a segment that are known, the greatest generation is in force. */
function settleSegments(db: SqliteDatabase): (segmentId: Cell) => void {
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

/** A pair of before has no content hash: any verdict in the table was asked for since, on the pair as it stands. */
function decideVerdict(db: SqliteDatabase): (pairKey: Cell) => void {
  const columns = ['verification', 'verification_reason', 'verdict_version', 'verified_at', 'same_family'];
  const statement = db.prepare(
    `UPDATE qa_pairs AS p SET ${columns.map((column) => `${column} = v.${column}`).join(', ')}
     FROM verdicts AS v
     WHERE p.pair_key = @pairKey AND v.pair_key = p.pair_key AND v.generation = (
       SELECT max(generation) FROM verdicts
       WHERE pair_key = p.pair_key AND content_hash = coalesce(p.content_hash, content_hash))
     AND v.content_hash = coalesce(p.content_hash, v.content_hash)`,
  );
  return (pairKey) => void statement.run({ pairKey });
}

function summariseSession(db: SqliteDatabase): (source: Cell, sessionId: Cell) => void {
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
