/**
 * Messages in, batches out: counts row messages, skips what a replay brings again, cuts batches, and knows at every
 * moment where a new connection has to begin. No I/O; what it reads of the clock is how long a row has waited and a
 * probe is old, by the clock that is never set.
 *
 * ```
 * Begin ─▶ open ──Insert──▶ open, partial = (final_lsn, ordinal) ──Commit──▶ resumeLsn = end_lsn, partial = null
 *           └── connection lost: the next one starts at resumeLsn and skips the rows up to partial
 * ```
 */
import { stop } from '../errors.ts';
import { type Mapping, type RowText, turnOf } from '../postgres/audit-table.ts';
import type { Batch, Lsn, Micros, Position, Progress, Turn } from '../records.ts';
import { StreamLag } from './lag.ts';
import { later, resumeAt, shortLsn } from './lsn.ts';
import type { Message } from './pgoutput.ts';
import { committed, freshWatermark, type Probe, probed, reached, type Watermark } from './watermark.ts';

export interface AssemblerOptions {
  mapping: Mapping;
  start: Progress;
  slack: Micros;
  batchRows: number;
  batchMs: number;
  maxBufferBytes: number;
  /** Empty advances are persisted at most this often. */
  idleAdvanceMs: number;
  /** Where `run --once` ends: everything up to `lsn` is yielded, and the last watermark is that of `at`. */
  until?: Probe | undefined;
  /** Told of each row that is not carried on, once per row. */
  onSkip?(reason: string, lsn: Lsn): void;
}

interface Open {
  finalLsn: Lsn;
  committedAt: Micros;
  /** Of the last row message seen; -1 before the first. */
  ordinal: number;
  /** Rows up to this ordinal were taken before. */
  skipTo: number;
}

interface Cut {
  batch: Batch;
  /** Those that are not carried on included. */
  rows: number;
  bytes: number;
}

export class Assembler {
  readonly counters = { rows: 0, transactions: 0, bytes: 0 };
  readonly #options: AssemblerOptions;
  readonly #mark: Watermark;
  readonly #lag = new StreamLag();
  readonly #queue: Cut[] = [];
  #open: Open | null = null;
  /** How far rows have been received; what a new connection begins with. */
  #received: Progress;
  /** The progress of the last batch that was cut. */
  #yielded: Progress;
  #pending: Cut;
  #pendingSince = 0;
  /** What was received and not taken. */
  readonly #buffered = { rows: 0, bytes: 0 };
  #yieldedMark: Micros | null = null;
  #streamLsn: Lsn;
  #advancedAt = performance.now();
  #advanceNow = false;
  /** A position that somebody waits for: handed out as soon as it is reached. */
  #awaited: Lsn | null = null;
  #finished = false;
  #failure: unknown;
  #wake: () => void = () => {};

  constructor(options: AssemblerOptions) {
    this.#options = options;
    this.#received = options.start;
    this.#yielded = options.start;
    this.#streamLsn = options.start.resumeLsn;
    this.#mark = freshWatermark(options.slack);
    this.#pending = this.#emptyCut();
  }

  /** Where a connection has to start; what it brings again is skipped. */
  get received(): Progress {
    return this.#received;
  }

  get streamLsn(): Lsn {
    return this.#streamLsn;
  }

  get watermark(): Micros | null {
    return this.#mark.at;
  }

  get buffered(): Readonly<Record<'rows' | 'bytes', number>> {
    return this.#buffered;
  }

  /** Of `SourceStatus`. */
  get lagMs(): number | null {
    return this.#lag.at(performance.now());
  }

  /** True while the server's position is still awaited: a ping brings it. */
  get awaitsPosition(): boolean {
    return this.#mark.probe !== null || (this.#options.until !== undefined && !this.#finished);
  }

  /** A new connection: what was half received comes again from its Begin. */
  reconnected(): void {
    this.#open = null;
  }

