/** Opening the dataset for reading, beside whoever writes it. */
import { existsSync } from 'node:fs';
import { datasetMigrations } from '../dataset-file.ts';
import { codeOf, retry, stop } from '../errors.ts';
import { openSqlite, type SqliteDatabase } from '../sqlite.ts';

const what = 'dataset';

/** @throws OperatorError `no_dataset` where there is none; otherwise as `openDatasetIfPresent` does. */
export function openDataset(path: string): SqliteDatabase {
  const db = openDatasetIfPresent(path);
  if (db !== null) return db;
  throw stop(
    'no_dataset',
    `no dataset at ${path}: run \`trajectory-compiler run\` or \`trajectory-compiler compile\` first`,
  );
}

/**
 * Null where nothing was compiled into this place so far.
 *
 * @throws OperatorError `dataset_upgrading` where another process has been bringing the file up to date for longer than
 * a statement waits; otherwise as `openSqlite` does.
 */
export function openDatasetIfPresent(path: string): SqliteDatabase | null {
  if (!existsSync(path)) return null;
  const db = openSqlite(path, { what, migrations: datasetMigrations, readonly: true });
  if ((db.pragma('user_version', { simple: true }) as number) === datasetMigrations.length) return db;
  // Of an older version, or of the published shape: the queries here know the present one alone.
  db.close();
  upgrade(path);
  return openSqlite(path, { what, migrations: datasetMigrations, readonly: true });
}

function upgrade(path: string): void {
  try {
    openSqlite(path, { what, migrations: datasetMigrations }).close();
  } catch (error) {
    if (codeOf(error) !== 'file_busy') throw error;
    const message = `dataset ${path} is of an older version, and another process is writing it or bringing it up to date: try again in a minute`;
    throw retry('dataset_upgrading', message, { cause: error });
  }
}
