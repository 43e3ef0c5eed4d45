/** The contract of the source: what it is opened with, what it hands out, how it stands. */
import type { ColumnSettings, ExcludeRule } from '../postgres/audit-table.ts';
import type { RowColumns } from '../postgres/row-columns.ts';
import type { Batch, Lsn, Micros, Progress, ResumeLsn } from '../records.ts';
import type { Identity } from './replication.ts';
import type { Shard } from './shard.ts';

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
  /** One of several captures of the same log, each with its share of the sessions. */
  shard?: Shard | undefined;
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

/** How far the reading of history is. */
export interface HistoryProgress {
  /** Handed out and taken. */
  rows: number;
  /** The planner's guess of all of them; null where it has none yet. */
  estimatedRows: number | null;
  /** By this machine's clock, milliseconds since 1970. */
  startedAt: number;
}

export interface SourceStatus {
  connected: boolean;
  /** While history is read. */
  history: HistoryProgress | null;
  /** How far the stream has been received. */
  lastLsn: Lsn | null;
  /** What the server was told to forget. */
  confirmedLsn: Lsn | null;
  /** The server's last known position. */
  serverLsn: Lsn | null;
  /** Bytes of WAL between what is received and the server's position. */
  lagBytes: number | null;
  /**
   * Milliseconds since the server was where the stream is now, by its clock: by the commits received and its positions as
   * they were asked for, so too much by the time between two of them at most. 0 once the last of them is reached, as long
   * as the server answers; null before the first.
   */
  lagMs: number | null;
  /** Bytes of WAL that the server keeps because of the slot. */
  retainedBytes: number;
  walStatus: string;
  /** Bytes of WAL that may still be written before the slot can be lost; null without a limit. */
  safeWalBytes: number | null;
  watermark: Micros | null;
  rows: number;
  transactions: number;
  /** Of row messages received. */
  bytes: number;
  /** Received and not yet taken, those that are not carried on included. */
  bufferedRows: number;
  bufferedBytes: number;
  paused: boolean;
  reconnects: number;
  /** Broken promises of an append-only log, since this start. */
  truncates: number;
  updates: number;
  deletes: number;
  /** Ways in which rows missed the stream: filled partitions attached, and times the publication was replaced. */
  attached: number;
  republished: number;
  /** Tables of the log whose rows never reach the WAL, as of now. */
  unlogged: number;
}

/** Rows of the table by their time column; both null for all of it. */
export interface RowRange {
  /** ISO 8601 or what Postgres reads as a timestamp. Inclusive. */
  since: string | null;
  /** Exclusive. */
  until: string | null;
}

/** Rows of the table beside the stream, read under one snapshot. */
export interface ExistingRows {
  /** Every row that is seen was committed before this position. */
  seenBefore: Lsn;
  /** As far as the server can guess it without counting. */
  estimatedRows: number | null;
  /**
   * In the order of (time, key), `injected`, the last one `done`. Known rows are still among them. Their progress is
   * `before`, so that storing them moves no position.
   */
  batches(before: Progress, signal: AbortSignal): AsyncGenerator<Batch>;
  close(): Promise<void>;
}

export interface Source {
  /** To be stored with the first progress. */
  readonly identity: Identity;
  /** The roles that are read from a column, to be stored too. */
  readonly columns: readonly string[];
  /** By which rows are recognised, to be stored with the first of them. */
  readonly rowColumns: RowColumns;
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
  /** Opens a snapshot over rows that are in the table now, unless the signal fires. Whoever calls closes it. */
  openExisting(range: RowRange, signal: AbortSignal): Promise<ExistingRows>;
  /** Everything before `lsn` is durable here: the server may forget it. */
  confirm(lsn: ResumeLsn): Promise<void>;
  status(): SourceStatus;
  /** Tells the server the last confirmed position and disconnects. May be called twice. */
  close(): Promise<void>;
}
