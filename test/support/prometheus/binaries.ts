/**
 * The programs `prometheus` and `promtool`: of the folder that TC_TEST_PROMETHEUS names, of the PATH, or of Debian's
 * package, fetched once and unpacked without being installed.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cachedFolder, cachePath } from '../cache-folder.ts';

const run = promisify(execFile);
const cacheName = 'prometheus';
const fetchTimeoutMs = 180_000;

export interface PrometheusBinaries {
  prometheus: string;
  promtool: string;
}

/** @throws what could not be had or run, and what to do */
export async function prometheusBinaries(): Promise<PrometheusBinaries> {
  const given = process.env.TC_TEST_PROMETHEUS;
  if (given) return await verified(inFolder(given));
  if (onPath()) return inFolder('');
  return inFolder(await cachedFolder(cacheName, unpackInto));
}

/** What is missing for {@link prometheusBinaries}, as far as can be told without fetching. */
export function missingForPrometheus(): string[] {
  if (process.env.TC_TEST_PROMETHEUS || existsSync(cachePath(cacheName)) || onPath()) return [];
  return ['apt-get', 'dpkg'].filter((name) => !runs(name));
}

const inFolder = (folder: string) => ({ prometheus: join(folder, 'prometheus'), promtool: join(folder, 'promtool') });
const runs = (name: string) => spawnSync(name, ['--version']).status === 0;
const onPath = () => runs('prometheus') && runs('promtool');

async function verified(binaries: PrometheusBinaries): Promise<PrometheusBinaries> {
  for (const path of Object.values(binaries))
    await run(path, ['--version']).catch((error: unknown) => {
      throw new Error(`${path} can't be run: set TC_TEST_PROMETHEUS to a folder with prometheus and promtool`, {
        cause: error,
      });
    });
  return binaries;
}

async function unpackInto(folder: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'tc-prometheus-package-'));
  try {
    await download(work);
    const file = (await readdir(work)).find((name) => name.endsWith('.deb'))!;
    await run('dpkg', ['-x', join(work, file), join(work, 'unpacked')]);
    const { prometheus, promtool } = await verified(inFolder(join(work, 'unpacked', 'usr', 'bin')));
    await moveInto(folder, prometheus, promtool);
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr || (error as Error).message);
    throw new Error(
      `Debian's package of Prometheus can't be had: ${said.trim().split('\n').slice(-3).join(' | ')}. ` +
        'Put prometheus and promtool on the PATH, or set TC_TEST_PROMETHEUS to their folder',
      { cause: error },
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** By way of a copy where the temporary folder lies on another disk. */
async function moveInto(folder: string, ...files: string[]): Promise<void> {
  for (const file of files)
    await rename(file, join(folder, file.split('/').at(-1)!)).catch(() => run('cp', [file, folder]));
}

/** With the system's package lists, or with fresh ones of our own, which need no rights. */
async function download(work: string): Promise<void> {
  const get = (...args: string[]) =>
    run('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', ...args], { cwd: work, timeout: fetchTimeoutMs });
  const isThere = async () => (await readdir(work)).some((name) => name.endsWith('.deb'));
  await get('download', 'prometheus').catch(() => {});
  if (await isThere()) return;
  const [lists, archives] = [join(work, 'lists'), join(work, 'cache')];
  for (const part of [lists, join(archives, 'archives')]) await mkdir(join(part, 'partial'), { recursive: true });
  const own = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${archives}`];
  await get(...own, 'update');
  await get(...own, 'download', 'prometheus');
}
