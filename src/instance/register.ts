/** Where the running processes of a data directory can be asked: a small file each, which says nothing once it has died. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** Without a URL it serves no metrics, and can't be asked. */
const instanceSchema = z.object({ pid: z.int().positive(), url: z.string().nullable() });
export type Instance = z.infer<typeof instanceSchema>;

const prefix = 'run-';

/** Says where this process is asked, until `release`. A directory that can't be written keeps it to itself. */
export function registerInstance(dataDir: string, instance: Instance): { release(): void } {
  const path = join(dataDir, `${prefix}${instance.pid}.json`);
  try {
    mkdirSync(dataDir, { recursive: true });
    for (const dead of entriesOf(dataDir).filter(({ pid }) => !isAlive(pid))) rmSync(dead.path, { force: true });
    writeFileSync(path, `${JSON.stringify(instance)}\n`);
  } catch {
    // A convenience: whoever knows the address can still ask.
  }
  return { release: () => rmSync(path, { force: true }) };
}

/** Those that are alive. */
export function instancesOf(dataDir: string): Instance[] {
  return entriesOf(dataDir)
    .filter(({ pid }) => isAlive(pid))
    .flatMap(({ path }) => instanceIn(path) ?? []);
}

function entriesOf(dataDir: string): { pid: number; path: string }[] {
  return namesIn(dataDir).flatMap((name) => {
    const pid = new RegExp(`^${prefix}(\\d+)\\.json$`).exec(name)?.[1];
    return pid === undefined ? [] : { pid: Number(pid), path: join(dataDir, name) };
  });
}

function namesIn(dataDir: string): string[] {
  try {
    return readdirSync(dataDir).sort();
  } catch {
    return [];
  }
}

function instanceIn(path: string): Instance | null {
  try {
    return instanceSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // There, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
