/**
 * The audit log as batches in commit order: history first where it was asked for, then the slot's stream, across broken
 * connections. Preflight runs when it is opened; what the server is told to forget is only what {@link Source.confirm}
 * was given.
 */
import type pg from 'pg';
import { messageOf, OperatorError, stop } from '../errors.ts';
import { backoffMs, pause } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { type ColumnSettings, type ExcludeRule, sourceName } from '../postgres/audit-table.ts';
import { clientConfig, explainPostgres, openClient, openPool } from '../postgres/connection.ts';
import { type Batch, type Lsn, type Micros, microsOf, type Progress, type ResumeLsn } from '../records.ts';
import { Assembler } from './assembler.ts';
import { columnPicker } from './columns.ts';
import { bytesBetween, later, parseLsn, shortLsn } from './lsn.ts';
import { type Message, PgoutputDecoder } from './pgoutput.ts';
import { type Identity, openWalsender, type Replication, replicate } from './replication.ts';
import { type Capture, readSlot, type SlotState, verifyCapture, verifyPublication } from './slot.ts';
import { readHistory } from './snapshot.ts';
import { checkIdentity, type StoredStart, startOf } from './start.ts';
import { readTampering, type Tampering, tamperedSince } from './tamper.ts';
import { slackMicros } from './watermark.ts';

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

const defaultTimings: SourceTimings = {
  probeMs: 1_000,
  pollMs: 10_000,
  publicationMs: 60_000,
  idleAdvanceMs: 10_000,
  confirmMs: 200,
  slotWaitMs: 20_000,
  backoff: { baseMs: 200, maxMs: 15_000 },
};

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
  /** What trajectory ids are derived from. */
  readonly source: string;
  /** True where the batches begin with history: what an earlier, unfinished history injected is to be dropped first. */
  readonly history: boolean;
  /** May be iterated once. Ends when the signal fires or `until` was reached. @throws OperatorError what stopped it. */
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
    const progress = startOf(start, capture.slot, options.slot, options.from);
    if (start.progress === null && progress !== null) await sayWhatIsUnread(pool, capture, log);
    return new PostgresSource(options, capture, identity, progress, pool, log);
  } catch (error) {
    await pool.end();
    throw explainPostgres(error, url, 'start the capture');
  }
}

/**
 * Where `run --once` ends: everything that is committed now lies before `lsn`, and `at` is now, by the server's clock.
 *
 * @throws OperatorError `source_unreachable` and other refusals of the connection.
 */
export async function currentTarget(url: string): Promise<{ lsn: Lsn; at: Micros }> {
  const client = await openClient(clientConfig(url, { purpose: 'target' }));
  try {
    const { rows } = await client.query(
      `SELECT clock_timestamp() AS at, pg_current_wal_insert_lsn() AS written,
              (SELECT setting FROM pg_settings WHERE name = 'wal_writer_delay') AS delay`,
    );
    const written = parseLsn(rows[0].written);
    // An asynchronous commit can be seen before it is flushed, for up to three delays of the WAL writer; only what is
    // flushed is streamed. What is written and never flushed belongs to no commit.
    const deadline = Date.now() + 3 * Number(rows[0].delay) + 100;
    for (;;) {
      const flushed = parseLsn((await client.query('SELECT pg_current_wal_flush_lsn() AS lsn')).rows[0].lsn);
      if (flushed >= written || Date.now() >= deadline) return { lsn: flushed, at: microsOf(rows[0].at) as Micros };
      await pause(20);
    }
  } catch (error) {
    throw explainPostgres(error, url, 'read the current position');
  } finally {
    await client.end().catch(() => {});
  }
}

const countedUnread = 100_000;

