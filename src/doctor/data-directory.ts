/** Where everything of this installation lies: whether it can be written, for how long there is room, and each file. */
import { constants, existsSync } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Check, type Checklist, failure, ok, warning } from '../checks.ts';
import type { Config } from '../config.ts';
import { dataDisk } from '../data-files.ts';
import { messageOf } from '../errors.ts';
import { openDigestKey } from '../row-digest.ts';
import { filesOf } from '../stages.ts';
import type { StoredStart } from '../stream/start.ts';
import { captureLockCheck } from './capture-lock.ts';
import { countMessages, examineFiles, readStart } from './files.ts';

/** @returns what the journal stored; null where there is none, or it can't be read. */
export async function examineDataDir(list: Checklist, config: Config): Promise<StoredStart | null> {
  const { dataDir } = config;
  const folder = await nearest(resolve(dataDir));
  const captures = config.roles.includes('capture');
  list.add(await writableCheck(folder, dataDir), await fileSystemCheck(folder), await diskCheck(folder, config));
  list.add(captureLockCheck(dataDir, captures));
  const { journal, digestKey } = filesOf(config);
  if (config['capture.digestKey'] !== null || (captures && (await exists(digestKey)))) {
    const readable = () => openDigestKey(digestKey, config['capture.digestKey']);
    await list.attempt('digest_key', readable, () => 'the key of the digests can be read');
  }
  await examineFiles(list, config);
  if (captures) list.add(await list.attempt('topics', () => leftoverCheck(config)));
  if (await exists(journal)) {
    return await list.attempt(
      'journal',
      () => readStart(journal),
      ({ progress }) => `${journal} holds ${progress === null ? 'no position yet' : 'a position'}`,
    );
  }
  list.add(captures ? ok('journal', `${journal} is not there yet: the first run makes it`) : journalCheck(config));
  return null;
}

/** A capture on a cluster forgets the bodies that messages of the embedded topics refer to: it does not start. */
function leftoverCheck(config: Config): Check | null {
  const { topics } = filesOf(config);
  if (config['topics.transport'] !== 'kafka' || !existsSync(topics)) return null;
  const messages = countMessages(topics);
  if (messages === 0) return ok('topics', `${topics} holds nothing that is unfinished`);
  return failure(
    'topics_unfinished',
    `topics.transport is kafka, and ${topics} still holds ${messages} messages that wait or are parked`,
    'finish them with topics.transport embedded (`run --role compile,sink --until-idle`, `dlq requeue`), or move the file away to give them up',
  );
}

/** A part that takes its bodies from the journal of another process finds them in the same folder, or nowhere. */
function journalCheck(config: Config): Check {
  const { journal } = filesOf(config);
  if (config['topics.transport'] === 'kafka') return ok('journal', 'the journal is kept where the capture runs');
  return warning(
    'journal',
    `there is no ${journal}: the capture keeps it in another dataDir, or has not run yet`,
    'set dataDir to that of the capture, or topics.transport to kafka',
  );
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

/** By the numbers that Linux gives them: https://man7.org/linux/man-pages/man2/statfs.2.html */
const networkFileSystems = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x0bd00bd0, 'Lustre'],
]);
const passingFileSystems = new Map([
  [0x01021994, 'memory (tmpfs), which a restart empties'],
  [0x794c7630, 'the writable layer of a container, which goes with it'],
]);

async function fileSystemCheck(folder: string): Promise<Check | null> {
  if (process.platform !== 'linux') return null;
  return fileSystemOf((await statfs(folder)).type);
}

export function fileSystemOf(type: number): Check {
  const name = 'file_system';
  const network = networkFileSystems.get(type >>> 0);
  const passing = passingFileSystems.get(type >>> 0);
  if (network !== undefined) {
    return warning(
      name,
      `dataDir lies on ${network}, a network file system, whose locks SQLite can't rely on: files may be damaged`,
      'set dataDir to a disk of this machine (on Kubernetes a volume of kind block)',
    );
  }
  if (passing === undefined) return ok(name, 'dataDir lies on a file system of this machine');
  const sentence = `dataDir lies in ${passing}: what Postgres was told to forget would be lost`;
  return warning(name, sentence, 'set dataDir to a disk or a volume that stays');
}

const lowDiskBytes = 2 ** 30;
const dayMs = 86_400_000;
const fewDays = 14;

async function diskCheck(folder: string, config: Config): Promise<Check> {
  const { bavail, bsize } = await statfs(folder);
  const { files } = await dataDisk(config);
  const usedBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const { journal, dataset } = filesOf(config);
  const born = await Promise.all([journal, dataset].map(bornAt));
  const ageMs = Date.now() - Math.min(...born);
  return roomCheck({ freeBytes: bavail * bsize, usedBytes, ageMs });
}

export interface Room {
  freeBytes: number;
  usedBytes: number;
  /** Of the oldest file; -Infinity where there is none. */
  ageMs: number;
}

export function roomCheck({ freeBytes, usedBytes, ageMs }: Room): Check {
  const name = 'disk';
  const days = ageMs < dayMs || usedBytes === 0 ? null : freeBytes / (usedBytes / (ageMs / dayMs));
  const lasts = days === null ? '' : `, which last for ${Math.floor(days)} days at the growth so far`;
  const said = `${gibibytes(freeBytes)} are free where dataDir lies${lasts}`;
  if (freeBytes >= lowDiskBytes && (days === null || days >= fewDays)) return ok(name, said);
  return warning(
    name,
    `${said}: a capture that can't write stops, and the server keeps WAL for it`,
    'make room there, or set dataDir to a larger disk',
  );
}

const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function bornAt(path: string): Promise<number> {
  return stat(path).then(
    ({ birthtimeMs }) => (birthtimeMs > 0 ? birthtimeMs : Number.POSITIVE_INFINITY),
    () => Number.POSITIVE_INFINITY,
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
