/**
 * Power is cut (P2): what SQLite had not fsynced is gone, torn or cut at any byte, and the shared memory with it. What
 * Postgres had been told to forget by then must be in the journal all the same.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Dice } from '../../src/demo/dice.ts';
import { type Journal, openJournal } from '../../src/sessionizer/journal.ts';
import { sessionize, watermarkOf } from '../../src/sessionizer/sessionize.ts';
import type { OpenOptions, SqliteDatabase } from '../../src/sqlite.ts';
import { batchOf, LogWriter, minute, rules } from './log.ts';

/** The journal's own connections, and what they are to ask of SQLite in place of what the journal asks. */
const files = vi.hoisted(() => ({ opened: [] as SqliteDatabase[], instead: {} as Partial<OpenOptions> }));

vi.mock('../../src/sqlite.ts', async (original) => {
  const real = await original<typeof import('../../src/sqlite.ts')>();
  const openSqlite = (path: string, options: OpenOptions) => {
    const db = real.openSqlite(path, { ...options, ...files.instead });
    files.opened.push(db);
    return db;
  };
  return { ...real, openSqlite };
});

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'power-'));
});

afterEach(() => {
  files.opened = [];
  files.instead = {};
  rmSync(dir, { recursive: true });
});

/** The file and its write-ahead log. */
interface Disk {
  db: Buffer;
  wal: Buffer;
}

const sectorBytes = 512;

function diskOf(path: string): Disk {
  return { db: readFileSync(path), wal: readFileSync(`${path}-wal`) };
}

/** What may be left of a write that was under way: some of its sectors, and the file cut anywhere beyond its old end. */
function torn(before: Buffer, after: Buffer, dice: Dice): Buffer {
  const grown = after.length > before.length;
  const length = grown ? dice.int(before.length, after.length) : dice.pick([before.length, after.length]);
  const image = Buffer.alloc(length);
  before.copy(image);
  const share = dice.pick([0, 0.5, 1]);
  const end = Math.min(length, after.length);
  for (let at = 0; at < end; at += sectorBytes) {
    const until = Math.min(at + sectorBytes, end);
    const written = after.subarray(at, until);
    if (!written.equals(image.subarray(at, until)) && dice.chance(share)) written.copy(image, at);
  }
  return image;
}

/** The salts of the write-ahead log: new ones each time that it begins at its head again. */
const beganAgain = (before: Disk, after: Disk) => !before.wal.subarray(16, 24).equals(after.wal.subarray(16, 24));

/** What disks may hold if the power goes while `after` is being written over the durable `before`. */
function cutsBetween(before: Disk, after: Disk, dice: Dice): Disk[] {
  const checkpointed = !before.db.equals(after.db);
  // Which of the two came first can't be seen from outside.
  if (checkpointed && beganAgain(before, after)) return [];
  const within = { db: before.db, wal: torn(before.wal, after.wal, dice) };
  // The log is fsynced before its pages go into the file.
  return checkpointed ? [within, { db: torn(before.db, after.db, dice), wal: after.wal }] : [within];
}

/** By what the journal's own connection asks of SQLite: `full` fsyncs each commit, `normal` each checkpoint only. */
function isDurable(before: Disk, after: Disk): boolean {
  const synchronous = files.opened[0]!.pragma('synchronous', { simple: true }) as number;
  return synchronous >= 2 || (synchronous === 1 && !before.db.equals(after.db));
}

function commitNext(journal: Journal, log: LogWriter, n: number, response: string): void {
  const sessions = ['a', 'b', 'c', `only-${n}`];
  const turns = sessions.map((session, i) => log.turn({ session, at: n * minute + i, response }));
  const batch = batchOf(turns);
  journal.commit(sessionize(journal.recall(batch.sessionIds, watermarkOf(batch)), batch, rules), batch);
}

interface Survival {
  cuts: number;
  checkpoints: number;
  /** Cuts after which the journal stood before what Postgres had been told to forget. */
  lost: number;
}

/** Commits, and cuts the power in every few commits and at every checkpoint. */
function cutAgainAndAgain(commits: number, seed: number): Survival {
  const dice = new Dice(seed);
  const path = join(dir, 'journal.sqlite');
  const journal = openJournal(path, { source: 'test', rules });
  const log = new LogWriter();
  const survival = { cuts: 0, checkpoints: 0, lost: 0 };
  let before = diskOf(path);
  let durable = before;
  for (let n = 0; n < commits; n += 1) {
    // Told at the latest just before the next commit.
    const confirmed = journal.resumeLsn;
    commitNext(journal, log, n, 'x'.repeat(dice.int(10, 100_000)));
    const after = diskOf(path);
    const checkpointed = !before.db.equals(after.db);
    if (checkpointed) survival.checkpoints += 1;
    if (confirmed !== null && (checkpointed || dice.chance(0.3))) {
      for (const disk of cutsBetween(durable, after, dice)) {
        survival.cuts += 1;
        const left = readAfterCut(disk, survival.cuts);
        if (left === null || left < confirmed) survival.lost += 1;
      }
    }
    if (isDurable(before, after)) durable = after;
    before = after;
    if (dice.chance(0.1)) finishSome(journal);
  }
  journal.close();
  return survival;
}

function finishSome(journal: Journal): void {
  const ids = journal.outbox.pending(5).map(({ trajectoryId }) => trajectoryId);
  journal.outbox.published(ids);
  journal.outbox.forget(ids.slice(1));
}

/** The position of the journal that opens on such a disk. @throws where what it holds is not whole */
function readAfterCut({ db, wal }: Disk, n: number) {
  const folder = join(dir, `cut-${n}`);
  mkdirSync(folder);
  const path = join(folder, 'journal.sqlite');
  writeFileSync(path, db);
  writeFileSync(`${path}-wal`, wal);
  const journal = openJournal(path, { source: 'test', rules });
  try {
    expect(files.opened.at(-1)!.pragma('quick_check', { simple: true })).toBe('ok');
    for (const { trajectoryId, turns } of journal.outbox.pending(1000)) {
      expect(journal.outbox.assemble(trajectoryId).turns).toHaveLength(turns);
    }
    return journal.resumeLsn;
  } finally {
    journal.close();
    files.opened.pop();
    rmSync(folder, { recursive: true });
  }
}

test('whatever byte a power cut leaves off at, the journal holds all that Postgres was told to forget', {
  timeout: 180_000,
}, () => {
  const { cuts, checkpoints, lost } = cutAgainAndAgain(60, 1);
  expect(lost).toBe(0);
  expect(checkpoints).toBeGreaterThan(1);
  expect(cuts).toBeGreaterThan(15);
});

test('with fsyncs at checkpoints only, the same cuts lose rows that Postgres was told to forget', {
  timeout: 180_000,
}, () => {
  files.instead = { synchronous: 'normal' };
  expect(cutAgainAndAgain(20, 1).lost).toBeGreaterThan(0);
});
