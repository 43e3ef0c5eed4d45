/**
 * Rows of the table that come in beside the stream: what `backfill`, `recover` and repairs ask for. While they are read
 * the stream stands still; while a snapshot is opened, or the server is away, it goes on. A row is taken in once,
 * whichever way it comes first: the ledger knows every row that was.
 */

import { crashPoint } from './crash-points.ts';
import { codeOf, messageOf } from './errors.ts';
import { backoffMs, within } from './lifecycle.ts';
import type { Logger } from './log.ts';
import type { Batch, Progress, Turn } from './records.ts';
import type { BackfillRequest, ChangedRows, Requests } from './requests.ts';
import type { Reseal } from './resealing.ts';
import type { Journal } from './sessionizer/journal.ts';
import type { ExistingRows, Source } from './stream/contract.ts';

/** What became of a batch. */
export interface Stored {
  /** Rows that were taken in. */
  taken: number;
  /** Rows beside the stream whose key was taken in before, with other contents. */
  changed: number;
}

export interface InjectorOptions {
  source: Pick<Source, 'openExisting'>;
  journal: Journal;
  requests: Requests;
  /** Groups a batch and makes it durable. What it throws ends capture. */
  store(batch: Batch, changed: ChangedRows): Stored;
  reseal: Reseal;
  /** A sealed trajectory goes out once more. */
  onResealed(): void;
  log: Logger;
}

/** A snapshot that is being opened, or is open and waits for the stream to catch up with it. */
interface Opening {
  request: BackfillRequest;
  outcome: Promise<{ rows: ExistingRows } | { fault: unknown }>;
}

/** Reading the table failed: that concerns the request alone. */
class ReadingFault extends Error {}

const lookEveryMs = 1000;
/** The stream stands still for so long where a snapshot is opened; where that takes longer it goes on meanwhile. */
const openPatienceMs = 1000;
const backoff = { baseMs: 500, maxMs: 60_000 };

export class Injector {
  readonly #options: InjectorOptions;
  readonly #closing = new AbortController();
  #notBefore = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #opening: Opening | null = null;

  constructor(options: InjectorOptions) {
    this.#options = options;
  }

  /**
   * What a crash cut short, and what `recover` left to do. Before the stream, so that a session gets these rows before
   * the later ones: those that the stream brings once more are known by then. Where the server is away, between batches.
   */
  async resume(signal: AbortSignal): Promise<void> {
    const request = this.#pending();
    if (request === null) return;
    const opened = await this.#open(request, signal).outcome;
    if ('fault' in opened) this.#giveUp(request, opened.fault, signal);
    else await this.#inject(request, opened.rows, signal);
  }

  /** Between two batches of the stream: begins what was asked for, once the stream has passed what its snapshot sees. */
  async turn(signal: AbortSignal): Promise<void> {
    const patienceMs = this.#opening === null ? openPatienceMs : 0;
    this.#opening ??= await this.#openNext(signal);
    if (this.#opening === null) return;
    const { request, outcome } = this.#opening;
    const opened = await within(patienceMs, outcome);
    if (opened === undefined) return;
    if ('fault' in opened) {
      this.#opening = null;
      return this.#giveUp(request, opened.fault, signal);
    }
    const { resumeLsn } = this.#options.journal;
    if (resumeLsn === null || resumeLsn < opened.rows.seenBefore) return;
    this.#opening = null;
    await this.#inject(request, opened.rows, signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const opened = await this.#opening?.outcome;
    if (opened !== undefined && 'rows' in opened) await opened.rows.close();
  }

  /** The request of an injection that has begun and not ended. */
  #pending(): BackfillRequest | null {
    const { journal, requests } = this.#options;
    const { injection } = journal;
    if (injection === null) return null;
    return requests.get(injection.id) ?? { ...injection, ...injection.range, resend: [] };
  }

  async #openNext(signal: AbortSignal): Promise<Opening | null> {
    if (performance.now() < this.#notBefore) return null;
    this.#notBefore = performance.now() + lookEveryMs;
    const request = this.#pending() ?? this.#nextRequest();
    if (request === null) return null;
    if (request.resend.length === 0) return this.#open(request, signal);
    await this.#resend(request, signal);
    return null;
  }

