/** The source over its connections: one walsender after another, with the watch over the server beside them. */
import type pg from 'pg';
import { type OperatorError, stop } from '../errors.ts';
import { backoffMs, pause } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { mappedRoles, sourceName } from '../postgres/audit-table.ts';
import { explainPostgres } from '../postgres/connection.ts';
import { type RowColumns, readRowColumns, refuseOtherColumns, rowColumnsOf } from '../postgres/row-columns.ts';
import type { Batch, Progress, ResumeLsn } from '../records.ts';
import { Assembler } from './assembler.ts';
import { columnPicker } from './columns.ts';
import type {
  ExistingRows,
  HistoryProgress,
  RowRange,
  Source,
  SourceOptions,
  SourceStatus,
  SourceTimings,
} from './contract.ts';
import { bytesBetween, resumeAt, shortLsn } from './lsn.ts';
import { type Message, PgoutputDecoder } from './pgoutput.ts';
import type { Capture } from './provision.ts';
import { type Identity, type Replication, replicate } from './replication.ts';
import { openExisting, readHistory } from './snapshot.ts';
import { checkIdentity } from './start.ts';
import { defaultTimings } from './timings.ts';
import { type Counted, unreadSentence } from './unread.ts';
import { ServerWatch, type WatchEars } from './watch.ts';
import { slackMicros } from './watermark.ts';

export interface Beginning {
  /** Null where the history of a first start comes first. */
  stored: Progress | null;
  /** At a first start without history. */
  held: Counted | null;
  /** Null where nothing was taken in. */
  takenBy: RowColumns | null;
}

export class PostgresSource implements Source {
  readonly identity: Identity;
  readonly columns: readonly string[];
  readonly rowColumns: RowColumns;
  readonly source: string;
  readonly history: boolean;
  readonly #options: SourceOptions;
  readonly #timings: SourceTimings;
  readonly #capture: Capture;
  readonly #pool: pg.Pool;
  readonly #log: Logger;
  readonly #watch: ServerWatch;
  readonly #closing = new AbortController();
  readonly #stored: Progress | null;
  /** Those that the rows in the journal are known by. */
  readonly #takenBy: RowColumns;
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
  #history: HistoryProgress | null = null;
  #paused = false;
  #reconnects = 0;
  #loops: Promise<unknown> = Promise.resolve();

  constructor(
    options: SourceOptions,
    capture: Capture,
    identity: Identity,
    { stored, held, takenBy }: Beginning,
    pool: pg.Pool,
    log: Logger,
  ) {
    this.identity = identity;
    this.columns = mappedRoles(capture.table.mapping);
    this.rowColumns = rowColumnsOf(capture.table);
    this.#takenBy = takenBy ?? this.rowColumns;
    this.source = sourceName(identity.system_identifier, capture.server.database, capture.table);
    this.history = stored === null;
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    this.#capture = capture;
    this.#pool = pool;
    this.#log = log;
    const watched = { connected: () => this.#connected, durable: () => this.#durable };
    this.#watch = new ServerWatch(pool, capture, options, watched, log);
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
    const watched = this.#watch.status;
    const lastLsn = this.#assembler?.streamLsn ?? null;
    const behind = lastLsn !== null && watched.serverLsn !== null ? bytesBetween(lastLsn, watched.serverLsn) : null;
    return {
      connected: this.#connected,
      history: this.#history === null ? null : { ...this.#history },
      lastLsn,
      confirmedLsn: this.#durable,
      lagBytes: behind === null ? null : Math.max(0, behind),
      watermark: this.#assembler?.watermark ?? null,
      ...(this.#assembler?.counters ?? { rows: 0, transactions: 0, bytes: 0 }),
      lagMs: this.#assembler?.lagMs ?? null,
      bufferedRows: this.#assembler?.buffered.rows ?? 0,
      bufferedBytes: this.#assembler?.buffered.bytes ?? 0,
      paused: this.#paused,
      reconnects: this.#reconnects,
      ...watched,
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
    const before = { resumeLsn: resumeAt(this.#watch.slot.confirmedFlush), partial: null };
    const progress: HistoryProgress = { rows: 0, estimatedRows: null, startedAt: Date.now() };
    const onEstimate = (rows: number | null) => {
      progress.estimatedRows = rows;
    };
    this.#history = progress;
    let last: Batch | undefined;
    for await (last of readHistory({ ...this.#reading(), before, onEstimate }, signal)) {
      yield last;
      progress.rows += last.changes.length + Object.values(last.skipped).reduce((sum, n) => sum + n, 0);
    }
    this.#history = null;
    if (last?.history?.state !== 'done') return null;
    this.#log.info(`history is read; the stream goes on from ${shortLsn(last.progress.resumeLsn)}`);
    return last.progress;
  }

  async openExisting(range: RowRange, signal: AbortSignal): Promise<ExistingRows> {
    const rows = await openExisting({ ...this.#reading(), range }, signal);
    try {
      // The snapshot holds a lock on the table: its columns stay as they are.
      const now = await readRowColumns(this.#pool, this.#options);
      refuseOtherColumns(this.#takenBy, now, this.#capture.table.sql);
    } catch (error) {
      await rows.close();
      throw explainPostgres(error, this.#options.url, 'look at the table');
    }
    this.#assembler?.hurryTo(rows.seenBefore);
    return rows;
  }

  #reading() {
    const { url, shard, batchRows, maxBufferBytes } = this.#options;
    return { url, table: this.#capture.table, shard, batchRows, batchBytes: maxBufferBytes / 4 };
  }

  async #trustIdle(batch: Batch): Promise<void> {
    const idle = batch.sessionIds.size === 0 && batch.progress.resumeLsn !== this.#progress?.resumeLsn;
    this.#progress = batch.progress;
    if (idle) await this.#watch.trustIdle();
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
      onSkip: (reason, lsn) => this.#watch.skipped(reason, lsn),
    });
    this.#assembler = assembler;
    this.#progress = start;
    this.#durable ??= start.resumeLsn;
    this.#loops = Promise.all([
      this.#stream(assembler).catch((error: unknown) => assembler.fail(error)),
      this.#watch.run(this.#timings, this.#earsFor(assembler), this.#closing.signal),
    ]);
    return assembler;
  }

  #earsFor(assembler: Assembler): WatchEars {
    return {
      onProbe: (probe) => {
        assembler.probe(probe);
        if (assembler.awaitsPosition) this.#replication?.status(true);
      },
      onStop: (error) => assembler.fail(error),
    };
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
        before: (client) => this.#watch.readSlot(client),
        decode: (buffer, at) => decoder.decode(buffer, at),
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
    if (message.kind === 'truncate') this.#watch.truncated(assembler.streamLsn);
    else assembler.message(message);
    this.#regulate();
  }

  #regulate(): void {
    const buffered = this.#assembler?.buffered.bytes ?? 0;
    const limit = this.#options.maxBufferBytes;
    if (!this.#paused && buffered > limit) {
      this.#paused = true;
      this.#replication?.pauseReading();
    } else if (this.#paused && buffered < limit / 2) {
      this.#paused = false;
      this.#replication?.resumeReading();
    }
  }
}
