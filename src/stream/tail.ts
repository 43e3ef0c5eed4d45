/** The source over its connections: one walsender after another, and a pool that asks the server how far it is. */
import type pg from 'pg';
import { messageOf, OperatorError, stop } from '../errors.ts';
import { backoffMs, pause } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { mappedRoles, sourceName } from '../postgres/audit-table.ts';
import { explainPostgres } from '../postgres/connection.ts';
import { type Batch, type Lsn, type Micros, microsOf, type Progress, type ResumeLsn } from '../records.ts';
import { Assembler } from './assembler.ts';
import { columnPicker } from './columns.ts';
import type { ExistingRows, RowRange, Source, SourceOptions, SourceStatus, SourceTimings } from './contract.ts';
import { bytesBetween, later, parseLsn, resumeAt, shortLsn } from './lsn.ts';
import { type Message, PgoutputDecoder } from './pgoutput.ts';
import type { Capture } from './provision.ts';
import { verifyPublication } from './publication.ts';
import { type Identity, type Replication, replicate } from './replication.ts';
import { readSlot, type SlotState } from './slot.ts';
import { openExisting, readHistory } from './snapshot.ts';
import { checkIdentity, checkNotAhead } from './start.ts';
import { readTampering, type Tampering, tamperedSince } from './tamper.ts';
import { type Counted, unreadSentence } from './unread.ts';
import { slackMicros } from './watermark.ts';

const defaultTimings: SourceTimings = {
  probeMs: 1_000,
  pollMs: 10_000,
  publicationMs: 60_000,
  idleAdvanceMs: 10_000,
  confirmMs: 200,
  slotWaitMs: 20_000,
  backoff: { baseMs: 200, maxMs: 15_000 },
};

/** In a row. */
const failuresToSay = 10;

export interface Beginning {
  /** Null where the history of a first start comes first. */
  stored: Progress | null;
  /** At a first start without history. */
  held: Counted | null;
}

export class PostgresSource implements Source {
  readonly identity: Identity;
  readonly columns: readonly string[];
  readonly source: string;
  readonly history: boolean;
  readonly #options: SourceOptions;
  readonly #timings: SourceTimings;
  readonly #capture: Capture;
  readonly #pool: pg.Pool;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  #slot: SlotState;
  readonly #stored: Progress | null;
  /** What the table held at a first start, until it was said what of it is left unread. */
  #held: Counted | null;
  #assembler: Assembler | null = null;
  /** Of the last batch handed out. */
  #progress: Progress | null = null;
  #replication: Replication | null = null;
  #durable: ResumeLsn | null = null;
  #confirmedAt = Number.NEGATIVE_INFINITY;
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
    { stored, held }: Beginning,
    pool: pg.Pool,
    log: Logger,
  ) {
    this.identity = identity;
    this.columns = mappedRoles(capture.table.mapping);
    this.source = sourceName(identity.system_identifier, capture.server.database, capture.table);
    this.history = stored === null;
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    this.#capture = capture;
    this.#pool = pool;
    this.#log = log;
    this.#slot = capture.slot;
    this.#stored = stored;
    this.#held = held;
  }

  async *batches(signal: AbortSignal): AsyncGenerator<Batch> {
    try {
      yield* this.#batches(signal);
    } finally {
      // A walsender whose client takes in nothing more would hold up a shutdown of the server.
      await this.close();
    }
  }

  async *#batches(signal: AbortSignal): AsyncGenerator<Batch> {
    const start = this.#stored ?? (yield* this.#readHistory(signal));
    if (start === null) return;
    const assembler = this.#startStream(start);
    for (;;) {
      const batch = await assembler.take(signal);
      if (batch === null) return;
      this.#regulate();
      await this.#trustIdle(batch);
      this.#sayWhatIsUnread(assembler);
      yield batch;
    }
  }

  async confirm(lsn: ResumeLsn): Promise<void> {
    if (this.#closing.signal.aborted || (this.#durable !== null && lsn <= this.#durable)) return;
    this.#durable = lsn;
    const dueMs = Math.max(0, this.#confirmedAt + this.#timings.confirmMs - performance.now());
    this.#confirmTimer ??= setTimeout(() => {
      this.#confirmTimer = undefined;
      this.#confirmedAt = performance.now();
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
    const before = { resumeLsn: resumeAt(this.#slot.confirmedFlush), partial: null };
    let last: Batch | undefined;
    for await (last of readHistory({ ...this.#reading(), before }, signal)) yield last;
    if (last?.history?.state !== 'done') return null;
    this.#log.info(`history is read; the stream goes on from ${shortLsn(last.progress.resumeLsn)}`);
    return last.progress;
  }

  openExisting(range: RowRange): Promise<ExistingRows> {
    return openExisting({ ...this.#reading(), range });
  }

  #reading() {
    const { url, shard, batchRows, maxBufferBytes } = this.#options;
    return { url, table: this.#capture.table, shard, batchRows, batchBytes: maxBufferBytes / 4 };
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
      await verifyPublication(this.#pool, this.#capture.table, this.#options);
    } catch (error) {
      if (error instanceof OperatorError && error.kind === 'stop') throw error;
    }
  }

  #sayWhatIsUnread({ streamLsn, counters }: Assembler): void {
    if (this.#held === null || streamLsn < this.#held.lsn) return;
    const sentence = unreadSentence(this.#capture.table, this.#held, counters.rows);
    this.#held = null;
    if (sentence !== null) this.#log.info(sentence);
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
      this.#stream(assembler).catch((error: unknown) => assembler.fail(error)),
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
      busySince = busy ? (busySince ?? performance.now()) : null;
      if (error.kind === 'stop') return assembler.fail(error);
      if (busySince !== null && performance.now() - busySince >= this.#timings.slotWaitMs) {
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
        before: (client) => this.#readSlot(client),
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
      await this.#readSlot(this.#pool);
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

  /** Another capture may have used the slot while our connection was away. */
  async #readSlot(client: pg.ClientBase | pg.Pool): Promise<void> {
    const { slot } = this.#options;
    this.#slot = await readSlot(client, slot, this.#capture.server.database);
    if (this.#durable !== null) checkNotAhead(this.#durable, this.#slot, slot);
  }

  async #checkPublication(assembler: Assembler): Promise<void> {
    try {
      await verifyPublication(this.#pool, this.#capture.table, this.#options);
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

  /** A failure is the connection's to report: here the next turn asks again. Only one that the stream outlives is said. */
  async #every(ms: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    let failures = 0;
    while (!signal.aborted) {
      const error = await work().then(() => null, messageOf);
      failures = error === null ? 0 : failures + 1;
      if (error !== null) this.#log.debug(error);
      if (error !== null && failures === failuresToSay && this.#connected) this.#sayUnasked(error);
      await pause(ms, signal);
    }
  }

  #sayUnasked(error: string): void {
    this.#log.warn(
      { code: 'probe_failed' },
      `the stream stands, but the server answers no questions beside it (${error}): sessions of a quiet log close late, and the slot is not watched`,
    );
  }
}
