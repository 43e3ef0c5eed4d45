/** What the program itself runs on: Node, the binaries of its packages, memory, open files. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import Database from 'better-sqlite3';
import { type Check, type Checklist, failure, ok, warning } from '../checks.ts';
import { messageOf } from '../errors.ts';
import type { Visit } from './visit.ts';

const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  engines: { node: string };
};

export function examineProgram(list: Checklist, { version }: Pick<Visit, 'version'>): void {
  list.add(
    ok('version', `trajectory-compiler ${version} on ${process.platform} ${process.arch}`),
    nodeCheck(process.versions.node),
    sqliteCheck(),
    memoryCheck(availableBytes()),
    openFilesCheck(readLimits()),
  );
}

export function nodeCheck(running: string): Check {
  const least = engines.node.replace(/^>=/, '');
  if (compareVersions(running, least) >= 0) return ok('node', `Node ${running}; ${least} or later will do`);
  return failure(
    'node',
    `Node ${running} is older than ${least}, which this program is written for`,
    'install Node 22',
  );
}

function compareVersions(a: string, b: string): number {
  const [first, second] = [a, b].map((version) => version.split('.').map(Number));
  for (const [index, number] of second!.entries()) {
    const difference = (first![index] ?? 0) - number;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Its binary is fetched or built when the packages are installed: for another Node it does not load. */
function sqliteCheck(): Check {
  try {
    const db = new Database(':memory:');
    const { version } = db.prepare('SELECT sqlite_version() AS version').get() as { version: string };
    db.close();
    return ok('sqlite', `SQLite ${version} loads`);
  } catch (error) {
    const sentence = `the binary of better-sqlite3 does not load: ${messageOf(error).split('\n')[0]}`;
    return failure('sqlite', sentence, 'npm rebuild better-sqlite3');
  }
}

const littleMemoryBytes = 512 * 2 ** 20;

export function memoryCheck(bytes: number): Check {
  const said = `${Math.round(bytes / 2 ** 20)} MiB of memory are to be had`;
  if (bytes >= littleMemoryBytes) return ok('memory', said);
  return warning(
    'memory',
    `${said}: rows that are read ahead, and trajectories in work, may take several hundred`,
    'give the process more, or lower capture.bufferBytes, session.maxBytes and compile.concurrency',
  );
}

/** What the limit of a container allows, where there is one. */
function availableBytes(): number {
  const limit = process.constrainedMemory();
  const free = process.availableMemory();
  return limit > 0 && limit < totalmem() ? Math.min(free, limit) : free;
}

const fewFiles = 1024;

export function openFilesCheck(limits: string | null): Check {
  const soft = /^Max open files\s+(\S+)/m.exec(limits ?? '')?.[1];
  if (soft === undefined) return ok('open_files', 'how many files may be open is not told here');
  if (soft === 'unlimited' || Number(soft) >= fewFiles) return ok('open_files', `${soft} files may be open at once`);
  return warning(
    'open_files',
    `${soft} files may be open at once, connections among them`,
    `ulimit -n ${fewFiles * 4}`,
  );
}

function readLimits(): string | null {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return null;
  }
}
