/**
 * History: the rows that were there before the stream, read under the snapshot of a temporary slot. Its consistent point
 * is where the stream goes on: what committed before it is in the snapshot, what committed after it streams.
 */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { exitCodes, stop } from '../errors.ts';
import { type AuditTable, turnOf } from '../postgres/audit-table.ts';
import { clientConfig, explainPostgres, openClient, sqlState } from '../postgres/connection.ts';
import { quoteIdent, quoteLiteral } from '../postgres/quote.ts';
import { firstHistoryOrdinal, historyOrder, selectList, textRows } from '../postgres/rows.ts';
import { type Batch, type Lsn, type Micros, microsOf, type Progress } from '../records.ts';
import type { ExistingRows, RowRange } from './contract.ts';
import { parseLsn, resumeAt } from './lsn.ts';
import { openWalsender } from './replication.ts';
import { type Shard, shardCondition } from './shard.ts';
import { flushedTarget } from './target.ts';

export interface ReadingOptions {
  url: string;
  table: AuditTable;
  /** All of it by default. */
  range?: RowRange | undefined;
  /** Of these sessions alone. */
  shard?: Shard | undefined;
  batchRows: number;
  /** Rows are fetched and handed on in pieces of about this size. */
  batchBytes: number;
  /** The rows come in beside a stream that has begun. */
  injected?: boolean;
}

export interface HistoryOptions extends ReadingOptions {
  /** Where a restart begins as long as history is unfinished: at its own start. */
  before: Progress;
  /** Told once, before the first row, how many the server guesses there are. */
  onEstimate?: ((rows: number | null) => void) | undefined;
}

const lockTimeoutMs = 30_000;

/**
 * Yields the rows in the order of (time, key), then one batch without rows that says `done` and carries the consistent
 * point as its progress. Ends early when the signal fires, in the middle of a statement too: it would start over anyway.
 *
 * @throws OperatorError `slot_waiting`, `slot_limit`, `source_permission`, `source_unreachable`.
 */
export async function* readHistory(options: HistoryOptions, signal: AbortSignal): AsyncGenerator<Batch> {
  const { url, table, before } = options;
  const reader = await openReader(url);
  const release = endAtOnce(reader, signal);
  try {
    const { lsn, at } = await beginAtSnapshot(url, reader, signal);
    options.onEstimate?.(await estimateRows(reader, options));
    const after = { resumeLsn: resumeAt(lsn), partial: null };
    yield* readRows(reader, { ...options, seenBefore: lsn, at, before, after }, signal);
  } catch (error) {
    if (signal.aborted) return;
    throw explainPostgres(error, url, `read the history of ${table.sql} (before ${before.resumeLsn})`);
  } finally {
    release();
    await reader.end().catch(() => {});
  }
}

/**
 * Rows under a snapshot of their own, beside a stream. The signal ends the opening, which may take as long as a flush.
 *
 * @throws OperatorError as {@link readHistory}, `no_time_column`.
 */
export async function openExisting(options: ReadingOptions, signal: AbortSignal): Promise<ExistingRows> {
  const { url, table } = options;
  const reader = await openReader(url);
  const opened = endAtOnce(reader, signal);
  try {
    const { rows: clock } = await reader.query('SELECT clock_timestamp() AS now');
    const at = microsOf(clock[0].now) as Micros;
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // The first statement takes the snapshot; what it sees was committed before the position that is asked for next. An
    // asynchronous commit is seen before it is flushed, and streamed after: a position short of it would take it in twice.
    const estimatedRows = await estimateRows(reader, options);
    const lsn = await flushedTarget(url, signal);
    return {
      seenBefore: lsn,
      estimatedRows,
      batches: async function* (before, signal) {
        const release = endAtOnce(reader, signal);
        try {
          const place = { seenBefore: lsn, at, before, after: before };
          yield* readRows(reader, { ...options, ...place, injected: true }, signal);
        } catch (error) {
          if (signal.aborted) return;
          throw explainPostgres(error, url, `read rows of ${table.sql}`);
        } finally {
          release();
        }
      },
      close: () => reader.end().catch(() => {}),
    };
  } catch (error) {
    await reader.end().catch(() => {});
    throw explainPostgres(error, url, `read rows of ${table.sql}`);
  } finally {
    opened();
  }
}

async function openReader(url: string): Promise<pg.Client> {
  const settings = { row_security: 'off', statement_timeout: '0', idle_in_transaction_session_timeout: '0' };
  const client = await openClient(clientConfig(url, { purpose: 'history', settings }));
  try {
    // Not at the start of the connection: before PostgreSQL 17 the server would refuse a setting that it does not know.
    await client.query("SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'");
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw explainPostgres(error, url, 'read the table');
  }
}

interface Reading extends ReadingOptions {
  seenBefore: Lsn;
  /** The server's time of the snapshot. */
  at: Micros;
  before: Progress;
  /** Where a restart begins once all is read. */
  after: Progress;
}

async function* readRows(reader: pg.Client, reading: Reading, signal: AbortSignal): AsyncGenerator<Batch> {
  await reader.query(`DECLARE history NO SCROLL CURSOR FOR ${rowsSql(reading)}`);
  yield* fetchAll(reader, reading, signal);
  if (signal.aborted) return;
  yield { ...emptyBatch(reading.after, reading), history: { state: 'done', snapshotAt: reading.at } };
}

