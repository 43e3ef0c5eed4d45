/**
 * What is asked of the server beside the stream: how far it is, how the slot stands, whether the publication still has
 * the table, and whether the log is still append-only. Each finding is reported as what it is.
 */
import type pg from 'pg';
import { sentenceOf } from '../checks.ts';
import { messageOf, OperatorError } from '../errors.ts';
import { pause } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { type Lsn, type Micros, microsOf, type ResumeLsn } from '../records.ts';
import type { SourceOptions, SourceStatus, SourceTimings } from './contract.ts';
import { type Breaches, LogWatch } from './log-watch.ts';
import { later, parseLsn, shortLsn } from './lsn.ts';
import { slotDanger } from './preflight-slot.ts';
import type { Capture } from './provision.ts';
import { verifyPublication } from './publication.ts';
import { readSlot, type SlotState } from './slot.ts';
import { checkNotAhead, checkNotBehind } from './start.ts';
import type { Probe } from './watermark.ts';

/** In a row. */
const failuresToSay = 10;

/** The stream that is watched, as far as the watch has to know it. */
export interface Watched {
  connected(): boolean;
  /** What the server was told to forget. */
  durable(): ResumeLsn | null;
}

/** Who is told. */
export interface WatchEars {
  onProbe(probe: Probe): void;
  /** Nothing that streams from here on can be trusted. */
  onStop(error: OperatorError): void;
}

export type WatchStatus = Pick<SourceStatus, 'serverLsn' | 'retainedBytes' | 'safeWalBytes' | 'walStatus'> & Breaches;

export class ServerWatch {
  readonly #pool: pg.Pool;
  readonly #capture: Capture;
  readonly #options: SourceOptions;
  readonly #watched: Watched;
  readonly #log: Logger;
  readonly #logWatch: LogWatch;
  #slot: SlotState;
  #serverLsn: Lsn | null = null;
  #endangered: boolean;
  #skipped = new Map<string, number>();

  constructor(pool: pg.Pool, capture: Capture, options: SourceOptions, watched: Watched, log: Logger) {
    this.#pool = pool;
    this.#capture = capture;
    this.#options = options;
    this.#watched = watched;
    this.#log = log;
    this.#slot = capture.slot;
    // What the slot was at the start, the start said.
    this.#endangered = slotDanger(options.slot, capture.slot) !== null;
    this.#logWatch = new LogWatch(pool, capture.table, options, log);
  }

  /** Asks until the signal fires. */
  async run(timings: SourceTimings, ears: WatchEars, signal: AbortSignal): Promise<void> {
    const every = (ms: number, work: () => Promise<void>) => this.#every(ms, work, signal);
    await Promise.all([
      every(timings.probeMs, async () => ears.onProbe(await this.#probe())),
      every(timings.pollMs, () => stopping(ears, () => this.#poll())),
      every(timings.publicationMs, () => stopping(ears, () => this.#verifyPublication())),
    ]);
  }

  get status(): WatchStatus {
    return {
      serverLsn: this.#serverLsn,
      retainedBytes: this.#slot.retainedBytes,
      safeWalBytes: this.#slot.safeWalBytes,
      walStatus: this.#slot.walStatus,
      ...this.#logWatch.breaches,
    };
  }

  get slot(): SlotState {
    return this.#slot;
  }

  /** Another capture may have used the slot while our connection was away. */
  async readSlot(client: pg.ClientBase | pg.Pool): Promise<void> {
    const { slot } = this.#options;
    // As of before the question: the stream goes on meanwhile.
    const stored = this.#watched.durable();
    this.#slot = await readSlot(client, slot, this.#capture.server.database);
    const durable = this.#watched.durable();
    if (durable !== null) checkNotAhead(durable, this.#slot, slot);
    if (stored !== null) checkNotBehind(stored, this.#slot);
  }

  /**
   * A publication that lost its table streams nothing, and looks idle: before an idle position lets the server forget,
   * the publication is looked at. A server that can't be asked, as at its shutdown, is no reason to hold it back.
   */
  async trustIdle(): Promise<void> {
    try {
      await this.#verifyPublication();
    } catch (error) {
      if (error instanceof OperatorError && error.kind === 'stop') throw error;
    }
  }

  truncated(lsn: Lsn): void {
    this.#logWatch.truncated(lsn);
  }

  /** A row that is not carried on: each reason is said with its first row; the counts are in the metrics. */
  skipped(reason: string, lsn: Lsn): void {
    const count = (this.#skipped.get(reason) ?? 0) + 1;
    this.#skipped.set(reason, count);
    if (count > 1 || reason === 'excluded') return;
    this.#log.warn(
      { code: reason },
      `${this.#whySkipped(reason)} at ${shortLsn(lsn)}: such rows are counted under tc_source_rows_skipped_total{reason="${reason}"}`,
    );
  }

  #whySkipped(reason: string): string {
    const { mapping, schema, name } = this.#capture.table;
    if (reason === 'other_table') return `a row of another table or kind came with ${schema}.${name}`;
    if (reason === 'too_large') return `a row of ${schema}.${name} holds more than 256 MiB of text`;
    const column = mapping.names[reason === 'no_key' ? mapping.at.key : mapping.at.sessionId];
    return `column "${column}" of ${schema}.${name} is null`;
  }

  async #probe(): Promise<Probe> {
    const { rows } = await this.#pool.query('SELECT pg_current_wal_flush_lsn() AS lsn, clock_timestamp() AS at');
    const probe = { lsn: parseLsn(rows[0].lsn), at: microsOf(rows[0].at) as Micros };
    this.#serverLsn = this.#serverLsn === null ? probe.lsn : later(probe.lsn, this.#serverLsn);
    return probe;
  }

  async #poll(): Promise<void> {
    await this.readSlot(this.#pool);
    this.#watchSlot();
    await this.#logWatch.poll();
  }

  /** Said once each time that it comes to this. */
  #watchSlot(): void {
    const danger = slotDanger(this.#options.slot, this.#slot);
    if (danger !== null && !this.#endangered) this.#log.warn({ code: danger.name }, sentenceOf(danger));
    this.#endangered = danger !== null;
  }

  #verifyPublication(): Promise<void> {
    return verifyPublication(this.#pool, this.#capture.table, this.#options);
  }

  /** A failure is the connection's to report: here the next turn asks again. Only one that the stream outlives is said. */
  async #every(ms: number, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const error = await work().then(() => null, messageOf);
      failures = error === null ? 0 : failures + 1;
      if (error !== null) this.#log.debug(error);
      if (error !== null && failures === failuresToSay && this.#watched.connected()) this.#sayUnasked(error);
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

async function stopping({ onStop }: WatchEars, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof OperatorError && error.kind === 'stop') onStop(error);
    throw error;
  }
}