/** History can cost money, so a first start leaves it out, and says so. */
async function sayWhatIsUnread(pool: pg.Pool, { table }: Capture, log: Logger): Promise<void> {
  const how = 'read them with run --from beginning into a fresh data directory, or with compile';
  try {
    const { rows } = await pool.query(
      `SELECT count(*) AS n FROM (SELECT FROM ${table.sql} LIMIT ${countedUnread + 1}) AS unread`,
    );
    const n = Number(rows[0].n);
    const rowsThere = n > countedUnread ? `more than ${countedUnread} rows` : `${n} rows`;
    if (n > 0) log.info(`first start: ${rowsThere} of ${table.schema}.${table.name} are left unread: ${how}`);
  } catch {
    // Streaming needs no SELECT.
    log.info(`first start: rows that ${table.schema}.${table.name} holds already are left unread: ${how}`);
  }
}

class PostgresSource implements Source {
  readonly identity: Identity;
  readonly source: string;
  readonly history: boolean;
  readonly #options: SourceOptions;
  readonly #timings: SourceTimings;
  readonly #capture: Capture;
  readonly #pool: pg.Pool;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  #slot: SlotState;
  #start: Progress | null;
  #assembler: Assembler | null = null;
  /** Of the last batch handed out. */
  #progress: Progress | null = null;
  #replication: Replication | null = null;
  #durable: ResumeLsn | null = null;
  #confirmedAt = 0;
  #confirmTimer: NodeJS.Timeout | undefined;
  #connected = false;
  #paused = false;
  #serverLsn: Lsn | null = null;
  #reconnects = 0;
  #truncates = 0;
  #tampering: Tampering | null = null;
  #tampered: Tampering = { updated: 0, deleted: 0 };
  #skipped = new Map<string, number>();
  #loops: Promise<unknown> = Promise.resolve();

  constructor(
    options: SourceOptions,
    capture: Capture,
    identity: Identity,
    start: Progress | null,
    pool: pg.Pool,
    log: Logger,
  ) {
    this.identity = identity;
    this.source = sourceName(identity.system_identifier, capture.server.database, capture.table);
    this.history = start === null;
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    this.#capture = capture;
    this.#pool = pool;
    this.#log = log;
    this.#slot = capture.slot;
    this.#start = start;
  }

  async *batches(signal: AbortSignal): AsyncGenerator<Batch> {
    const start = this.#start ?? (yield* this.#readHistory(signal));
    if (start === null) return;
    const assembler = this.#startStream(start);
    for (;;) {
      const batch = await assembler.take(signal);
      if (batch === null) return;
      this.#regulate();
      await this.#trustIdle(batch);
      yield batch;
    }
  }

  async confirm(lsn: ResumeLsn): Promise<void> {
    if (this.#durable !== null && lsn <= this.#durable) return;
    this.#durable = lsn;
    const dueMs = Math.max(0, this.#confirmedAt + this.#timings.confirmMs - Date.now());
    this.#confirmTimer ??= setTimeout(() => {
      this.#confirmTimer = undefined;
      this.#confirmedAt = Date.now();
      this.#replication?.status(false);
    }, dueMs);
  }

