/** The SQLite files of a data directory: version, soundness, and whether a file of before can be taken over. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { type Check, type Checklist, failure, ok } from '../checks.ts';
import { ledgerMigrations, tablesOf } from '../compile/budget/ledger-schema.ts';
import { callMigrations } from '../compile/calls.ts';
import { coverageMigrations } from '../compile/coverage/sqlite.ts';
import { placeholderMigrations } from '../compile/redact/placeholders-sqlite.ts';
import type { Config } from '../config.ts';
import { datasetMigrations } from '../dataset-file.ts';
import { messageOf } from '../errors.ts';
import { requestMigrations } from '../requests.ts';
import { type CaptureFacts, readFact, type SourceIdentity } from '../sessionizer/journal-facts.ts';
import { journalMigrations } from '../sessionizer/journal-schema.ts';
import { explainSqlite, type Migration, openSqlite, type SqliteDatabase } from '../sqlite.ts';
import { filesOf } from '../stages.ts';
import type { StoredStart } from '../stream/start.ts';
import { topicMigrations } from '../topic/schema.ts';

const migrationsOf = {
  journal: journalMigrations,
  topics: topicMigrations,
  calls: callMigrations,
  placeholders: placeholderMigrations,
  budget: ledgerMigrations(tablesOf('')),
  coverage: coverageMigrations,
  dataset: datasetMigrations,
  requests: requestMigrations,
} as const satisfies Record<string, readonly Migration[]>;
type FileName = keyof typeof migrationsOf;

/** Those that are there; what is missing is made by the first run. */
export async function examineFiles(list: Checklist, config: Config): Promise<void> {
  const paths = filesOf(config);
  for (const [what, migrations] of Object.entries(migrationsOf)) {
    const path = paths[what as FileName];
    if (!existsSync(path)) continue;
    const look = () => reading(path, what as FileName, (db) => fileCheck(db, path, what, migrations));
    list.add(await list.attempt(`file_${what}`, look));
    // Each is looked at without a pause: others may go on between them.
    await new Promise(setImmediate);
  }
}

/** @throws OperatorError as `openSqlite`. */
export function readStart(path: string): StoredStart {
  return reading(path, 'journal', (db) => ({
    progress: readFact<CaptureFacts>(db, 'capture')?.progress ?? null,
    identity: readFact<SourceIdentity>(db, 'identity'),
    columns: readFact<string[]>(db, 'columns'),
  }));
}

/** Whose rows a journal holds; null where it has taken in none. */
export function readSource(path: string): string | null {
  return reading(path, 'journal', (db) => readFact<string>(db, 'source'));
}

/** Messages that a file of topics keeps: those that wait, and those that are parked. */
export function countMessages(path: string): number {
  return reading(path, 'topics', (db) => db.prepare('SELECT count(*) FROM messages').pluck().get() as number);
}

/** Changes nothing, and leaves nothing behind. @throws OperatorError as `openSqlite`. */
export function reading<T>(path: string, what: FileName, read: (db: SqliteDatabase) => T): T {
  const before = existsSync(`${path}-wal`);
  try {
    const db = openSqlite(path, { what, migrations: migrationsOf[what], readonly: true });
    try {
      return read(db);
    } finally {
      db.close();
    }
  } catch (error) {
    throw explainSqlite(error, what, path);
  } finally {
    if (!before) leaveNoTrace(path);
  }
}

/** Who may only read leaves an empty log beside the file; the last of those who may write takes it away. */
function leaveNoTrace(path: string): void {
  try {
    const db = new Database(path, { fileMustExist: true, timeout: 0 });
    db.prepare('SELECT count(*) FROM sqlite_master').get();
    db.close();
  } catch {
    // Not ours to write, or in use: then it is nothing to take away.
  }
}

/** Half a second of reading: nobody waits for doctor to go through a dataset of years. */
const wholeBytes = 128 * 2 ** 20;

function fileCheck(db: SqliteDatabase, path: string, what: string, migrations: readonly Migration[]): Check {
  const name = `file_${what}`;
  if (!isWritable(path))
    return failure(name, `${path} can't be written`, `chmod u+w ${path}, or give it to whoever runs this`);
  const version = db.pragma('user_version', { simple: true }) as number;
  const sound = statSync(path).size > wholeBytes ? null : (db.pragma('quick_check(1)', { simple: true }) as string);
  if (sound !== null && sound !== 'ok') {
    return failure(
      name,
      `${path} is damaged: ${sound.split('\n')[0]}`,
      'move it away, or restore it from a backup, while nothing runs',
    );
  }
  if (version < migrations.length) rehearse(db, path, migrations.slice(version));
  const state = version < migrations.length ? `is of version ${version}, and brought up to date by the next run` : 'is';
  const checked = sound === null ? `too large to go through here: sqlite3 ${path} 'PRAGMA quick_check'` : 'sound';
  return ok(name, state === 'is' ? `${path} is of this version, and ${checked}` : `${path} ${state}; ${checked}`);
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The steps that are missing, over the same tables without their rows. @throws what a step throws, of the file. */
function rehearse(db: SqliteDatabase, path: string, steps: readonly Migration[]): void {
  const copy = new Database(':memory:');
  try {
    const sql = db
      .prepare(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type = 'table' DESC",
      )
      .pluck()
      .all() as string[];
    for (const statement of sql) copy.exec(statement);
    for (const step of steps) {
      if (typeof step === 'string') copy.exec(step);
      else step(copy);
    }
  } catch (error) {
    if (error instanceof Error) error.message = messageOf(error).replace(':memory:', path);
    throw error;
  } finally {
    copy.close();
  }
}
