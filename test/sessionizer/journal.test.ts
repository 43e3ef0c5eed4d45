import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Batch, Change, ResumeLsn, Turn } from '../../src/records.ts';
import { trajectorySchema } from '../../src/records.ts';
import { type Journal, openJournal } from '../../src/sessionizer/journal.ts';
import { openJournalReader } from '../../src/sessionizer/journal-reader.ts';
import { sessionize, watermarkOf } from '../../src/sessionizer/sessionize.ts';
import { batchOf, day, hour, LogWriter, lsn, rules, second, start, watermark } from './log.ts';

let dir: string;
let path: string;
let log: LogWriter;
const opened: Journal[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'journal-'));
  path = join(dir, 'journal.sqlite');
  log = new LogWriter();
});

afterEach(() => {
  for (const journal of opened.splice(0)) journal.close();
  rmSync(dir, { recursive: true });
});

function open(source = 'test'): Journal {
  const journal = openJournal(path, { source, rules });
  opened.push(journal);
  return journal;
}

/** Closes and opens again, as a restart does. */
function restart(journal: Journal): Journal {
  opened.splice(opened.indexOf(journal), 1);
  journal.close();
  return open();
}

function take(journal: Journal, changes: (Change | Turn)[], more: Partial<Batch> = {}): Batch {
  const hasTurns = changes.some((change) => !('kind' in change));
  const progress = hasTurns || journal.progress === null ? {} : { progress: journal.progress };
  const batch = batchOf(changes, { ...progress, ...more });
  journal.commit(sessionize(journal.recall(batch.sessionIds, watermarkOf(batch)), batch, rules), batch);
  return batch;
}

function turns(times: number[], session = 's'): Turn[] {
  return times.map((at) => log.turn({ at, session }));
}

/** Of the live parts, by session. */
function partsOf(journal: Journal) {
  return [...journal.recall([], Number.POSITIVE_INFINITY).parts.values()].map((p) => [
    p.sessionId,
    p.part,
    p.turns,
    p.held,
  ]);
}

describe('what was committed', () => {
  test('comes back as the trajectory of its rows, text unchanged and in order', () => {
    const journal = open();
    const response = '{"n": 1.10, "big": 9007199254740993, "s": "é ⟦☃⟧ \\u0000 🙂"}';
    const rows = [
      log.turn({ at: 2 * second, response, metadata: { tenant: 'a', note: null } }),
      log.turn({ at: 1 * second, response: null }),
      log.turn({ at: 3 * second, response: '' }),
    ];
    take(journal, rows.slice(0, 2));
    take(journal, rows.slice(2));
    take(journal, [watermark(hour)]);
    const [ref] = journal.outbox.pending(10);
    const trajectory = journal.outbox.assemble(ref!.trajectoryId);
    expect(trajectorySchema.parse(trajectory)).toEqual(trajectory);
    expect(trajectory).toMatchObject({
      id: ref!.trajectoryId,
      source: 'test',
      sessionId: 's',
      part: 0,
      closedBy: 'idle',
    });
    expect(trajectory.turns).toEqual([rows[1], rows[0], rows[2]]);
    expect(trajectory).toMatchObject({ startedAt: start + 2 * second, endedAt: start + 3 * second });
  });

  test('is there after a restart: open and held parts, position, watermark, totals, and what closes later', () => {
    let journal = open();
    take(journal, [...turns([0], 'held'), watermark(hour)], { skipped: { no_session: 2 } });
    const { progress } = take(journal, turns([hour, hour + 1, hour + 2], 'open'));
    const before = { parts: partsOf(journal), totals: journal.totals() };
    journal = restart(journal);
    expect({ parts: partsOf(journal), totals: journal.totals() }).toEqual(before);
    expect(before.parts).toEqual([
      ['held', 0, 1, true],
      ['open', 0, 3, false],
    ]);
    expect(journal.progress).toEqual(progress);
    expect(journal.resumeLsn).toBe(progress.resumeLsn);
    expect(journal.watermark).toBe(start + hour);
    take(journal, [watermark(2 * hour)]);
    expect(journal.outbox.pending(10)).toMatchObject([{ sessionId: 'open', turns: 3 }]);
  });

  test('on a quiet log costs no write: a watermark that closes nothing waits for the next thing that is written', () => {
    let journal = open();
    take(journal, [...turns([0, 1, 2]), watermark(3)]);
    const other = new Database(path, { readonly: true });
    const writes = () => other.pragma('data_version', { simple: true });
    const before = writes();
    for (let at = 4; at < 60; at += 1) take(journal, [watermark(at * second)]);
    expect(writes()).toBe(before);
    expect(journal.watermark).toBe(start + 59 * second);
    take(journal, [], { skipped: { no_key: 1 } });
    expect(writes()).not.toBe(before);
    const counted = writes();
    take(journal, [], { progress: { resumeLsn: lsn(1000) as string as ResumeLsn, partial: null } });
    expect(writes()).not.toBe(counted);
    other.close();
    journal = restart(journal);
    expect(journal.watermark).toBe(start + 59 * second);
    expect(journal.totals()).toMatchObject({ open: 1, skipped: { no_key: 1 } });
    expect(journal.resumeLsn).toBe(lsn(1000));
  });

  test('closes after an end marker that came in a later batch than its part', () => {
    const journal = open();
    take(journal, turns([0, 1]));
    take(journal, [log.turn({ at: 2, tool: 'finish' })]);
    take(journal, [watermark(6 * second)]);
    expect(journal.outbox.pending(1)).toMatchObject([{ closedBy: 'end_marker', turns: 3 }]);
  });

  test('is not looked at again before it is due: a held part costs nothing while it waits', () => {
    const journal = open();
    take(journal, [...turns([0], 'held'), watermark(hour)]);
    const recalled = (at: number) => [...journal.recall([], start + at).parts.keys()];
    expect(recalled(7 * day)).toEqual([]);
    expect(recalled(7 * day + 1)).toEqual(['held']);
  });

  test('keeps part numbers going after all parts of a session are gone', () => {
    let journal = open();
    take(journal, [...turns([0, 1, 2]), watermark(hour)]);
    journal = restart(journal);
    take(journal, turns([hour + 1]));
    expect(partsOf(journal)).toEqual([['s', 1, 1, false]]);
  });

  test('is counted: rows, sessions, closes, parts let go and their rows', () => {
    const journal = open();
    take(journal, [...turns([0, 1, 2], 'a'), ...turns([0, 1], 'b'), watermark(hour)], { skipped: { no_key: 1 } });
    expect(journal.totals()).toMatchObject({ rows: 5, sessions: 2, open: 0, held: 1, sealed: 1, belowMinTurns: 1 });
    take(journal, [...turns([8 * day], 'c'), watermark(8 * day)], { skipped: { no_key: 2 } });
    expect(journal.totals()).toMatchObject({
      rows: 6,
      sessions: 3,
      open: 1,
      held: 0,
      sealed: 1,
      belowMinTurns: 1,
      skipped: { no_key: 3 },
      closes: { idle: 1 },
      released: { below_min_turns: 1 },
      releasedRows: { below_min_turns: 2 },
    });
  });
});