  status(): SourceStatus {
    const lastLsn = this.#assembler?.streamLsn ?? null;
    const behind = lastLsn !== null && this.#serverLsn !== null ? bytesBetween(lastLsn, this.#serverLsn) : null;
    return {
      connected: this.#connected,
      lastLsn,
      confirmedLsn: this.#durable,
      serverLsn: this.#serverLsn,
      lagBytes: behind === null ? null : Math.max(0, behind),
      retainedBytes: this.#slot.retainedBytes,
      walStatus: this.#slot.walStatus,
      watermark: this.#assembler?.watermark ?? null,
      ...(this.#assembler?.counters ?? { rows: 0, transactions: 0, bytes: 0 }),
      bufferedBytes: this.#assembler?.bufferedBytes ?? 0,
      paused: this.#paused,
      reconnects: this.#reconnects,
      truncates: this.#truncates,
      updates: this.#tampered.updated,
      deletes: this.#tampered.deleted,
    };
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    clearTimeout(this.#confirmTimer);
    await this.#replication?.close();
    // A question on a connection that went silent is answered by its own time limit; nobody waits for that.
    const waited = new AbortController();
    const ended = this.#loops.then(() => this.#pool.end());
    await Promise.race([ended, pause(2_000, waited.signal)]);
    waited.abort();
  }

  async *#readHistory(signal: AbortSignal): AsyncGenerator<Batch, Progress | null> {
    const { url, batchRows, maxBufferBytes } = this.#options;
    const { table } = this.#capture;
    const before = { resumeLsn: this.#slot.confirmedFlush as ResumeLsn, partial: null };
    let last: Batch | undefined;
    for await (last of readHistory({ url, table, batchRows, batchBytes: maxBufferBytes / 4, before }, signal))
      yield last;
    if (last?.history?.state !== 'done') return null;
    this.#log.info(`history is read; the stream goes on from ${shortLsn(last.progress.resumeLsn)}`);
    return last.progress;
  }

  /**
   * A publication that lost its table streams nothing, and looks idle: before an idle position lets the server forget,
   * the publication is looked at. A server that can't be asked, as at its shutdown, is no reason to hold it back.
   */
  async #trustIdle(batch: Batch): Promise<void> {
    const idle = batch.sessionIds.size === 0 && batch.progress.resumeLsn !== this.#progress?.resumeLsn;
    this.#progress = batch.progress;
    if (!idle) return;
    try {
      await verifyPublication(this.#pool, this.#capture.table, this.#options.publication);
    } catch (error) {
      if (error instanceof OperatorError && error.kind === 'stop') throw error;
    }
  }

  #startStream(start: Progress): Assembler {
    const { batchRows, batchMs, maxBufferBytes, until } = this.#options;
    const assembler = new Assembler({
      mapping: this.#capture.table.mapping,
      start,
      slack: slackMicros(this.#capture.server.walWriterDelayMs),
      batchRows,
      batchMs,
      maxBufferBytes,
      idleAdvanceMs: this.#timings.idleAdvanceMs,
      until,
      onSkip: (reason, lsn) => this.#sayOnce(reason, lsn),
    });
    this.#assembler = assembler;
    this.#progress = start;
    this.#durable ??= start.resumeLsn;
    this.#loops = Promise.all([
      this.#stream(assembler),
      this.#every(this.#timings.probeMs, () => this.#probe(assembler)),
      this.#every(this.#timings.pollMs, () => this.#poll(assembler)),
      this.#every(this.#timings.publicationMs, () => this.#checkPublication(assembler)),
    ]);
    return assembler;
  }

