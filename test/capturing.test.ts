/** The loop of capture over a source of few lines: what is stored before what, and what comes in beside the stream. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { capture } from '../src/capturing.ts';
import { retry, stop } from '../src/errors.ts';
import { createMetrics } from '../src/metrics/registry.ts';
import type { Batch, Lsn, Progress, ResumeLsn, Turn } from '../src/records.ts';
import { openRequests, type Requests } from '../src/requests.ts';
import type { Reseal } from '../src/resealing.ts';
import { createDigester } from '../src/row-digest.ts';
import { type Journal, openJournal } from '../src/sessionizer/journal.ts';
import type { Source } from '../src/stream/contract.ts';
import { Waker } from '../src/topic/waker.ts';
import { batchOf, LogWriter, lsn, rules } from './sessionizer/log.ts';
import { until } from './support/capture.ts';

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

const nothingLost: Reseal = async () => ({ rowsRead: 0, rowsSent: 0, notRebuilt: [] });

async function run(source: Source, reseal = nothingLost, metrics = createMetrics('test')): Promise<void> {
  const more = { metrics, sealed: new Waker(), log: pino({ enabled: false }), reseal };
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

it('counts trajectories that go out once more, those before a failure too', async () => {
  const metrics = createMetrics('test');
  const counted = async () => (await metrics.revisions.get()).values[0]?.value;
  const lost = ['a', 'b', 'c'].map((trajectoryId) => ({ trajectoryId, sessionId: 's' }));
  requests.submit({ id: 'r', reason: 'repair', ...range, resend: lost });
  const refused: Reseal = async (_lost, _signal, onSent) => {
    onSent();
    onSent();
    throw stop('source_permission', 'the table may not be read');
  };
  await run(sourceOf([batchOf([], { progress: at(100) })]).source, nothingLost, metrics);
  expect([requests.stateOf('r')?.state, await counted()]).toEqual(['done', 0]);
  requests.submit({ id: 'again', reason: 'repair', ...range, resend: lost });
  await run(sourceOf([batchOf([], { progress: at(200) })]).source, refused, metrics);
  expect([requests.stateOf('again')?.state, await counted()]).toEqual(['failed', 2]);
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

  it('that can not be read fail their request alone, before the stream or beside it, with words', async () => {
    const writer = new LogWriter();
    const refused = stop('source_refused', 'date out of range');
    await run(sourceOf([batchOf([], { progress: at(1) })]).source);
    requests.submit({ id: 'gap', reason: 'recover', ...range, resend: [] });
    requests.submit({ id: 'r', reason: 'backfill', ...range, resend: [] });
    journal.beginInjection({ id: 'gap', reason: 'recover', range, seenBefore: lsn(1) });
    const { source } = sourceOf([batchOf([writer.turn({})], { progress: at(100) })]);
    const opened = await source.openExisting(range, never);
    const breaking = { ...opened, batches: (before: Progress) => broken(opened.batches(before, never), refused) };
    let openings = 0;
    const openExisting = async () => {
      openings += 1;
      if (openings === 1) return breaking;
      throw refused;
    };
    await run({ ...source, openExisting });
    expect(openings).toBe(2);
    expect(requests.stateOf('gap')).toMatchObject({ state: 'failed', error: expect.stringContaining('backfill') });
    expect(requests.stateOf('r')).toMatchObject({ state: 'failed', error: 'date out of range' });
    expect([journal.injection, requests.next(), journal.totals().rows]).toEqual([null, null, 1]);
  });

  it('are read again after a lost connection, and the stream goes on meanwhile', async () => {
    const writer = new LogWriter();
    const missing = writer.turn({});
    requests.submit({ id: 'r', reason: 'backfill', ...range, resend: [] });
    const { source } = sourceOf([], [missing].map(historic));
    const opened = await source.openExisting(range, never);
    const lost = retry('source_unreachable', 'connection terminated');
    const outcomes = [
      async () => Promise.reject(lost),
      async () => ({ ...opened, batches: (before: Progress) => broken(opened.batches(before, never), lost) }),
      async () => opened,
    ];
    const pending = [...outcomes];
    const openExisting = async () => await pending.shift()!();
    const streamed = streamUntil(() => requests.next() === null, writer);
    await run({ ...source, openExisting, batches: streamed.batches });
    expect(requests.stateOf('r')).toMatchObject({ state: 'done', error: null, rowsTaken: 1 });
    expect([pending.length, streamed.count() > outcomes.length]).toEqual([0, true]);
    expect(journal.totals().rows).toBe(streamed.count() + 1);
  });

  it('do not hold up the stream while their snapshot is opened', async () => {
    const writer = new LogWriter();
    requests.submit({ id: 'r', reason: 'backfill', ...range, resend: [] });
    const { source } = sourceOf([], [writer.turn({})].map(historic));
    const streamed = streamUntil(() => requests.next() === null, writer);
    const openExisting = async () => {
      await until('five batches of the stream', () => streamed.count() > 5);
      return await source.openExisting(range, never);
    };
    await run({ ...source, openExisting, batches: streamed.batches });
    expect(requests.stateOf('r')).toMatchObject({ state: 'done', rowsTaken: 1 });
  });

  it('that can not be stored end the capture, and their request waits', async () => {
    const writer = new LogWriter();
    requests.submit({ id: 'r', reason: 'backfill', ...range, resend: [] });
    const db = new Database(join(dir, 'journal.sqlite'));
    db.exec("CREATE TRIGGER full BEFORE INSERT ON parts BEGIN SELECT RAISE(ABORT, 'no room'); END");
    db.close();
    const { source } = sourceOf([batchOf([], { progress: at(100) })], [writer.turn({})].map(historic));
    await expect(run(source)).rejects.toThrow('no room');
    expect(requests.next()).toMatchObject({ id: 'r' });
  });

  it('are not read again where a crash came between their end and the note of it', async () => {
    const writer = new LogWriter();
    const missing = writer.turn({});
    requests.submit({ id: 'r', reason: 'backfill', ...range, resend: [] });
    await run(sourceOf([batchOf([], { progress: at(100) })], [missing].map(historic)).source);
    requests.update('r', { state: 'reading' });
    const { source, happened } = sourceOf([batchOf([], { progress: at(200) })], [missing].map(historic));
    await run(source);
    expect(happened.filter((what) => what.startsWith('table'))).toEqual([]);
    expect(requests.stateOf('r')).toMatchObject({ state: 'done', rowsRead: 1, rowsTaken: 1 });
  });

  it('whose keys are known with other contents are counted and left out, and taken in where asked', async () => {
    journal.close();
    const digester = createDigester('a key of these tests');
    journal = openJournal(join(dir, 'journal.sqlite'), { source: 'test', rules, digester });
    const writer = new LogWriter();
    const [same, other] = [writer.turn({}), writer.turn({})];
    const given = { ...other, sessionId: 'after the failover', response: 'another row' };
    const table = [same, given].map(historic);
    requests.submit({ id: 'left', reason: 'backfill', ...range, resend: [] });
    await run(sourceOf([batchOf([same, other], { progress: at(100) })], table).source);
    expect(requests.stateOf('left')).toMatchObject({ state: 'done', rowsTaken: 0, rowsChanged: 1 });
    expect(journal.totals()).toMatchObject({ rows: 2, skipped: { already_taken: 1, changed: 1 } });
    for (const id of ['taken', 'again']) {
      requests.submit({ id, reason: 'backfill', ...range, resend: [], changed: 'take' });
      await run(sourceOf([batchOf([], { progress: at(200) })], table).source);
    }
    expect(requests.stateOf('taken')).toMatchObject({ state: 'done', rowsTaken: 1, rowsChanged: 1 });
    expect(requests.stateOf('again')).toMatchObject({ state: 'done', rowsTaken: 0, rowsChanged: 0 });
    expect(journal.recall([given.sessionId], null).parts.get(given.sessionId)).toMatchObject({ turns: 1 });
    // Of a key that is another one now nothing can be told.
    journal.close();
    journal = openJournal(join(dir, 'journal.sqlite'), {
      source: 'test',
      rules,
      digester: createDigester('another key of them'),
    });
    requests.submit({ id: 'new key', reason: 'backfill', ...range, resend: [] });
    await run(sourceOf([batchOf([], { progress: at(300) })], table).source);
    expect(requests.stateOf('new key')).toMatchObject({ state: 'done', rowsTaken: 0, rowsChanged: 0 });
  });
});

/** The first of these batches, and then the error. */
async function* broken(batches: AsyncGenerator<Batch>, error: Error): AsyncGenerator<Batch> {
  const first = await batches.next();
  if (!first.done) yield { ...first.value, changes: [], sessionIds: new Set() };
  throw error;
}

/** A stream that brings a row now and then until the condition holds. */
function streamUntil(isOver: () => boolean, writer: LogWriter) {
  let count = 0;
  return {
    count: () => count,
    async *batches(): AsyncGenerator<Batch> {
      for (; !isOver(); count += 1) {
        yield batchOf([writer.turn({ session: 'streamed' })], { progress: at(1000 + count) });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  };
}