describe('a batch that comes twice', () => {
  test('adds nothing when it is recalled again', () => {
    const journal = open();
    const rows = turns([0, 1]);
    take(journal, rows, { skipped: { no_session: 1 } });
    take(journal, rows, { skipped: { no_session: 1 } });
    expect(journal.totals()).toMatchObject({ rows: 2, replayed: 2, skipped: { no_session: 1 } });
    expect(partsOf(journal)).toEqual([['s', 0, 2, false]]);
  });

  test('is refused when its step is committed again', () => {
    const journal = open();
    const batch = batchOf(turns([0, 1]));
    const step = sessionize(journal.recall(batch.sessionIds, null), batch, rules);
    journal.commit(step, batch);
    expect(() => journal.commit(step, batch)).toThrow(expect.objectContaining({ code: 'journal_stale_step' }));
    expect(journal.totals().rows).toBe(2);
  });

  test('does not take the position back when an old one is replayed', () => {
    const journal = open();
    const first = turns([0]);
    take(journal, first);
    const { progress } = take(journal, turns([1]));
    take(journal, first);
    expect(journal.progress).toEqual(progress);
  });
});

describe('the outbox', () => {
  test('gives what is sealed until it is published, and its body until it is forgotten', () => {
    const journal = open();
    take(journal, [...turns([0, 1, 2], 'a'), ...turns([3, 4, 5], 'b'), watermark(hour)]);
    const [a, b] = journal.outbox.pending(10).map((ref) => ref.trajectoryId) as [string, string];
    expect(journal.outbox.depth()).toBe(2);
    journal.outbox.published([a]);
    expect(journal.outbox.pending(10).map((ref) => ref.trajectoryId)).toEqual([b]);
    expect(journal.outbox.forget([a, b])).toBe(1);
    expect(() => journal.outbox.assemble(a)).toThrow(
      expect.objectContaining({ kind: 'park', code: 'trajectory_unknown' }),
    );
    expect(journal.outbox.assemble(b).turns).toHaveLength(3);
  });

  test('lets a part go as a duplicate where the log holds the very same row keys twice', () => {
    const journal = open();
    const rows = turns([0, 1, 2]);
    take(journal, [...rows, watermark(hour)]);
    const again = turns([2 * hour, 2 * hour + 1, 2 * hour + 2]).map((t, i) => ({ ...t, rowKey: rows[i]!.rowKey }));
    take(journal, [...again, watermark(4 * hour)]);
    expect(journal.totals()).toMatchObject({ rows: 6, sealed: 1, belowMinTurns: 0, released: { duplicate: 1 } });
    expect(journal.outbox.depth()).toBe(1);
  });

  test('can be read by another process while the journal is written', () => {
    const journal = open();
    take(journal, [...turns([0, 1, 2]), watermark(hour)]);
    const reader = openJournalReader(path);
    try {
      const [ref] = reader.outbox.pending(1);
      take(journal, turns([hour + 1]));
      expect(reader.source).toBe('test');
      expect(reader.outbox.assemble(ref!.trajectoryId)).toEqual(journal.outbox.assemble(ref!.trajectoryId));
      expect(reader.totals()).toEqual(journal.totals());
    } finally {
      reader.close();
    }
  });
});

