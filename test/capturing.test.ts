/** The loop of capture over a source of few lines: what is stored before what, and what comes in beside the stream. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { capture } from '../src/capturing.ts';
import { createMetrics } from '../src/metrics.ts';
import type { Batch, Lsn, Progress, ResumeLsn, Turn } from '../src/records.ts';
import { openRequests, type Requests } from '../src/requests.ts';
import { type Journal, openJournal } from '../src/sessionizer/journal.ts';
import type { Source } from '../src/stream/contract.ts';
import { Waker } from '../src/topic/waker.ts';
import { batchOf, LogWriter, lsn, rules } from './sessionizer/log.ts';

const never = new AbortController().signal;
const range = { since: null, until: null };

let dir: string;
let journal: Journal;
let requests: Requests;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'capturing-'));
  journal = openJournal(join(dir, 'journal.sqlite'), { source: 'test', rules });
  requests = openRequests(join(dir, 'requests.sqlite'));
});

afterEach(() => {
  journal.close();
  requests.close();
  rmSync(dir, { recursive: true });
});

/** A stream of these batches, over a table of these rows of which a snapshot sees what was committed before a position. */
function sourceOf(batches: Batch[], table: Turn[] = [], seenBefore: Lsn = lsn(0)) {
  const happened: string[] = [];
  const source: Source = {
    identity: { system_identifier: '1', timeline: '1', slot: 's', publication: 'p' },
    columns: [],
    rowColumns: { key: 'id (integer)', time: null },
    source: 'test',
    history: false,
    async *batches() {
      for (const batch of batches) {
        happened.push('stream');
        yield batch;
      }
    },
    openExisting: async () => ({
      seenBefore,
      estimatedRows: null,
      async *batches(before: Progress) {
        happened.push(`table at ${journal.resumeLsn}`);
        const more = { progress: before, injected: true as const };
        yield batchOf(table, { ...more, history: { state: 'reading' } });
        yield batchOf([], { ...more, history: { state: 'done', snapshotAt: 0 } });
      },
      close: async () => {},
    }),
    confirm: async (at) => void happened.push(`confirmed ${at}, stored ${storedLsn()}`),
    status: () => {
      throw new Error('nobody asks');
    },
    close: async () => {},
  };
  return { source, happened };
}

/** What another connection finds in the journal's file. */
function storedLsn(): string | null {
  const db = new Database(join(dir, 'journal.sqlite'), { readonly: true });
  try {
    const sql = "SELECT value ->> '$.progress.resumeLsn' FROM facts WHERE name = 'capture'";
    return (db.prepare(sql).pluck().get() as string | undefined) ?? null;
  } finally {
    db.close();
  }
}

async function run(source: Source): Promise<void> {
  const reseal = async () => ({ rowsRead: 0, rowsSent: 0, notRebuilt: [] });
  const more = { metrics: createMetrics('test'), sealed: new Waker(), log: pino({ enabled: false }), reseal };
  await capture({ source, journal, rules, dataset: null, requests, ...more }, never);
}

const at = (n: number): Progress => ({ resumeLsn: lsn(n) as string as ResumeLsn, partial: null });
const historic = (turn: Turn, i: number): Turn => ({
  ...turn,
  committedAt: null,
  position: { lsn: lsn(0), ordinal: i - 9 },
});

describe('a batch', () => {
  it('is in the file before the server hears that it may forget it', async () => {
    const writer = new LogWriter();
    const { source, happened } = sourceOf([
      batchOf([writer.turn({})], { progress: at(100) }),
      batchOf([writer.turn({})], { progress: at(200) }),
    ]);
    await run(source);
    expect(happened).toEqual([
      'stream',
      `confirmed ${lsn(100)}, stored ${lsn(100)}`,
      'stream',
      `confirmed ${lsn(200)}, stored ${lsn(200)}`,
    ]);
  });

  it('that can not be stored whole is not stored at all, and nothing of it is confirmed', async () => {
    const db = new Database(join(dir, 'journal.sqlite'));
    // The last thing that a commit writes.
    db.exec("CREATE TRIGGER full BEFORE INSERT ON counters BEGIN SELECT RAISE(ABORT, 'no room'); END");
    const { source, happened } = sourceOf([batchOf([new LogWriter().turn({})], { progress: at(100) })]);
    await expect(run(source)).rejects.toThrow('no room');
    db.exec('DROP TRIGGER full');
    const rows = ['parts', 'states', 'chunks', 'ledger'].map((table) => db.prepare(`SELECT * FROM ${table}`).all());
    db.close();
    expect([happened, storedLsn(), rows]).toEqual([['stream'], null, [[], [], [], []]]);
  });

  it('of a history that broke off leaves nothing behind, in the file or in memory', async () => {
    const writer = new LogWriter();
    const turns = Array.from({ length: 20 }, (_, i) => writer.historyTurn({ session: i < 12 ? 'a' : 'b' }));
    await run(sourceOf([batchOf(turns, { progress: at(1), history: { state: 'reading' } })]).source);
    expect(journal.totals().rows).toBe(20);
    expect(journal.dropHistory()).toBe(true);
    journal.close();
    journal = openJournal(join(dir, 'journal.sqlite'), { source: 'test', rules });
    expect(journal.totals()).toMatchObject({ rows: 0, sessions: 0, open: 0, held: 0, sealed: 0, ledgerRows: 0 });
    expect(journal.ledger.knows(turns)).not.toContain(true);
    expect(journal.recall(['a', 'b'], Number.POSITIVE_INFINITY).parts.size).toBe(0);
    expect([journal.progress, journal.outbox.depth()]).toEqual([null, 0]);
  });
});

describe('rows of the table beside the stream', () => {
  it('are taken in where they are not known, and once', async () => {
    const writer = new LogWriter();
    const [streamed, missing] = [writer.turn({}), writer.turn({})];
    requests.submit({ id: 'r', reason: 'backfill', ...range, resend: [] });
    const { source } = sourceOf([batchOf([streamed], { progress: at(100) })], [streamed, missing].map(historic));
    await run(source);
    expect(journal.totals().rows).toBe(2);
    expect(requests.stateOf('r')).toMatchObject({ state: 'done', rowsRead: 2, rowsTaken: 1 });
  });

  it('are read once the stream has passed what their snapshot sees: until then it may bring them itself', async () => {
    const writer = new LogWriter();
    const [first, second] = [writer.turn({}), writer.turn({})];
    requests.submit({ id: 'r', reason: 'backfill', ...range, resend: [] });
    const batches = [batchOf([first], { progress: at(100) }), batchOf([second], { progress: at(200) })];
    const { source, happened } = sourceOf(batches, [first, second].map(historic), lsn(150));
    await run(source);
    expect(happened.filter((what) => what.startsWith('table'))).toEqual([`table at ${lsn(200)}`]);
    expect(journal.totals().rows).toBe(2);
  });

  it('that a crash cut short come before the stream, which brings none of them again', async () => {
    const writer = new LogWriter();
    const [missing, later] = [writer.turn({}), writer.turn({})];
    const first = sourceOf([batchOf([], { progress: at(1) })]);
    await run(first.source);
    journal.beginInjection({ id: 'r', reason: 'recover', range, seenBefore: lsn(1_000) });
    const { source, happened } = sourceOf([batchOf([missing, later], { progress: at(200) })], [historic(missing, 0)]);
    await run(source);
    expect(happened.slice(0, 2)).toEqual([`table at ${lsn(1)}`, 'stream']);
    expect(journal.injection).toBeNull();
    expect(journal.totals()).toMatchObject({ rows: 2, skipped: { already_taken: 1 } });
  });
});
