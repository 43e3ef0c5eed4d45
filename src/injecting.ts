/**
 * Rows of the table that come in beside the stream: what `backfill`, `recover` and repairs ask for. While they are read
 * the stream stands still. A row is taken in once, whichever way it comes first: the ledger knows every row that was.
 */

import { crashPoint } from './crash-points.ts';
import { kindOf, messageOf, type OperatorError } from './errors.ts';
import { persevere } from './lifecycle.ts';
import type { Logger } from './log.ts';
import type { Batch, Turn } from './records.ts';
import type { BackfillRequest, Requests } from './requests.ts';
import type { Reseal } from './resealing.ts';
import type { Journal } from './sessionizer/journal.ts';
import type { ExistingRows, Source } from './stream/contract.ts';

export interface InjectorOptions {
  source: Pick<Source, 'openExisting'>;
  journal: Journal;
  requests: Requests;
  /** Groups a batch and makes it durable. Returns how many of its rows were taken in. */
  store(batch: Batch): number;
  reseal: Reseal;
  log: Logger;
}

const lookEveryMs = 1000;

export class Injector {
  readonly #options: InjectorOptions;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** A snapshot that the stream has still to catch up with. */
  #opened: { request: BackfillRequest; rows: ExistingRows } | null = null;

  constructor(options: InjectorOptions) {
    this.#options = options;
  }

  /**
   * What a crash cut short, and what `recover` left to do. Before the stream, so that a session gets these rows before
   * the later ones: those that the stream brings once more are known by then.
   */
  async resume(signal: AbortSignal): Promise<void> {
    const { journal, requests } = this.#options;
    const { injection } = journal;
    if (injection === null) return;
    const asked = requests.next();
    const request = asked?.id === injection.id ? asked : { ...injection, ...injection.range, resend: [] };
    await this.#inject(request, await this.#open(request, signal), signal);
  }

  /** Between two batches of the stream: begins what was asked for, once the stream has passed what its snapshot sees. */
  async turn(signal: AbortSignal): Promise<void> {
    if (this.#opened === null && performance.now() - this.#lookedAt < lookEveryMs) return;
    this.#lookedAt = performance.now();
    const opened = this.#opened ?? (await this.#openNext(signal));
    this.#opened = opened;
    const { resumeLsn } = this.#options.journal;
    if (opened === null || resumeLsn === null || resumeLsn < opened.rows.seenBefore) return;
    this.#opened = null;
    await this.#inject(opened.request, opened.rows, signal);
  }

  async close(): Promise<void> {
    await this.#opened?.rows.close();
  }

  async #openNext(signal: AbortSignal) {
    const { requests, log } = this.#options;
    const request = requests.next();
    if (request === null) return null;
    if (request.resend.length > 0) {
      await this.#resend(request, signal);
      return null;
    }
    try {
      return { request, rows: await this.#open(request, signal) };
    } catch (error) {
      if (signal.aborted || kindOf(error) !== 'stop') throw error;
      // What was asked for can't be done; capture goes on.
      requests.update(request.id, { state: 'failed', error: messageOf(error) });
      log.error({ code: (error as OperatorError).code }, `${request.reason} failed: ${messageOf(error)}`);
      return null;
    }
  }

  /** By what the journal knows, so no snapshot is waited for; tried again at the next look where the server is away. */
  async #resend({ id, resend }: BackfillRequest, signal: AbortSignal): Promise<void> {
    const { journal, requests, reseal, log } = this.#options;
    if (journal.historyState === 'reading') return;
    try {
      const { rowsRead, rowsSent, notRebuilt } = await reseal(resend, signal);
      if (signal.aborted) return;
      requests.update(id, { state: 'done', rowsRead, rowsTaken: rowsSent, notRebuilt });
      const sent = resend.length - notRebuilt.length;
      log.info(`repair: ${sent} of ${resend.length} lost trajectories are sent again, with ${rowsSent} rows`);
    } catch (error) {
      if (kindOf(error) === 'retry') return log.warn(`repair is tried again: ${messageOf(error)}`);
      if (signal.aborted || kindOf(error) !== 'stop') throw error;
      requests.update(id, { state: 'failed', error: messageOf(error) });
      log.error({ code: (error as OperatorError).code }, `repair failed: ${messageOf(error)}`);
    }
  }

  async #open({ since, until }: BackfillRequest, signal: AbortSignal): Promise<ExistingRows> {
    const { source, log } = this.#options;
    return await persevere(() => source.openExisting({ since, until }, signal), {
      signal,
      log,
      doing: 'read the table',
    });
  }

  /** Begun again, under a new snapshot, where the connection is lost: what was taken in is known by then. */
  async #inject(request: BackfillRequest, first: ExistingRows, signal: AbortSignal): Promise<void> {
    const { journal, requests, log } = this.#options;
    // What was taken in before a crash is not taken in again, and still counts.
    const count = { rowsRead: 0, rowsTaken: requests.stateOf(request.id)?.rowsTaken ?? 0 };
    let rows: ExistingRows | null = first;
    const attempt = async () => {
      const open = rows ?? (await this.#options.source.openExisting(request, signal));
      rows = null;
      try {
        await this.#read(request, open, count, signal);
      } finally {
        await open.close();
      }
    };
    await persevere(attempt, { signal, log, doing: 'take in rows of the table' });
    if (journal.injection !== null) return;
    requests.update(request.id, { ...count, state: 'done' });
    const { rowsRead, rowsTaken } = count;
    log.info(
      `${request.reason}: ${rowsRead.toLocaleString('en')} rows looked at, ${rowsTaken.toLocaleString('en')} were not known and are taken in`,
    );
  }

  async #read(
    { id, reason, since, until }: BackfillRequest,
    rows: ExistingRows,
    count: { rowsRead: number; rowsTaken: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { journal, requests, store, log } = this.#options;
    const { seenBefore, estimatedRows } = rows;
    const { progress } = journal;
    if (progress === null) throw new Error('rows beside a stream that has no position');
    log.info(
      `${reason}: reads rows of the table${estimatedRows === null ? '' : `, about ${estimatedRows.toLocaleString('en')}`}`,
    );
    journal.beginInjection({ id, reason, range: { since, until }, seenBefore });
    count.rowsRead = 0;
    for await (const batch of rows.batches(progress, signal)) {
      count.rowsRead += batch.changes.length;
      count.rowsTaken += store(batch);
      requests.update(id, { ...count, state: 'reading', estimatedRows });
      crashPoint(batch.history?.state === 'done' ? 'injection.done' : 'injection.reading');
    }
  }
}

/**
 * The batch without rows that were taken in before, whichever way: of rows that come in beside the stream all are looked
 * up, of the stream only those that such a reading may have seen. They are counted under `already_taken`.
 */
export function withoutTaken(batch: Batch, { ledger, knownBefore }: Pick<Journal, 'ledger' | 'knownBefore'>): Batch {
  const isSuspect = ({ position }: Turn) =>
    batch.injected === true || (knownBefore !== null && position.lsn < knownBefore);
  const suspects = batch.changes.flatMap((change) =>
    change.kind === 'turn' && isSuspect(change.turn) ? change.turn : [],
  );
  if (suspects.length === 0) return batch;
  const known = ledger.knows(suspects);
  const taken = new Set(suspects.filter((_, i) => known[i]));
  if (taken.size === 0) return batch;
  const changes = batch.changes.filter((change) => change.kind !== 'turn' || !taken.has(change.turn));
  return { ...batch, changes, skipped: { ...batch.skipped, already_taken: taken.size } };
}
