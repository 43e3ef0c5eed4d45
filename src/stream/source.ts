import type { Logger } from '../log.ts';
import { type ColumnSettings, type ExcludeRule, refuseLostColumns } from '../postgres/audit-table.ts';
import { explainPostgres, openPool } from '../postgres/connection.ts';
import type { Batch, Lsn, Micros, ResumeLsn } from '../records.ts';
import { type Identity, openWalsender } from './replication.ts';
import { verifyCapture } from './slot.ts';
import { checkIdentity, type StoredStart, startOf } from './start.ts';
import { PostgresSource } from './tail.ts';
import { countRows } from './unread.ts';

export { currentTarget } from './target.ts';

export interface SourceOptions {
  url: string;
  table: string;
  columns?: ColumnSettings | undefined;
  slot: string;
  publication: string;
  /** Where a first start begins. */
  from: 'now' | 'beginning';
  /** A batch ends after so many rows or milliseconds, whichever comes first. */
  batchRows: number;
  batchMs: number;
  /** The socket is paused while more than this is waiting to be taken. */
  maxBufferBytes: number;
  /** `run --once`: the batches end when everything up to `lsn` was yielded. See {@link currentTarget}. */
  until?: { lsn: Lsn; at: Micros } | undefined;
  exclude?: ExcludeRule[] | undefined;
  timings?: Partial<SourceTimings> | undefined;
}

/** Milliseconds. */
export interface SourceTimings {
  /** Between two questions for the server's position and time: how late a quiet session closes. */
  probeMs: number;
  /** Between two readings of the slot and of the table's statistics. */
  pollMs: number;
  /** Between two checks of the publication. */
  publicationMs: number;
  /** An idle position is handed out at most this often. */
  idleAdvanceMs: number;
  /** Between two confirmations: one for each commit halves the throughput. */
  confirmMs: number;
  /** How long a slot that another connection holds is waited for. */
  slotWaitMs: number;
  backoff: { baseMs: number; maxMs: number };
}

export interface SourceStatus {
  connected: boolean;
  /** How far the stream has been received. */
  lastLsn: Lsn | null;
  /** What the server was told to forget. */
  confirmedLsn: Lsn | null;
  /** The server's last known position. */
  serverLsn: Lsn | null;
  /** Bytes of WAL between what is received and the server's position. */
  lagBytes: number | null;
  /** Bytes of WAL that the server keeps because of the slot. */
  retainedBytes: number;
  walStatus: string;
  watermark: Micros | null;
  rows: number;
  transactions: number;
  /** Of row messages received. */
  bytes: number;
  bufferedBytes: number;
  paused: boolean;
  reconnects: number;
  /** Broken promises of an append-only log, since this start. */
  truncates: number;
  updates: number;
  deletes: number;
}

export interface Source {
  /** To be stored with the first progress. */
  readonly identity: Identity;
  /** The roles that are read from a column, to be stored too. */
  readonly columns: readonly string[];
  /** What trajectory ids are derived from. */
  readonly source: string;
  /** True where the batches begin with history: what an earlier, unfinished history injected is to be dropped first. */
  readonly history: boolean;
  /**
   * May be iterated once. Ends when the signal fires or `until` was reached, and then disconnects.
   *
   * @throws OperatorError what stopped it.
   */
  batches(signal: AbortSignal): AsyncGenerator<Batch>;
  /** Everything before `lsn` is durable here: the server may forget it. */
  confirm(lsn: ResumeLsn): Promise<void>;
  status(): SourceStatus;
  /** Tells the server the last confirmed position and disconnects. May be called twice. */
  close(): Promise<void>;
}

/**
 * Verifies server, role, table, publication, slot and positions.
 *
 * @throws OperatorError see {@link verifyCapture}, {@link checkIdentity} and {@link startOf}; `source_unreachable` with
 * exit code 5 where the server can't be reached.
 */
export async function openSource(options: SourceOptions, start: StoredStart, log: Logger): Promise<Source> {
  const { url } = options;
  const walsender = await openWalsender(url, 'preflight');
  await walsender.client.end();
  const pool = openPool(url, { purpose: 'probe', settings: { statement_timeout: '30s' }, queryTimeoutMs: 10_000 });
  try {
    const capture = await verifyCapture(pool, options);
    const identity = { ...walsender.identity, slot: options.slot, publication: options.publication };
    checkIdentity(start.identity, identity);
    refuseLostColumns(start.columns, capture.table.mapping, options);
    const progress = startOf(start, capture.slot, options.slot, options.from);
    const isFirst = start.progress === null && progress !== null;
    const held = isFirst ? await countRows(pool, capture.table) : null;
    return new PostgresSource(options, capture, identity, { progress, held }, pool, log);
  } catch (error) {
    await pool.end();
    throw explainPostgres(error, url, 'start the capture');
  }
}
