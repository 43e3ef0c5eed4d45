/**
 * What makes capture durable: turns, open parts, the outbox and the position in one SQLite file, one fsynced
 * transaction a batch. Memory holds a small record per open part, and no text of turns.
 */
import { exitCodes, type OperatorError, stop } from '../errors.ts';
import type { Batch, Micros, Progress, ResumeLsn } from '../records.ts';
import { explainSqlite, openSqlite, type SqliteDatabase } from '../sqlite.ts';
import { DueQueue } from './due-queue.ts';
import {
  type CaptureFacts,
  type HistoryState,
  type JournalTotals,
  noCapture,
  readFact,
  readTotals,
  type SourceIdentity,
  writeFact,
} from './journal-facts.ts';
import { journalMigrations } from './journal-schema.ts';
import { type LivePart, StepWriter, type Written } from './journal-write.ts';
import { Outbox, OutboxReader } from './outbox.ts';
import { dueAt, type PartState, type SessionRules } from './part.ts';
import { compareProgress, type KnownParts, type Step } from './sessionize.ts';
import { Space } from './space.ts';

export interface JournalOptions {
  /** Names (system identifier, database, table); part of every trajectory id. */
  source: string;
  rules: SessionRules;
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

export interface JournalReader {
  source: string;
  outbox: OutboxReader;
  totals(): JournalTotals;
  /** Rows of this session are in open or held parts, or on their way to the compiler. */
  isInPipe(sessionId: string): boolean;
  close(): void;
}

/**
 * Opens the journal beside the process that writes it: to assemble trajectories, or for statistics.
 *
 * @throws OperatorError as `openSqlite`, and `journal_other_source` where it belongs to another source than `expected`.
 */
export function openJournalReader(path: string, expected?: string): JournalReader {
  const db = openSqlite(path, { what: 'journal', migrations: journalMigrations, readonly: true });
  try {
    const source = readFact<string>(db, 'source') ?? expected ?? '';
    if (expected !== undefined && source !== expected) throw otherSource(path, source, expected);
    const inPipe = db
      .prepare(
        'SELECT EXISTS (SELECT 1 FROM parts WHERE session_id = @id) OR EXISTS (SELECT 1 FROM sealed WHERE session_id = @id)',
      )
      .pluck();
    return {
      source,
      outbox: new OutboxReader(db, path, source),
      totals: () => readTotals(db),
      isInPipe: (id) => inPipe.get({ id }) === 1,
      close: () => db.close(),
    };
  } catch (error) {
    db.close();
    throw explainSqlite(error, 'journal', path);
  }
}

export class Journal {
  readonly outbox: Outbox;
  readonly #db: SqliteDatabase;
  readonly #path: string;
  readonly #space: Space;
  readonly #writer: StepWriter;
  readonly #live = new Map<string, LivePart>();
  readonly #due: DueQueue<LivePart>;
  #facts: CaptureFacts;
  #identity: SourceIdentity | null;
  #version = 0;