  #nextRequest(): BackfillRequest | null {
    const { journal, requests } = this.#options;
    const request = requests.next();
    if (request === null || request.id !== journal.injected) return request;
    // A crash came between the end of it and the note of that.
    requests.update(request.id, { state: 'done' });
    return requests.next();
  }

  #open(request: BackfillRequest, signal: AbortSignal): Opening {
    const { since, until } = request;
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const outcome = this.#options.source.openExisting({ since, until }, ended).then(
      (rows) => ({ rows }),
      (fault: unknown) => ({ fault }),
    );
    return { request, outcome };
  }

  /** By what the journal knows, so no snapshot is waited for. */
  async #resend(request: BackfillRequest, signal: AbortSignal): Promise<void> {
    const { id, resend } = request;
    const { journal, requests, reseal, onResealed, log } = this.#options;
    if (journal.historyState === 'reading') return;
    try {
      const { rowsRead, rowsSent, notRebuilt } = await reseal(resend, signal, onResealed);
      if (signal.aborted) return;
      requests.update(id, { state: 'done', rowsRead, rowsTaken: rowsSent, notRebuilt });
      const sent = resend.length - notRebuilt.length;
      log.info(`repair: ${sent} of ${resend.length} lost trajectories are sent again, with ${rowsSent} rows`);
    } catch (error) {
      this.#giveUp(request, error, signal);
    }
  }

  /**
   * After a lost connection for a while, the stream going on; what was taken in by then is known. Anything else would
   * fail again, and again, while the slot keeps WAL: the request has failed.
   */
  #giveUp(request: BackfillRequest, error: unknown, signal: AbortSignal): void {
    const { journal, requests, log } = this.#options;
    if (signal.aborted) throw error;
    const { id, reason } = request;
    const code = codeOf(error);
    if (code === 'source_unreachable') {
      this.#failures += 1;
      const waitMs = backoffMs(this.#failures, backoff);
      this.#notBefore = performance.now() + waitMs;
      log.warn({ code, attempt: this.#failures, waitMs }, `${reason} is tried again: ${messageOf(error)}`);
      return;
    }
    this.#failures = 0;
    journal.endInjection(id);
    // The slot is a new one by now, and nobody would look for these rows.
    const missing = reason === 'recover' ? ': rows of the gap are still missing here: backfill takes them in' : '';
    const said = `${messageOf(error)}${missing}`;
    requests.update(id, { state: 'failed', error: said });
    log.error({ code }, `${reason} failed: ${said}`);
  }

  async #inject(request: BackfillRequest, rows: ExistingRows, signal: AbortSignal): Promise<void> {
    const { journal, requests, log } = this.#options;
    const { id, reason, changed } = request;
    // What was taken in before a crash is not taken in again, and still counts.
    const before = requests.stateOf(id);
    const rowsChanged = changed === 'take' ? (before?.rowsChanged ?? 0) : 0;
    const count: Count = { rowsRead: 0, rowsTaken: before?.rowsTaken ?? 0, rowsChanged };
    try {
      await this.#read(request, rows, count, signal);
    } catch (error) {
      if (!(error instanceof ReadingFault)) throw error;
      return this.#giveUp(request, error.cause, signal);
    } finally {
      await rows.close();
    }
    if (journal.injection !== null) return;
    this.#failures = 0;
    requests.update(id, { ...count, state: 'done', error: null });
    const figure = (n: number) => n.toLocaleString('en');
    log.info(
      `${reason}: ${figure(count.rowsRead)} rows looked at, ${figure(count.rowsTaken)} were not known and are taken in`,
    );
    if (count.rowsChanged > 0) {
      const fate = changed === 'take' ? 'they are taken in as new rows' : 'they are left out';
      log.error(
        { code: 'rows_changed' },
        `${reason}: ${figure(count.rowsChanged)} rows have keys that were taken in before with other contents: ${fate}`,
      );
    }
  }

  async #read(
    { id, reason, since, until, changed = 'leave' }: BackfillRequest,
    rows: ExistingRows,
    count: Count,
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
    for await (const batch of readingOf(rows, progress, signal)) {
      const stored = store(batch, changed);
      count.rowsRead += batch.changes.length;
      count.rowsTaken += stored.taken;
      count.rowsChanged += stored.changed;
      requests.update(id, { ...count, state: 'reading', estimatedRows });
      crashPoint(batch.history?.state === 'done' ? 'injection.done' : 'injection.reading');
    }
  }
}

interface Count {
  rowsRead: number;
  rowsTaken: number;
  rowsChanged: number;
}

/** What fails in here is told apart from what storing a batch meets. */
async function* readingOf(rows: ExistingRows, before: Progress, signal: AbortSignal): AsyncGenerator<Batch> {
  const batches = rows.batches(before, signal);
  try {
    for (;;) {
      const next = await batches
        .next()
        .catch((error: unknown) => Promise.reject(new ReadingFault('reading failed', { cause: error })));
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await batches.return(undefined);
  }
}

/**
 * The batch without rows that were taken in before, whichever way: of rows that come in beside the stream all are looked
 * up, of the stream only those that such a reading may have seen. They are counted under `already_taken`. Those whose
 * key alone is known, and whose contents are others, come as `changed`, and are left out as well where they are to be.
 */
export function withoutTaken(
  batch: Batch,
  journal: Pick<Journal, 'ledger' | 'knownBefore' | 'sightings'>,
  changed: ChangedRows,
): { batch: Batch; changed: ReadonlySet<Turn> } {
  const { knownBefore } = journal;
  const isSuspect = ({ position }: Turn) =>
    batch.injected === true || (knownBefore !== null && position.lsn < knownBefore);
  const suspects = batch.changes.flatMap((change) =>
    change.kind === 'turn' && isSuspect(change.turn) ? change.turn : [],
  );
  if (suspects.length === 0) return { batch, changed: new Set() };
  // The stream may bring a row as it was before it was changed: of its rows the key decides.
  const seen =
    batch.injected === true
      ? journal.sightings(suspects)
      : journal.ledger.knows(suspects).map((known) => (known ? 'known' : 'unknown'));
  const others = new Set(suspects.filter((_, i) => seen[i] === 'other'));
  const known = new Set(suspects.filter((_, i) => seen[i] === 'known'));
  const left = changed === 'leave' ? [...known, ...others] : [...known];
  if (left.length === 0) return { batch, changed: others };
  const out = new Set(left);
  const changes = batch.changes.filter((change) => change.kind !== 'turn' || !out.has(change.turn));
  const skipped = {
    ...batch.skipped,
    ...(known.size > 0 ? { already_taken: known.size } : {}),
    ...(left.length > known.size ? { changed: left.length - known.size } : {}),
  };
  return { batch: { ...batch, changes, skipped }, changed: others };
}
