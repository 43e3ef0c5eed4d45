/** What `doctor` looks at: each part of the system as a list of checks. It changes nothing. */
import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Check, Checklist, failure, ok, warning } from './checks.ts';
import type { Config } from './config.ts';
import { type ExitCode, exitCodes, messageOf } from './errors.ts';
import { type CaptureFacts, readFact, type SourceIdentity } from './sessionizer/journal-facts.ts';
import { journalMigrations } from './sessionizer/journal-schema.ts';
import { openSqlite } from './sqlite.ts';
import { captureSettings, filesOf } from './stages.ts';
import { preflight } from './stream/preflight.ts';
import type { StoredStart } from './stream/start.ts';

export interface Examined {
  part: string;
  checks: Check[];
}

/** Part after part, each as soon as it has been looked at. */
export async function* examineAll(config: Config): AsyncGenerator<Examined> {
  const { checks, start } = await examineDataDir(config);
  yield { part: 'data directory', checks };
  if (config.roles.includes('capture')) yield { part: 'source', checks: await examineSource(config, start) };
}

/** 5 where the source is away, 3 where anything else has to be changed first. */
export function exitCodeOf(checks: readonly Check[]): ExitCode {
  const failed = checks.filter(({ outcome }) => outcome === 'failure');
  if (failed.some(({ exitCode }) => exitCode === exitCodes.sourceUnavailable)) return exitCodes.sourceUnavailable;
  return failed.length > 0 ? exitCodes.configuration : exitCodes.ok;
}

async function examineSource(config: Config, start: StoredStart | null): Promise<Check[]> {
  const list = new Checklist();
  const settings = await list.attempt('settings', () => captureSettings(config));
  return settings === null ? list.checks : await preflight(settings, start);
}

const lowDiskBytes = 2 ** 30;

async function examineDataDir(config: Config): Promise<{ checks: Check[]; start: StoredStart | null }> {
  const list = new Checklist();
  const folder = await nearest(resolve(config.dataDir));
  list.add(await writableCheck(folder, config.dataDir), await diskCheck(folder));
  const { journal } = filesOf(config);
  if (!(await exists(journal))) {
    list.add(ok('journal', `${journal} is not there yet: the first run makes it`));
    return { checks: list.checks, start: null };
  }
  const start = await list.attempt(
    'journal',
    () => readStart(journal),
    ({ progress }) => `${journal} holds ${progress === null ? 'no position yet' : 'a position'}`,
  );
  return { checks: list.checks, start };
}

/** @throws OperatorError as `openSqlite`. */
function readStart(path: string): StoredStart {
  const db = openSqlite(path, { what: 'journal', migrations: journalMigrations, readonly: true });
  try {
    return {
      progress: readFact<CaptureFacts>(db, 'capture')?.progress ?? null,
      identity: readFact<SourceIdentity>(db, 'identity'),
      columns: readFact<string[]>(db, 'columns'),
    };
  } finally {
    db.close();
  }
}

async function writableCheck(folder: string, dataDir: string): Promise<Check> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return ok('data_dir', `${dataDir} can be written`);
  } catch (error) {
    return failure(
      'data_dir',
      `${dataDir} can't be written (${messageOf(error)})`,
      'set dataDir, or its owner and mode',
    );
  }
}

async function diskCheck(folder: string): Promise<Check> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const said = `${(free / 2 ** 30).toFixed(1)} GiB are free where dataDir lies`;
  if (free >= lowDiskBytes) return ok('disk', said);
  return warning(
    'disk',
    `${said}: a capture that can't write stops, and the server keeps WAL for it`,
    'make room there',
  );
}

/** The folder itself, or the first above it that is there. */
async function nearest(folder: string): Promise<string> {
  return (await exists(folder)) || dirname(folder) === folder ? folder : nearest(dirname(folder));
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
