/** How much room the data directory takes, and how much is left where it lies. */
import { statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type { Config } from './config.ts';
import { filesOf } from './stages.ts';

export interface DataDisk {
  /** Of those that are there, write-ahead logs included. */
  files: { file: string; bytes: number }[];
  /** Null where the file system does not tell. */
  freeBytes: number | null;
}

/** Which of them grow; keys do not. */
const growing = ['journal', 'topics', 'calls', 'placeholders', 'budget', 'coverage', 'dataset', 'requests'] as const;

export async function dataDisk(config: Config): Promise<DataDisk> {
  const paths = filesOf(config);
  const sized = growing.map((file) => ({ file, bytes: bytesOf(paths[file]) }));
  const freeBytes = await statfs(config.dataDir).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  );
  return { files: sized.filter(({ bytes }) => bytes > 0), freeBytes };
}

function bytesOf(path: string): number {
  return ['', '-wal', '-shm'].reduce((sum, ending) => sum + sizeOf(`${path}${ending}`), 0);
}

/** Most of these files are not there, and an error for each would cost more than all the rest of a scrape. */
function sizeOf(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return 0;
  }
}
