/** Opening the dataset for reading, beside whoever writes it. */
import { existsSync } from 'node:fs';
import { datasetMigrations } from '../dataset-file.ts';
import { stop } from '../errors.ts';
import { openSqlite, type SqliteDatabase } from '../sqlite.ts';

const what = 'dataset';

/** @throws OperatorError `no_dataset` where there is none; otherwise as `openSqlite` does. */
export function openDataset(path: string): SqliteDatabase {
  const db = openDatasetIfPresent(path);
  if (db !== null) return db;
  throw stop(
    'no_dataset',
    `no dataset at ${path}: run \`trajectory-compiler run\` or \`trajectory-compiler compile\` first`,
  );
}

/** Null where nothing was compiled into this place so far. */
export function openDatasetIfPresent(path: string): SqliteDatabase | null {
  if (!existsSync(path)) return null;
  const db = openSqlite(path, { what, migrations: datasetMigrations, readonly: true });
  if ((db.pragma('user_version', { simple: true }) as number) === datasetMigrations.length) return db;
  // Of an older version, or of the published shape: the queries here know the present one alone.
  db.close();
  openSqlite(path, { what, migrations: datasetMigrations }).close();
  return openSqlite(path, { what, migrations: datasetMigrations, readonly: true });
}
