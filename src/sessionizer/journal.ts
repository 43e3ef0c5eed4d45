/**
 * What makes capture durable: turns, open parts, the outbox and the position in one SQLite file, one fsynced
 * transaction a batch. Memory holds a small record per open part, and no text of turns.
 */

import { crashPoint } from '../crash-points.ts';
import { type OperatorError, stop } from '../errors.ts';
import type { Batch, Lsn, Micros, Progress, ResumeLsn, Turn } from '../records.ts';
import type { RowDigester } from '../row-digest.ts';
import { explainSqlite, openSqlite, type SqliteDatabase } from '../sqlite.ts';
import {
  addFact,
  type CaptureFacts,
  dropFact,
  type HistoryState,
  type Injection,
  type JournalTotals,
  noCapture,
  type RowColumns,
  readCounter,
  readFact,
  readTotals,
  type SourceIdentity,
  writeFact,
} from './journal-facts.ts';
import { otherSource } from './journal-reader.ts';
import { journalMigrations } from './journal-schema.ts';
import { type LostPart, StepWriter, type Written } from './journal-write.ts';
import type { Sighting } from './known-rows.ts';
import { Ledger } from './ledger.ts';
import { LiveParts } from './live-parts.ts';
import { Outbox } from './outbox.ts';
import type { PartState, SessionRules } from './part.ts';
import { compareProgress, type KnownParts, type Step } from './sessionize.ts';
import { Space } from './space.ts';
import { takeOverLedger } from './takeover.ts';

export interface JournalOptions {
  /** Names (system identifier, database, table); part of every trajectory id. */
  source: string;
  rules: SessionRules;
  /** Gives each row its digest, which stays with it; absent: rows have none. */
  digester?: RowDigester | undefined;
}

/**
 * Opens or creates the journal for the one process that captures; see `lockDataDir`.
 *
 * @throws OperatorError as `openSqlite`, and `journal_other_source` where it belongs to another source.
 */
export function openJournal(path: string, options: JournalOptions): Journal {
  const db = openSqlite(path, {
    what: 'journal',
    migrations: journalMigrations,
    autoVacuum: 'incremental',
    // Measured with `bench/journal.ts`: twice the rows a second of 4 KiB pages. Larger ones make small commits dear.
    pageSize: 16_384,
  });
  try {
    // Pages and bytes: what the write-ahead log adds to the file.
    db.pragma('wal_autocheckpoint = 512');
    db.pragma('journal_size_limit = 16777216');
    claimSource(db, path, options.source);
    return new Journal(db, path, options);
  } catch (error) {
    db.close();
    throw explainSqlite(error, 'journal', path);
  }
}

export class Journal {
  readonly outbox: Outbox;
  readonly ledger: Ledger;
  readonly #db: SqliteDatabase;
  readonly #path: string;
  readonly #source: string;
  readonly #space: Space;
  readonly #writer: StepWriter;
  readonly #live: LiveParts;
  readonly #digester: RowDigester | null;
  #facts: CaptureFacts;
  #identity: SourceIdentity | null;
  #injection: Injection | null;
  #knownBefore: Lsn | null;
  #version = 0;

