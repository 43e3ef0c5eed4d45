/** The journal beside the process that writes it: to assemble trajectories, for statistics, and to compare. */
import { exitCodes, type OperatorError, stop } from '../errors.ts';
import { explainSqlite, openSqlite } from '../sqlite.ts';
import { type JournalTotals, readFact, readTotals } from './journal-facts.ts';
import { journalMigrations } from './journal-schema.ts';
import { Ledger } from './ledger.ts';
import { OutboxReader } from './outbox.ts';
import { SessionsInPipe } from './sessions-in-pipe.ts';

export interface JournalReader {
  source: string;
  outbox: OutboxReader;
  ledger: Ledger;
  totals(): JournalTotals;
  /** Ids of the keys that rows were digested with. */
  digestKeys(): string[];
  /** Rows of this session are in open or held parts, or on their way to the compiler. */
  isInPipe(sessionId: string): boolean;
  close(): void;
}

/**
 * Opens the journal beside the process that writes it: to assemble trajectories, or for statistics.
 *
 * @throws OperatorError as `openSqlite`, `journal_other_source` where it belongs to another source than `expected`, and
 * `journal_older` where only the process that writes it may bring it up to date.
 */
export function openJournalReader(path: string, expected?: string): JournalReader {
  const db = openSqlite(path, { what: 'journal', migrations: journalMigrations, readonly: true });
  try {
    if (db.pragma('user_version', { simple: true }) !== journalMigrations.length) throw olderError(path);
    const source = readFact<string>(db, 'source') ?? expected ?? '';
    if (expected !== undefined && source !== expected) throw otherSource(path, source, expected);
    const sessions = new SessionsInPipe(db);
    return {
      source,
      outbox: new OutboxReader(db, path, source),
      ledger: new Ledger(db, path),
      totals: () => readTotals(db),
      digestKeys: () => readFact<string[]>(db, 'digest_keys') ?? [],
      isInPipe: (sessionId) => sessions.has(sessionId),
      close: () => db.close(),
    };
  } catch (error) {
    db.close();
    throw explainSqlite(error, 'journal', path);
  }
}

function olderError(path: string): OperatorError {
  return stop(
    'journal_older',
    `journal ${path} was written by an older version: start the process that captures into it with this version first`,
  );
}

export function otherSource(path: string, known: string, source: string): OperatorError {
  return stop(
    'journal_other_source',
    `journal ${path} belongs to another server, database or table (source ${known.slice(0, 8)}, not ${source.slice(0, 8)}): set another dataDir, or postgres.url and postgres.table to what it was made for`,
    { exitCode: exitCodes.configuration },
  );
}