describe('history', () => {
  const reading: Partial<Batch> = { history: { state: 'reading' } };

  test('publishes nothing before it is read to its end', () => {
    const journal = open();
    const rows = Array.from({ length: 9 }, (_, at) => log.historyTurn({ at }));
    take(journal, rows, reading);
    expect(journal.historyState).toBe('reading');
    expect(journal.outbox.pending(10)).toEqual([]);
    take(journal, [], { history: { state: 'done', snapshotAt: start + hour } });
    expect(journal.historyState).toBe('done');
    expect(journal.outbox.pending(10)).toMatchObject([{ closedBy: 'max_turns', turns: 8 }]);
  });

  test('is forgotten whole where it broke off, and can be read again', () => {
    let journal = open();
    const rows = Array.from({ length: 9 }, (_, at) => log.historyTurn({ at }));
    take(journal, rows, reading);
    journal = restart(journal);
    expect(journal.dropHistory()).toBe(true);
    expect(journal).toMatchObject({ progress: null, watermark: null, historyState: 'none' });
    expect(journal.totals()).toMatchObject({ rows: 0, sessions: 0, open: 0, sealed: 0 });
    take(journal, rows, reading);
    expect(journal.totals()).toMatchObject({ rows: 9, replayed: 0, sealed: 1 });
  });

  test('that was read to its end, or never begun, is not forgotten', () => {
    const journal = open();
    take(journal, [log.historyTurn({})], { history: { state: 'done', snapshotAt: start } });
    expect(journal.dropHistory()).toBe(false);
    expect(journal.totals().rows).toBe(1);
  });
});

describe('a file that cannot be used', () => {
  test('of another source is refused', () => {
    restart(open()).close();
    opened.splice(0);
    expect(() => openJournal(path, { source: 'other', rules })).toThrow(
      expect.objectContaining({ kind: 'stop', code: 'journal_other_source' }),
    );
  });

  test('that is no SQLite file is refused by name', () => {
    writeFileSync(path, 'this is no database, and long enough to be looked at as one. '.repeat(100));
    expect(() => open()).toThrow(expect.objectContaining({ kind: 'stop', code: 'file_corrupt' }));
    expect(() => open()).toThrow(path);
  });

  test('of a newer version is refused', () => {
    const db = new Database(path);
    db.pragma('user_version = 99');
    db.close();
    expect(() => open()).toThrow(expect.objectContaining({ kind: 'stop', code: 'file_newer' }));
  });

  test('a commit that fails changes nothing, in the file or in memory, and can be tried again', () => {
    const journal = open();
    take(journal, turns([0]));
    const blocker = new Database(path);
    blocker.exec(`CREATE TRIGGER full BEFORE INSERT ON chunks BEGIN SELECT RAISE(ABORT, 'no'); END`);
    const batch = batchOf([...turns([1, 2]), watermark(hour)]);
    const step = sessionize(journal.recall(batch.sessionIds, watermarkOf(batch)), batch, rules);
    expect(() => journal.commit(step, batch)).toThrow(expect.objectContaining({ kind: 'stop' }));
    expect(partsOf(journal)).toEqual([['s', 0, 1, false]]);
    expect(journal.totals().rows).toBe(1);
    blocker.exec('DROP TRIGGER full');
    blocker.close();
    journal.commit(step, batch);
    expect(journal.outbox.pending(1)).toMatchObject([{ turns: 3 }]);
  });

  test('is named by the outbox too, in words that say what to do', () => {
    const journal = open();
    take(journal, [...turns([0, 1, 2]), watermark(hour)]);
    const [ref] = journal.outbox.pending(1);
    const blocker = new Database(path);
    blocker.exec(`CREATE TRIGGER full BEFORE UPDATE ON sealed BEGIN SELECT RAISE(ABORT, 'no'); END`);
    expect(() => journal.outbox.published([ref!.trajectoryId])).toThrow(
      expect.objectContaining({ kind: 'stop', code: 'file_unusable' }),
    );
    blocker.exec('ALTER TABLE sealed RENAME TO elsewhere');
    blocker.close();
    const unusable = expect.objectContaining({ kind: 'stop', message: expect.stringContaining(path) });
    for (const broken of [
      () => journal.outbox.pending(1),
      () => journal.outbox.depth(),
      () => journal.outbox.publishedIds(),
      () => journal.outbox.assemble(ref!.trajectoryId),
      () => journal.outbox.forget([ref!.trajectoryId]),
    ]) {
      expect(broken).toThrow(unusable);
    }
  });

  test('keeps the identity of the slot that its positions belong to', () => {
    let journal = open();
    expect(journal.identity).toBeNull();
    const identity = { system_identifier: '7300000000000000001', timeline: '1', slot: 'tc', publication: 'tc' };
    journal.setIdentity(identity);
    journal = restart(journal);
    expect(journal.identity).toEqual(identity);
  });
});
