/** The jars of a Kafka server, fetched once by Maven into a cache that all test workers share. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pause } from '../../../src/lifecycle.ts';

const run = promisify(execFile);
const pom = fileURLToPath(new URL('pom.xml', import.meta.url));
const fetchTimeoutMs = 300_000;

/** Resolves with the folder of the jars of `version`, such as `4.1.2`. */
export async function kafkaJars(version: string): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'trajectory-compiler');
  const folder = join(cache, `kafka-${version}`);
  await mkdir(cache, { recursive: true });
  const lock = `${folder}.lock`;
  while (!existsSync(folder)) {
    if (!(await take(lock))) {
      await pause(100);
      continue;
    }
    try {
      // Between the look at the folder and the lock another worker may have finished.
      if (!existsSync(folder)) await fetchInto(folder, version);
    } finally {
      await rm(lock, { force: true });
    }
  }
  return folder;
}

/** The folder appears complete or not at all. */
async function fetchInto(folder: string, version: string): Promise<void> {
  const half = `${folder}.${process.pid}`;
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${half}`];
  try {
    await run('mvn', ['-B', '-q', '-f', pom, `-Dkafka.version=${version}`, ...goal], { timeout: fetchTimeoutMs });
    await rename(half, folder);
  } catch (error) {
    const said = String((error as { stdout?: string }).stdout ?? '').trim();
    throw new Error(
      `fetching the jars of Kafka ${version} with Maven failed: ${said.split('\n').slice(-3).join(' | ')}`,
      {
        cause: error,
      },
    );
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    const file = await open(lock, 'wx');
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const holder = Number(await readFile(lock, 'utf8').catch(() => ''));
  if (holder > 0 && !isAlive(holder)) await rm(lock, { force: true });
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
