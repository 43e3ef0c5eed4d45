/**
 * History: the rows that were there before the stream, read under the snapshot of a temporary slot. Its consistent point
 * is where the stream goes on: what committed before it is in the snapshot, what committed after it streams.
 */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { stop } from '../errors.ts';
import { type AuditTable, turnOf } from '../postgres/audit-table.ts';
import { clientConfig, explainPostgres, openClient, sqlState } from '../postgres/connection.ts';
import { firstHistoryOrdinal, historyOrder, selectList, textRows } from '../postgres/rows.ts';
import { type Batch, type Lsn, type Micros, microsOf, type Progress } from '../records.ts';
import { parseLsn, resumeAt } from './lsn.ts';
import { openWalsender } from './replication.ts';

export interface HistoryOptions {
  url: string;
  table: AuditTable;
  batchRows: number;
  /** Rows are fetched and handed on in pieces of about this size. */
  batchBytes: number;
  /** Where a restart begins as long as history is unfinished: at its own start. */
  before: Progress;
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
  const settings = { row_security: 'off', statement_timeout: '0', idle_in_transaction_session_timeout: '0' };
  const reader = await openClient(clientConfig(url, { purpose: 'history', settings }));
  const release = endAtOnce(reader, signal);
  try {
    const { lsn, at } = await beginAtSnapshot(url, reader, signal);
    await reader.query(
      `DECLARE history NO SCROLL CURSOR FOR SELECT ${selectList(table.mapping)} FROM ${table.sql} ${historyOrder(table.mapping)}`,
    );
    yield* fetchAll(reader, options, lsn, signal);
    if (signal.aborted) return;
    yield { ...emptyBatch({ resumeLsn: resumeAt(lsn), partial: null }), history: { state: 'done', snapshotAt: at } };
  } catch (error) {
    if (signal.aborted) return;
    throw explainPostgres(error, url, `read the history of ${table.sql} (before ${before.resumeLsn})`);
  } finally {
    release();
    await reader.end().catch(() => {});
  }
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

async function* fetchAll(
  reader: pg.Client,
  { table, batchRows, batchBytes, before }: HistoryOptions,
  lsn: Lsn,
  signal: AbortSignal,
): AsyncGenerator<Batch> {
  let ordinal = firstHistoryOrdinal;
  let rowsAtOnce = Math.min(64, batchRows);
  while (!signal.aborted) {
    const rows = await textRows(reader, `FETCH FORWARD ${rowsAtOnce} FROM history`);
    if (rows.length === 0) return;
    const batch: Batch = { ...emptyBatch(before), history: { state: 'reading' } };
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

function emptyBatch(progress: Progress): Batch {
  return { changes: [], sessionIds: new Set(), progress, skipped: {} };
}