  /** One connection after another, until closed or stopped. */
  async #stream(assembler: Assembler): Promise<void> {
    const { signal } = this.#closing;
    let busySince: number | null = null;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const bytesBefore = assembler.streamLsn;
      const error = await this.#streamOnce(assembler);
      if (signal.aborted) return;
      if (assembler.streamLsn !== bytesBefore) attempt = 1;
      const busy = error.code === 'slot_active';
      busySince = busy ? (busySince ?? Date.now()) : null;
      if (error.kind === 'stop') return assembler.fail(error);
      if (busySince !== null && Date.now() - busySince >= this.#timings.slotWaitMs) {
        return assembler.fail(stop('slot_active', `${error.message} (waited ${this.#timings.slotWaitMs} ms)`));
      }
      const waitMs = backoffMs(busy ? 1 : attempt, this.#timings.backoff);
      const level = attempt < 5 ? 'warn' : 'error';
      this.#log[level]({ code: error.code, attempt }, `${error.message}; trying again in ${waitMs} ms`);
      await pause(waitMs, signal);
      this.#reconnects += 1;
    }
  }

  /** Streams until the connection is over, and returns why. */
  async #streamOnce(assembler: Assembler): Promise<OperatorError> {
    const { url, slot, publication } = this.#options;
    const decoder = new PgoutputDecoder(columnPicker(this.#capture.table));
    assembler.reconnected();
    try {
      const replication = await replicate({
        url,
        slot,
        publication,
        start: assembler.received.resumeLsn,
        decode: (buffer) => decoder.decode(buffer),
        onMessage: (message) => this.#take(assembler, message),
        onKeepalive: (lsn, replyRequested) => {
          this.#connected = true;
          assembler.keepalive(lsn, replyRequested);
        },
        durable: () => this.#durable ?? assembler.received.resumeLsn,
      });
      this.#replication = replication;
      checkIdentity(this.identity, { ...replication.identity, slot, publication });
      if (this.#closing.signal.aborted) await replication.close();
      await replication.ended;
      return stop('closed', 'the capture was closed');
    } catch (error) {
      await this.#replication?.close();
      return explainPostgres(error, url, 'stream');
    } finally {
      this.#replication = null;
      this.#connected = false;
      this.#paused = false;
    }
  }

  #take(assembler: Assembler, message: Message): void {
    this.#connected = true;
    if (message.kind === 'truncate') this.#truncated(assembler.streamLsn);
    else assembler.message(message);
    this.#regulate();
  }

  #regulate(): void {
    const buffered = this.#assembler?.bufferedBytes ?? 0;
    const limit = this.#options.maxBufferBytes;
    if (!this.#paused && buffered > limit) {
      this.#paused = true;
      this.#replication?.pauseReading();
    } else if (this.#paused && buffered < limit / 2) {
      this.#paused = false;
      this.#replication?.resumeReading();
    }
  }

  async #probe(assembler: Assembler): Promise<void> {
    const { rows } = await this.#pool.query('SELECT pg_current_wal_flush_lsn() AS lsn, clock_timestamp() AS at');
    const probe = { lsn: parseLsn(rows[0].lsn), at: microsOf(rows[0].at) as Micros };
    this.#serverLsn = this.#serverLsn === null ? probe.lsn : later(probe.lsn, this.#serverLsn);
    assembler.probe(probe);
    if (assembler.awaitsPosition) this.#replication?.status(true);
  }

  async #poll(assembler: Assembler): Promise<void> {
    try {
      this.#slot = await readSlot(this.#pool, this.#options.slot, this.#capture.server.database);
    } catch (error) {
      if (error instanceof OperatorError && error.kind === 'stop') assembler.fail(error);
      throw error;
    }
    const now = await readTampering(this.#pool, this.#capture.table);
    const { updated, deleted } = tamperedSince(this.#tampering ?? now, now);
    this.#tampering = now;
    if (updated + deleted === 0) return;
    this.#tampered = { updated: this.#tampered.updated + updated, deleted: this.#tampered.deleted + deleted };
    this.#brokenPromise(`${updated} rows updated, ${deleted} deleted`);
  }

  async #checkPublication(assembler: Assembler): Promise<void> {
    try {
      await verifyPublication(this.#pool, this.#capture.table, this.#options.publication);
    } catch (error) {
      if (error instanceof OperatorError && error.kind === 'stop') assembler.fail(error);
      throw error;
    }
  }

  #truncated(lsn: Lsn): void {
    this.#truncates += 1;
    this.#brokenPromise(`truncated at about ${shortLsn(lsn)}`);
  }

  #brokenPromise(what: string): void {
    const { schema, name } = this.#capture.table;
    this.#log.warn(
      { code: 'not_append_only' },
      `${schema}.${name} is not append-only: ${what}; what was taken in before stays as it was`,
    );
  }

  /** Each reason is said with its first row; the counts are in the metrics. */
  #sayOnce(reason: string, lsn: Lsn): void {
    const count = (this.#skipped.get(reason) ?? 0) + 1;
    this.#skipped.set(reason, count);
    if (count > 1 || reason === 'excluded') return;
    const { mapping, schema, name } = this.#capture.table;
    const column = mapping.names[reason === 'no_key' ? mapping.at.key : mapping.at.sessionId];
    const what =
      reason === 'other_table'
        ? `a row of another table or kind came with ${schema}.${name}`
        : `column "${column}" of ${schema}.${name} is null`;
    this.#log.warn(
      { code: reason },
      `${what} at ${shortLsn(lsn)}: such rows are counted under rows_skipped{reason="${reason}"}`,
    );
  }

  /** A failure is the connection's to report: here the next turn asks again. */
  async #every(ms: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await work().catch((error: unknown) => this.#log.debug(messageOf(error)));
      await pause(ms, signal);
    }
  }
}
