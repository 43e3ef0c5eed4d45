/** How much room the data directory takes, and how much is left where it lies. */
import { stat, statfs } from 'node:fs/promises';
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
  const sized = growing.map(async (file) => ({ file, bytes: await bytesOf(paths[file]) }));
  const freeBytes = await statfs(config.dataDir).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  );
  return { files: (await Promise.all(sized)).filter(({ bytes }) => bytes > 0), freeBytes };
}

async function bytesOf(path: string): Promise<number> {
  const sizes = ['', '-wal', '-shm'].map((ending) =>
    stat(`${path}${ending}`).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