  constructor(db: SqliteDatabase, path: string, { source, rules, digester }: JournalOptions) {
    this.#db = db;
    this.#path = path;
    this.#source = source;
    this.#live = new LiveParts(rules);
    this.#digester = digester ?? null;
    this.#writer = new StepWriter(db, source, this.#live, this.#digester);
    this.#writer.loadLive();
    this.#space = new Space(db, this.#live.totalBytes());
    this.#facts = readFact<CaptureFacts>(db, 'capture') ?? noCapture;
    this.#identity = readFact<SourceIdentity>(db, 'identity');
    this.#injection = readFact<Injection>(db, 'injection');
    this.#knownBefore = readFact<Lsn>(db, 'known_before');
    this.ledger = new Ledger(db, path);
    if (digester !== undefined) this.#noteKey(digester.keyId);
    this.outbox = new Outbox(db, path, source, this.#space);
  }

  get progress(): Progress | null {
    return this.#facts.progress;
  }

  /** What Postgres may be told to forget. */
  get resumeLsn(): ResumeLsn | null {
    return this.#facts.progress?.resumeLsn ?? null;
  }

  get watermark(): Micros | null {
    return this.#facts.watermark;
  }

  get historyState(): HistoryState {
    return this.#facts.history;
  }

  get identity(): SourceIdentity | null {
    return this.#identity;
  }

  /** Rows of the table that are to come in beside the stream, from {@link beginInjection} until all are committed. */
  get injection(): Injection | null {
    return this.#injection;
  }

  /**
   * Rows of the stream that were committed before this position may have come in beside it: the ledger tells. Null where
   * none did.
   */
  get knownBefore(): Lsn | null {
    return this.#knownBefore;
  }

  /** The id of the injection that ended last, in the same transaction as its rows. */
  get injected(): string | null {
    return this.#guard(() => readFact<string>(this.#db, 'injected'));
  }

  /** The roles of columns that the rows so far were read from; null where none was said. */
  get columns(): string[] | null {
    return this.#guard(() => readFact<string[]>(this.#db, 'columns'));
  }

  setColumns(columns: readonly string[]): void {
    this.#guard(() => writeFact(this.#db, 'columns', columns));
  }

  /** By which rows were taken in, the first of them; null where none was. */
  get rowColumns(): RowColumns | null {
    return this.#guard(() => (this.#isEmpty() ? null : readFact<RowColumns>(this.#db, 'row_columns')));
  }

  /** Of no effect once rows were taken in by others. */
  setRowColumns(columns: RowColumns): void {
    const write = this.#guard(() => this.#isEmpty()) ? writeFact : addFact;
    this.#guard(() => write(this.#db, 'row_columns', columns));
  }

  #isEmpty(): boolean {
    return readCounter(this.#db, 'ledger_rows') === 0;
  }

  setIdentity(identity: SourceIdentity): void {
    this.#guard(() => writeFact(this.#db, 'identity', identity));
    this.#identity = identity;
  }

  /**
   * Takes note that rows of the table are to come in beside the stream. Ends with the commit of the injected batch that is
   * `done`; should this process end before, they are still to come, and those that came are known.
   *
   * @throws OperatorError `injection_pending` where another one has not ended yet.
   */
  beginInjection(injection: Injection): void {
    if (this.#injection !== null && this.#injection.id !== injection.id) throw pendingError(this.#injection);
    const { seenBefore } = injection;
    const before = this.#knownBefore;
    const knownBefore = before === null || seenBefore > before ? seenBefore : before;
    this.#change(() => {
      writeFact(this.#db, 'injection', injection);
      writeFact(this.#db, 'known_before', knownBefore);
    });
    this.#injection = injection;
    this.#knownBefore = knownBefore;
  }

  /** Gives up an injection that can't be ended; what came in of it stays. Does nothing where another one is pending. */
  endInjection(id: string): void {
    if (this.#injection?.id !== id) return;
    this.#change(() => dropFact(this.#db, 'injection'));
    this.#injection = null;
  }

  /**
   * Of rows as they are in the table now: `other` where the key was taken in and the contents were others, as far as
   * digests of one key tell.
   */
  sightings(turns: readonly Turn[]): Sighting[] {
    const digester = this.#digester;
    const isComparable = digester !== null && this.digestKeys().every((id) => id === digester.keyId);
    return this.ledger.sightings(
      isComparable ? turns.map((turn) => ({ ...turn, digest: digester.digestOf(turn) })) : turns,
    );
  }

  /**
   * Goes on with another slot, whose positions say nothing of those so far: from `progress`, once the rows of the
   * injection are in. All of it or nothing. Rows that are known are told by the ledger alone from then on, until the new
   * slot has given positions of its own.
   */
  adopt(identity: SourceIdentity, progress: Progress, injection: Injection): void {
    // The watermark was another server's clock, perhaps.
    const facts: CaptureFacts = { ...this.#facts, progress, lastPosition: null, watermark: null };
    this.#change(() => {
      writeFact(this.#db, 'identity', identity);
      writeFact(this.#db, 'capture', facts);
      writeFact(this.#db, 'injection', injection);
      // A position of the former slot would say nothing here.
      writeFact(this.#db, 'known_before', injection.seenBefore);
    });
    this.#identity = identity;
    this.#facts = facts;
    this.#injection = injection;
    this.#knownBefore = injection.seenBefore;
    this.#version += 1;
  }

  /**
   * Puts a trajectory that was published and then lost back into the outbox, as itself: its rows stay known, and the part
   * is the one it was. Where the outbox holds it already, nothing changes.
   */
  reseal(part: LostPart): void {
    this.#space.add(this.#change(() => this.#writer.reseal(part, Date.now())));
  }

  /** Ids of the keys that rows were digested with. */
  digestKeys(): string[] {
    return this.#guard(() => readFact<string[]>(this.#db, 'digest_keys') ?? []);
  }

  /**
   * Takes over the memory of a capture that has ended, whose sessions this one goes on with: see {@link takeOverLedger}.
   * For a journal that has not captured yet.
   */
  takeOver(path: string, digests: 'same key' | 'another key'): void {
    const former = openSqlite(path, { what: 'journal', migrations: journalMigrations });
    try {
      this.#change(() => takeOverLedger(this.#db, former, { source: this.#source, digests }));
    } finally {
      former.close();
    }
    this.ledger.forgetCache();
    this.#space.recount(this.#live.totalBytes());
  }

  /** Open and held parts of these sessions, and those that the watermark may close (`watermarkOf(batch)`). */
  recall(sessionIds: Iterable<string>, watermark: Micros | null): KnownParts {
    const everything = watermark === Number.POSITIVE_INFINITY;
    const parts = new Map<string, PartState>();
    const others: string[] = [];
    for (const sessionId of sessionIds) {
      const part = this.#live.get(sessionId);
      if (part !== undefined) parts.set(sessionId, part);
      else others.push(sessionId);
    }
    const nextParts = this.#guard(() => this.#writer.nextParts(others));
    if (watermark !== null && !everything)
      for (const part of this.#live.dueBefore(watermark)) parts.set(part.sessionId, part);
    const { progress, lastPosition, watermark: known } = this.#facts;
    const facts = { version: this.#version, progress, lastPosition, watermark: known };
    return { ...facts, parts: everything ? this.#live.all() : parts, nextParts };
  }

  /**
   * Makes a step durable; when it returns, Postgres may forget up to {@link resumeLsn}. One transaction: all of it or
   * nothing, in the file and in memory.
   *
   * @throws OperatorError `journal_stale_step` where the step was not computed from the latest recall, `disk_full` and
   * others of `explainSqlite`.
   */
  commit(step: Step, batch: Pick<Batch, 'progress' | 'serverAt' | 'history' | 'injected'>): void {
    if (step.version !== this.#version) {
      throw stop(
        'journal_stale_step',
        `step of version ${step.version} refused by the journal at version ${this.#version}: its batch is committed already, or another was since; recall again`,
      );
    }
    const facts = this.#factsAfter(step, batch);
    const isFirst = this.#facts.watermark === null && facts.watermark !== null;
    // Rows from before the first one, or from before the server's time where there is none, were never to be read.
    const began = isFirst ? (step.parts[0]?.part.firstAt ?? batch.serverAt ?? facts.watermark) : null;
    const endsInjection = this.#injection !== null && batch.injected === true && batch.history?.state === 'done';
    if (isFirst || endsInjection || !this.#isIdle(step, facts)) {
      this.#remember(this.#write(step, facts, { began, endsInjection }));
    }
    this.#facts = facts;
    if (endsInjection) this.#injection = null;
    this.#version += 1;
    this.#guard(() => this.#space.tidy());
  }

  totals(): JournalTotals {
    return readTotals(this.#db);
  }

  /** After a crash in the middle of history: forgets all that was taken in. Does nothing in any other state. */
  dropHistory(): boolean {
    if (this.#facts.history !== 'reading') return false;
    this.#change(() => {
      for (const table of ['chunks', 'parts', 'states', 'sealed', 'sessions', 'counters', 'ledger', 'receipts']) {
        this.#db.exec(`DELETE FROM ${table}`);
      }
      writeFact(this.#db, 'capture', noCapture);
      dropFact(this.#db, 'ledger_gap');
    });
    this.#writer.forgetLive();
    this.ledger.forgetCache();
    this.#space.recount(0);
    this.#facts = noCapture;
    this.#version += 1;
    return true;
  }

  close(): void {
    this.#db.close();
  }

  #write(
    step: Step,
    facts: CaptureFacts,
    { began, endsInjection }: { began: Micros | null; endsInjection: boolean },
  ): Written {
    const written = this.#change(() => {
      writeFact(this.#db, 'capture', facts);
      if (began !== null) addFact(this.#db, 'began', began);
      if (endsInjection) dropFact(this.#db, 'injection');
      if (endsInjection) writeFact(this.#db, 'injected', this.#injection?.id);
      const result = this.#writer.write(step);
      crashPoint('store.committing');
      return result;
    });
    crashPoint('store.committed');
    return written;
  }

  /** Digests of several keys can't be told apart by what the ledger keeps of them. */
  #noteKey(keyId: string): void {
    const known = readFact<string[]>(this.#db, 'digest_keys') ?? [];
    if (!known.includes(keyId)) writeFact(this.#db, 'digest_keys', [...known, keyId]);
  }

  #change<T>(work: () => T): T {
    return this.#guard(() => this.#db.transaction(work).immediate());
  }

  /**
   * A quiet log brings a new watermark each second. One that closes nothing is not worth an fsync: it goes to disk with
   * the next thing that is, and comes again from the log where it did not.
   */
  #isIdle({ parts, counts }: Step, after: CaptureFacts): boolean {
    if (parts.length > 0 || counts.replayed > 0 || Object.keys(counts.skipped).length > 0) return false;
    const place = ({ watermark: _, ...rest }: CaptureFacts) => JSON.stringify(rest);
    return place(after) === place(this.#facts);
  }

  #factsAfter(
    step: Step,
    { progress, history, injected }: Pick<Batch, 'progress' | 'history' | 'injected'>,
  ): CaptureFacts {
    const known = this.#facts.progress;
    // A replayed batch must not take the position back.
    const later = known !== null && compareProgress(progress, known) < 0 ? known : progress;
    const { lastPosition, watermark } = step;
    const state = injected === true ? undefined : history?.state;
    return { progress: later, lastPosition, watermark, history: state ?? this.#facts.history };
  }

  #remember(written: Written): void {
    this.#writer.remember(written);
    this.#space.add(written.bytes);
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw explainSqlite(error, 'journal', this.#path);
    }
  }
}

function pendingError({ id, reason }: Injection): OperatorError {
  return stop('injection_pending', `the ${reason} ${id} has not ended yet: let run finish it, and then begin another`);
}

function claimSource(db: SqliteDatabase, path: string, source: string): void {
  const known = readFact<string>(db, 'source');
  if (known === null) writeFact(db, 'source', source);
  else if (known !== source) throw otherSource(path, known, source);
}