  message(message: Message): void {
    if (this.#finished) return;
    switch (message.kind) {
      case 'begin':
        this.#begin(message.finalLsn, message.committedAt);
        break;
      case 'insert':
        this.counters.bytes += message.bytes;
        this.#row(message.row, message.bytes);
        break;
      case 'update':
      case 'delete':
        this.#row(null, 0);
        break;
      case 'commit':
        this.#commit(message.endLsn);
        break;
      default:
    }
  }

  /** The server has sent everything up to `lsn`. `urgent` where it waits for an answer, as at its shutdown. */
  keepalive(lsn: Lsn, urgent: boolean): void {
    if (this.#finished) return;
    // A transaction that is half received will commit beyond this position, so only its own Commit may move ours.
    if (this.#open === null && this.#received.partial === null) {
      this.#received = { resumeLsn: later(resumeAt(lsn), this.#received.resumeLsn), partial: null };
      this.#advanceNow ||= urgent && this.#moved();
    }
    this.#reach(lsn);
  }

  probe(probe: Probe): void {
    probed(this.#mark, probe);
    this.#lag.probed(probe, performance.now());
    this.#reach(this.#streamLsn);
  }

  /** Hands the position out as soon as it lies at `lsn` or beyond, idle or not. */
  hurryTo(lsn: Lsn): void {
    this.#awaited = lsn;
    this.#wake();
  }

  /** What was received so far is still handed out; then {@link take} throws. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** The next batch; null when the signal fired or `until` was reached. @throws what {@link fail} was given. */
  async take(signal: AbortSignal): Promise<Batch | null> {
    for (;;) {
      if (signal.aborted) return null;
      const cut = this.#queue.shift();
      if (cut !== undefined) {
        this.#buffered.rows -= cut.rows;
        this.#buffered.bytes -= cut.bytes;
        return cut.batch;
      }
      if (this.#finished) return null;
      const waitMs = this.#waitMs();
      if (waitMs <= 0 || (this.#failure !== undefined && this.#pending.rows > 0)) this.#cut();
      else if (this.#failure !== undefined) throw this.#failure;
      else await this.#woken(waitMs, signal);
    }
  }

  #begin(finalLsn: Lsn, committedAt: Micros): void {
    const { until } = this.#options;
    if (until !== undefined && finalLsn >= until.lsn) {
      this.#finish(until);
      return;
    }
    const { partial, resumeLsn } = this.#received;
    if (partial !== null && finalLsn > partial.lsn) {
      throw stop(
        'source_protocol',
        `the transaction that commits at ${shortLsn(partial.lsn)} was taken in up to row ${partial.ordinal} and was not sent again`,
      );
    }
    const known = finalLsn < resumeLsn ? Number.POSITIVE_INFINITY : -1;
    const skipTo = partial?.lsn === finalLsn ? partial.ordinal : known;
    this.#open = { finalLsn, committedAt, ordinal: -1, skipTo };
    committed(this.#mark, committedAt);
    this.#lag.committed(committedAt);
    // Transactions come in the order of their commits: what committed before this one has all been received.
    this.#reach(finalLsn);
  }

  #row(row: RowText | null | 'too_large', bytes: number): void {
    const open = this.#open;
    if (open === null) throw stop('source_protocol', 'a row came outside of a transaction');
    open.ordinal += 1;
    if (open.ordinal <= open.skipTo) return;
    const position = { lsn: open.finalLsn, ordinal: open.ordinal };
    this.#received = { resumeLsn: this.#received.resumeLsn, partial: position };
    const turn = this.#turnOf(row, position, open.committedAt);
    const { batch } = this.#pending;
    if (this.#pending.rows === 0) this.#pendingSince = performance.now();
    this.#pending.rows += 1;
    if (typeof turn === 'string') {
      batch.skipped[turn] = (batch.skipped[turn] ?? 0) + 1;
      this.#options.onSkip?.(turn, open.finalLsn);
    } else {
      batch.changes.push({ kind: 'turn', turn });
      batch.sessionIds.add(turn.sessionId);
      this.counters.rows += 1;
    }
    this.#pending.bytes += bytes;
    this.#buffered.rows += 1;
    this.#buffered.bytes += bytes;
    const full =
      this.#pending.rows >= this.#options.batchRows || this.#pending.bytes >= this.#options.maxBufferBytes / 4;
    if (full) this.#cut();
    // A waiting consumer learns of the first row, to start its timer.
    if (full || this.#pending.rows === 1) this.#wake();
  }

  /** Or why there is none. */
  #turnOf(row: RowText | null | 'too_large', position: Position, committedAt: Micros): Turn | string {
    if (row === null) return 'other_table';
    return row === 'too_large' ? row : turnOf(row, this.#options.mapping, position, committedAt);
  }

  #commit(endLsn: Lsn): void {
    const known = this.#open?.skipTo === Number.POSITIVE_INFINITY;
    this.#open = null;
    if (known) return;
    this.counters.transactions += 1;
    this.#received = { resumeLsn: later(resumeAt(endLsn), this.#received.resumeLsn), partial: null };
    this.#reach(endLsn);
  }

  #reach(lsn: Lsn): void {
    this.#streamLsn = later(lsn, this.#streamLsn);
    reached(this.#mark, lsn);
    this.#lag.reached(this.#streamLsn);
    const { until } = this.#options;
    if (until !== undefined && this.#open === null && lsn >= until.lsn) this.#finish(until);
    // Rows that wait have a timer already: waking the consumer at each commit would start it anew each time.
    if (this.#pending.rows === 0 || this.#queue.length > 0) this.#wake();
  }

  #finish(until: Probe): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#mark.probe = null;
    probed(this.#mark, until);
    reached(this.#mark, until.lsn);
    this.#advanceNow = true;
    this.#cut();
    this.#wake();
  }

  /** Milliseconds until the pending batch is due; 0 or less where it is; infinite where there is nothing to say. */
  #waitMs(): number {
    const waited = performance.now() - this.#pendingSince;
    if (this.#pending.rows > 0) return this.#options.batchMs - waited;
    if (this.#mark.at !== this.#yieldedMark || this.#advanceDue()) return 0;
    if (this.#moved()) return this.#advancedAt + this.#options.idleAdvanceMs - performance.now();
    return Number.POSITIVE_INFINITY;
  }

  #moved(): boolean {
    return this.#received.resumeLsn > this.#yielded.resumeLsn;
  }

  #advanceDue(): boolean {
    if (!this.#moved()) return false;
    const awaited = this.#awaited !== null && this.#received.resumeLsn >= this.#awaited;
    return this.#advanceNow || awaited || performance.now() - this.#advancedAt >= this.#options.idleAdvanceMs;
  }

  #cut(): void {
    const { batch } = this.#pending;
    // An idle position is not worth a write of the journal each second: rows carry it, or its turn comes.
    if (this.#pending.rows > 0 || this.#advanceDue()) {
      this.#yielded = this.#received;
      this.#advancedAt = performance.now();
      this.#advanceNow = false;
      if (this.#awaited !== null && this.#yielded.resumeLsn >= this.#awaited) this.#awaited = null;
    }
    batch.progress = this.#yielded;
    if (this.#mark.at !== null && this.#mark.at !== this.#yieldedMark) {
      batch.changes.push({ kind: 'watermark', at: this.#mark.at });
      if (this.#mark.heard !== null) batch.serverAt = this.#mark.heard;
      this.#yieldedMark = this.#mark.at;
    }
    this.#queue.push(this.#pending);
    this.#pending = this.#emptyCut();
  }

  #emptyCut(): Cut {
    return { batch: { changes: [], sessionIds: new Set(), progress: this.#yielded, skipped: {} }, rows: 0, bytes: 0 };
  }

  #woken(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = () => {};
        resolve();
      };
      const timer = waitMs < Number.POSITIVE_INFINITY ? setTimeout(done, waitMs) : undefined;
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }
}
