/** Opening a SQLite file: pragmas, migrations, and errors that name the file. A leaf: it imports no stage. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { exitCodes, OperatorError, retry, stop } from './errors.ts';

export type SqliteDatabase = Database.Database;

/** One step of a file's schema. Steps are only ever appended; `user_version` counts those applied. */
export type Migration = string | ((db: SqliteDatabase) => void);

export interface OpenOptions {
  /** What the file is, in the words of an error message: `journal`, `dataset`. */
  what: string;
  migrations: readonly Migration[];
  /**
   * `full` fsyncs every commit (what Postgres is told to forget must be on disk); `normal` may lose the last commits
   * at a power cut, never the file.
   */
  synchronous?: 'full' | 'normal';
  readonly?: boolean;
  /** `incremental`: freed pages can be given back (`PRAGMA incremental_vacuum`). Takes effect in a new file only. */
  autoVacuum?: 'incremental';
  /** Bytes, a power of two up to 65,536; 4,096 by default. Takes effect in a new file only. */
  pageSize?: number;
}

/**
 * Opens a file in WAL mode and brings its schema up to date, in one transaction.
 *
 * @throws OperatorError `file_newer` where a newer version of this program wrote it, `file_corrupt` where it is no
 * SQLite file or damaged, `file_unusable` where it can't be opened or written.
 */
export function openSqlite(
  path: string,
  { what, migrations, synchronous = 'full', readonly = false, autoVacuum, pageSize }: OpenOptions,
): SqliteDatabase {
  let db: SqliteDatabase | undefined;
  try {
    if (!readonly) mkdirSync(dirname(path), { recursive: true });
    db = new Database(path, { readonly, timeout: 10_000 });
    if (!readonly) {
      // Before anything else: both are fixed by the first write to a new file.
      if (pageSize !== undefined) db.pragma(`page_size = ${pageSize}`);
      if (autoVacuum !== undefined) db.pragma(`auto_vacuum = ${autoVacuum}`);
      db.pragma('journal_mode = WAL');
      db.pragma(`synchronous = ${synchronous}`);
    }
    db.pragma('foreign_keys = ON');
    const version = db.pragma('user_version', { simple: true }) as number;
    if (version > migrations.length) {
      throw stop(
        'file_newer',
        `${what} ${path} was written by a newer version (schema ${version}, this one knows ${migrations.length}): upgrade trajectory-compiler, or set another dataDir`,
      );
    }
    if (!readonly && version < migrations.length) migrate(db, migrations);
    return db;
  } catch (error) {
    db?.close();
    throw explainSqlite(error, what, path);
  }
}

function migrate(db: SqliteDatabase, migrations: readonly Migration[]): void {
  // Immediate: two processes that open a new file at once must not both create its tables.
  db.transaction(() => {
    const version = db.pragma('user_version', { simple: true }) as number;
    for (const step of migrations.slice(version)) {
      if (typeof step === 'string') db.exec(step);
      else step(db);
    }
    db.pragma(`user_version = ${migrations.length}`);
  }).immediate();
}

/** An error of SQLite or of making its folder, in an operator's words; anything else as it is. */
export function explainSqlite(error: unknown, what: string, path: string): unknown {
  if (error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'mkdir') {
    return stop(
      'file_unusable',
      `no folder for ${what} ${path}: ${error.message}: make it writable, or set another dataDir (TC_DATA_DIR)`,
      { exitCode: exitCodes.configuration, cause: error },
    );
  }
  if (error instanceof OperatorError || !(error instanceof Database.SqliteError)) return error;
  const { code } = error;
  if (code.startsWith('SQLITE_FULL') || code === 'SQLITE_IOERR_WRITE') {
    return stop(
      'disk_full',
      `no space left for ${what} ${path}: free disk space and start again; nothing confirmed is lost`,
      { cause: error },
    );
  }
  if (code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_NOTADB')) {
    return stop(
      'file_corrupt',
      `${what} ${path} is damaged or not a SQLite file (${error.message}): move it away or restore it from a backup`,
      { cause: error },
    );
  }
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return retry('file_busy', `${what} ${path} is locked by another process`, { cause: error });
  }
  return stop('file_unusable', `${what} ${path} can't be used: ${error.message} (${code})`, { cause: error });
}
