/** What tests fetch once for all workers and all runs: folders in the user's cache. */
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pause } from '../../src/lifecycle.ts';

/** Resolves with the folder of that name, which `fill` has filled: it appears complete or not at all. */
export async function cachedFolder(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = cachePath(name);
  await mkdir(cachePath(), { recursive: true });
  const lock = `${folder}.lock`;
  while (!existsSync(folder)) {
    if (!(await take(lock))) {
      await pause(100);
      continue;
    }
    try {
      // Between the look at the folder and the lock another worker may have finished.
      if (!existsSync(folder)) await fillWhole(folder, fill);
    } finally {
      await rm(lock, { force: true });
    }
  }
  return folder;
}

async function fillWhole(folder: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const half = `${folder}.${process.pid}`;
  try {
    await mkdir(half);
    await fill(half);
    await rename(half, folder);
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}

/** Where a folder of that name lies, or will lie. */
export function cachePath(name = ''): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'trajectory-compiler', name);
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
