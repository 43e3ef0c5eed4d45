/** Whether a capture runs in a data directory: asked without taking its lock. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type Check, failure, ok } from '../checks.ts';
import { messageOf } from '../errors.ts';

export function captureLockCheck(dataDir: string, captures: boolean): Check {
  const name = 'capture_lock';
  const path = join(dataDir, 'capture.lock');
  if (!existsSync(path)) return ok(name, 'no capture runs here');
  try {
    if (!isHeld(path)) return ok(name, 'no capture runs here');
  } catch (error) {
    return failure(name, `${path} can't be read: ${messageOf(error)}`, 'give its owner and mode to whoever runs this');
  }
  const pid = holderOf(path);
  const second = captures ? ': a second one with this dataDir would be refused' : '';
  return ok(name, `a capture runs here${pid === null ? '' : ` (process ${pid})`}${second}`);
}

/** Whoever holds it keeps readers out. */
function isHeld(path: string): boolean {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { readonly: true, timeout: 0 });
    db.prepare('SELECT count(*) FROM sqlite_master').get();
    return false;
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return true;
    throw error;
  } finally {
    db?.close();
  }
}

/** Linux lists who locks which inode; null elsewhere, and where the process is in another container. */
function holderOf(path: string): number | null {
  try {
    const { ino } = statSync(path);
    const line = new RegExp(`^\\d+: POSIX +ADVISORY +WRITE (\\d+) [0-9a-f]+:[0-9a-f]+:${ino} `, 'm');
    const pid = Number(line.exec(readFileSync('/proc/locks', 'utf8'))?.[1]);
    return pid > 0 ? pid : null;
  } catch {
    return null;
  }
}