function rowsSql({ table, range, shard }: ReadingOptions): string {
  const conditions = rangeConditions(table, range);
  if (shard !== undefined) conditions.push(shardCondition(table, shard));
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return `SELECT ${selectList(table.mapping)} FROM ${table.sql}${where} ${historyOrder(table.mapping)}`;
}

/** `"created_at" >= '…'`; empty without a range. @throws OperatorError `no_time_column`. */
function rangeConditions({ mapping: { names, at }, sql }: AuditTable, range: RowRange | undefined): string[] {
  const { since = null, until = null } = range ?? {};
  if (since === null && until === null) return [];
  if (at.time < 0) {
    throw stop('no_time_column', `${sql} has no time column, so no range of it can be read: set columns.time`, {
      exitCode: exitCodes.configuration,
    });
  }
  const time = quoteIdent(names[at.time]!);
  const from = since === null ? [] : [`${time} >= ${quoteLiteral(since)}`];
  const to = until === null ? [] : [`${time} < ${quoteLiteral(until)}`];
  return [...from, ...to];
}

/** The planner's guess: counting would cost as much as reading. */
async function estimateRows(reader: pg.Client, options: ReadingOptions): Promise<number | null> {
  const { rows } = await reader.query(`EXPLAIN (FORMAT JSON) ${rowsSql(options)}`);
  const [{ Plan: plan }] = JSON.parse(rows[0]['QUERY PLAN']) as [{ Plan: { 'Plan Rows'?: number } }];
  return plan['Plan Rows'] ?? null;
}

/** A statement may wait for long, for a lock or for other transactions: a signal cuts its connection. */
function endAtOnce(client: pg.Client, signal: AbortSignal): () => void {
  const end = () => void client.end().catch(() => {});
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  return () => signal.removeEventListener('abort', end);
}

/** The reader's transaction sees what committed before `lsn`. `at` lies before the first commit that it does not see. */
async function beginAtSnapshot(url: string, reader: pg.Client, signal: AbortSignal): Promise<{ lsn: Lsn; at: Micros }> {
  const walsender = await openWalsender(url, 'snapshot', { lock_timeout: `${lockTimeoutMs}ms` });
  const release = endAtOnce(walsender.client, signal);
  try {
    const { rows: clock } = await reader.query('SELECT clock_timestamp() AS now');
    const at = microsOf(clock[0].now) as Micros;
    const name = `tc_history_${randomBytes(6).toString('hex')}`;
    const { rows } = await walsender.client.query(
      `CREATE_REPLICATION_SLOT "${name}" TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`,
    );
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await reader.query(`SET TRANSACTION SNAPSHOT '${rows[0].snapshot_name}'`);
    return { lsn: parseLsn(rows[0].consistent_point), at };
  } catch (error) {
    throw explainSlot(error);
  } finally {
    release();
    // The reader holds the snapshot now. The temporary slot ends with its connection, and pins no WAL meanwhile.
    await walsender.client.end().catch(() => {});
  }
}

function explainSlot(error: unknown): unknown {
  if (sqlState(error) === '53400') {
    return stop(
      'slot_limit',
      'reading history needs one free replication slot for a moment: raise max_replication_slots or drop an abandoned one',
      { cause: error },
    );
  }
  if (sqlState(error) === '55P03') {
    return stop(
      'slot_waiting',
      `no snapshot within ${lockTimeoutMs / 1000} s: the server waits for transactions that were open before; end the long ones (pg_stat_activity, pg_prepared_xacts) and start again`,
      { cause: error },
    );
  }
  return error;
}

async function* fetchAll(reader: pg.Client, reading: Reading, signal: AbortSignal): AsyncGenerator<Batch> {
  const { table, batchRows, batchBytes, before, seenBefore: lsn } = reading;
  let ordinal = firstHistoryOrdinal;
  let rowsAtOnce = Math.min(64, batchRows);
  while (!signal.aborted) {
    const rows = await textRows(reader, `FETCH FORWARD ${rowsAtOnce} FROM history`);
    if (rows.length === 0) return;
    const batch: Batch = { ...emptyBatch(before, reading), history: { state: 'reading' } };
    let bytes = 0;
    for (const row of rows) {
      for (const text of row) bytes += text?.length ?? 0;
      const turn = turnOf(row, table.mapping, { lsn, ordinal }, null);
      ordinal += 1;
      if (typeof turn === 'string') {
        batch.skipped[turn] = (batch.skipped[turn] ?? 0) + 1;
      } else {
        batch.changes.push({ kind: 'turn', turn });
        batch.sessionIds.add(turn.sessionId);
      }
    }
    yield batch;
    // So many of the next as would fill a batch if they were like these; growing slowly, shrinking at once.
    const fitting = Math.floor((batchBytes / Math.max(1, bytes)) * rows.length);
    rowsAtOnce = Math.max(1, Math.min(batchRows, rowsAtOnce * 2, fitting));
  }
}

function emptyBatch(progress: Progress, { injected = false }: ReadingOptions): Batch {
  return { changes: [], sessionIds: new Set(), progress, skipped: {}, ...(injected ? { injected: true } : {}) };
}