  constructor(db: SqliteDatabase, path: string, { source, rules }: JournalOptions) {
    this.#db = db;
    this.#path = path;
    this.#space = new Space(db);
    this.#writer = new StepWriter(db, source);
    this.#due = new DueQueue((live) => dueAt(live.part, rules));
    this.#facts = readFact<CaptureFacts>(db, 'capture') ?? noCapture;
    this.#identity = readFact<SourceIdentity>(db, 'identity');
    this.outbox = new Outbox(db, path, source, this.#space);
    for (const live of this.#writer.loadLive()) this.#keep(live);
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

  /** The roles of columns that the rows so far were read from; null where none was said. */
  get columns(): string[] | null {
    return this.#guard(() => readFact<string[]>(this.#db, 'columns'));
  }

  setColumns(columns: readonly string[]): void {
    this.#guard(() => writeFact(this.#db, 'columns', columns));
  }

  setIdentity(identity: SourceIdentity): void {
    this.#guard(() => writeFact(this.#db, 'identity', identity));
    this.#identity = identity;
  }

  /** Open and held parts of these sessions, and those that the watermark may close (`watermarkOf(batch)`). */
  recall(sessionIds: Iterable<string>, watermark: Micros | null): KnownParts {
    const parts = new Map<string, PartState>();
    const nextParts = new Map<string, number>();
    for (const sessionId of sessionIds) {
      const live = this.#live.get(sessionId);
      if (live !== undefined) parts.set(sessionId, live.part);
      else
        nextParts.set(
          sessionId,
          this.#guard(() => this.#writer.nextPart(sessionId)),
        );
    }
    for (const live of this.#dueBy(watermark)) parts.set(live.part.sessionId, live.part);
    const { progress, lastPosition, watermark: known } = this.#facts;
    return { version: this.#version, progress, lastPosition, watermark: known, parts, nextParts };
  }

  /**
   * Makes a step durable; when it returns, Postgres may forget up to {@link resumeLsn}. One transaction: all of it or
   * nothing, in the file and in memory.
   *
   * @throws OperatorError `journal_stale_step` where the step was not computed from the latest recall, `disk_full` and
   * others of `explainSqlite`.
   */
  commit(step: Step, batch: Pick<Batch, 'progress' | 'history'>): void {
    if (step.version !== this.#version) {
      throw stop(
        'journal_stale_step',
        `step of version ${step.version} refused by the journal at version ${this.#version}: its batch is committed already, or another was since; recall again`,
      );
    }
    const facts = this.#factsAfter(step, batch);
    if (!this.#isIdle(step, facts)) this.#remember(this.#write(step, facts));
    this.#facts = facts;
    this.#version += 1;
    this.#guard(() => this.#space.tidy());
  }

  totals(): JournalTotals {
    return readTotals(this.#db);
  }

  /** After a crash in the middle of history: forgets all that was taken in. Does nothing in any other state. */
  dropHistory(): boolean {
    if (this.#facts.history !== 'reading') return false;
    this.#guard(() =>
      this.#db
        .transaction(() => {
          for (const table of ['chunks', 'parts', 'sealed', 'sessions', 'counters']) {
            this.#db.exec(`DELETE FROM ${table}`);
          }
          writeFact(this.#db, 'capture', noCapture);
        })
        .immediate(),
    );
    for (const live of this.#live.values()) this.#drop(live);
    this.#space.recount();
    this.#facts = noCapture;
    this.#version += 1;
    return true;
  }

  close(): void {
    this.#db.close();
  }

  #write(step: Step, facts: CaptureFacts): Written {
    return this.#guard(() =>
      this.#db
        .transaction(() => {
          writeFact(this.#db, 'capture', facts);
          return this.#writer.write(step, (sessionId) => this.#live.get(sessionId)!.id);
        })
        .immediate(),
    );
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

  #dueBy(watermark: Micros | null): Iterable<LivePart> {
    if (watermark === null) return [];
    return watermark === Number.POSITIVE_INFINITY ? this.#live.values() : this.#due.before(watermark);
  }

  #factsAfter(step: Step, { progress, history }: Pick<Batch, 'progress' | 'history'>): CaptureFacts {
    const known = this.#facts.progress;
    // A replayed batch must not take the position back.
    const later = known !== null && compareProgress(progress, known) < 0 ? known : progress;
    const { lastPosition, watermark } = step;
    return { progress: later, lastPosition, watermark, history: history?.state ?? this.#facts.history };
  }

  #remember({ live, ended, bytes }: Written): void {
    for (const sessionId of ended) {
      const before = this.#live.get(sessionId);
      if (before !== undefined) this.#drop(before);
    }
    for (const next of live) {
      const before = this.#live.get(next.part.sessionId);
      if (before === undefined) this.#keep(next);
      else {
        before.part = next.part;
        this.#due.set(before);
      }
    }
    this.#space.add(bytes);
  }

  #keep(live: LivePart): void {
    this.#live.set(live.part.sessionId, live);
    this.#due.set(live);
  }

  #drop(live: LivePart): void {
    this.#live.delete(live.part.sessionId);
    this.#due.delete(live);
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw explainSqlite(error, 'journal', this.#path);
    }
  }
}

function claimSource(db: SqliteDatabase, path: string, source: string): void {
  const known = readFact<string>(db, 'source');
  if (known === null) writeFact(db, 'source', source);
  else if (known !== source) throw otherSource(path, known, source);
}

function otherSource(path: string, known: string, source: string): OperatorError {
  return stop(
    'journal_other_source',
    `journal ${path} belongs to another server, database or table (source ${known.slice(0, 8)}, not ${source.slice(0, 8)}): set another dataDir, or postgres.url and postgres.table to what it was made for`,
    { exitCode: exitCodes.configuration },
  );
}
