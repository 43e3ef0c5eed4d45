/** One capture a data directory: a lock that dies with its process, however that ends. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { exitCodes, stop } from '../errors.ts';
import { explainSqlite } from '../sqlite.ts';

export interface DataDirLock {
  release(): void;
}

const lookMs = 500;

/** Keeps locks reachable: a collected database handle would give its lock up. */
const heldLocks = new Set<Database.Database>();

/**
 * Holds `<dir>/capture.lock`, an SQLite file in an open exclusive transaction. The operating system lets go of it when
 * the process ends, so there is no stale lock to clean up. Not for directories on a network file system.
 *
 * @throws OperatorError `data_dir_locked` where another process captures into this directory.
 */
export function lockDataDir(dir: string): DataDirLock {
  const path = join(dir, 'capture.lock');
  let db: Database.Database | undefined;
  try {
    mkdirSync(dir, { recursive: true });
    // Who only looks, as doctor does, holds it for a moment.
    db = new Database(path, { timeout: lookMs });
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    throw isBusy(error) ? lockedError(dir) : explainSqlite(error, 'lock file', path);
  }
  const held = db;
  heldLocks.add(held);
  return {
    release() {
      heldLocks.delete(held);
      held.close();
    },
  };
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
}

function lockedError(dir: string) {
  return stop(
    'data_dir_locked',
    `another process captures into ${dir}: stop it, or set another dataDir (and another slot) for this one`,
    { exitCode: exitCodes.configuration },
  );
}
