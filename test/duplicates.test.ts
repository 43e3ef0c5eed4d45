import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { datasetMigrations } from '../src/dataset-file.ts';
import { type DuplicatePass, openDuplicatePass } from '../src/duplicates.ts';
import { createLogger } from '../src/log.ts';
import type { Compiled, QaPair } from '../src/records.ts';
import type { Sink } from '../src/sinks/sink.ts';
import { openSqliteSink } from '../src/sinks/sqlite.ts';
import { openSqlite } from '../src/sqlite.ts';
import { compiledArbitrary, compiledOf, nineOClock, pairOf, segmentOf, trajectoryOf } from './support/records.ts';

const signal = new AbortController().signal;
const log = createLogger('silent');
const week = 7 * 86_400_000_000;

/** A session whose pairs all ask the same of another order; `minute` is when they were made. */
function asking(session: string, minute: number, changes: Partial<QaPair> = {}, weeks = 0): Compiled {
  const trajectory = trajectoryOf({ sessionId: session, endedAt: nineOClock + weeks * week });
  const segment = segmentOf(trajectory);
  const createdAt = `2026-03-02T10:${String(minute).padStart(2, '0')}:00.000000Z`;
  const question = `Which item of order #W${minute}00${minute} was exchanged?`;
  const pair = pairOf(trajectory, segment, { pairKey: `key-${session}`, question, createdAt, ...changes });
  return compiledOf({ trajectory, segments: [segment], pairs: [pair] });
}

interface Dataset {
  sink: Sink;
  pass: DuplicatePass;
  marks(): Record<string, string | null>;
  close(): Promise<void>;
}

describe('the pass over the dataset that marks duplicates', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'duplicates-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function open(name = 'qa_pairs.sqlite'): Dataset {
    const path = join(folder, name);
    const sink = openSqliteSink({ path, log });
    const pass = openDuplicatePass(path);
    const db = openSqlite(path, { what: 'dataset', migrations: datasetMigrations, readonly: true });
    const marks = db.prepare('SELECT pair_key, duplicate_of FROM qa_pairs ORDER BY pair_key').raw();
    return {
      sink,
      pass,
      marks: () => Object.fromEntries(marks.all() as [string, string | null][]),
      close: async () => {
        db.close();
        pass.close();
        await sink.close();
      },
    };
  }

  async function marked(messages: Compiled[], name?: string): Promise<Record<string, string | null>> {
    const dataset = open(name);
    for (const message of messages) await dataset.sink.write(message, signal);
    dataset.pass.mark();
    const marks = dataset.marks();
    await dataset.close();
    return marks;
  }
  const hiddenIn = (marks: Record<string, string | null>) => Object.keys(marks).filter((key) => marks[key] !== null);

  it('keeps the first five of a question in view, and the rest names the first', async () => {
    const marks = await marked([7, 6, 5, 4, 3, 2, 1].map((minute) => asking(`s${minute}`, minute)));
    expect(hiddenIn(marks)).toEqual(['key-s6', 'key-s7']);
    expect(marks['key-s7']).toBe('key-s1');
  });

  it('counts each week and each agent for itself', async () => {
    const here = [1, 2, 3, 4].map((minute) => asking(`here-${minute}`, minute));
    const later = [1, 2, 3, 4].map((minute) => asking(`later-${minute}`, minute, {}, 1));
    const other = [1, 2, 3, 4].map((minute) => asking(`other-${minute}`, minute, { agent: 'drafting' }));
    expect(hiddenIn(await marked([...here, ...later, ...other]))).toEqual([]);
  });

  it('gives no place to pairs that are superseded or that the verifier refused', async () => {
    const fail = { verification: { status: 'fail', reason: 'not_supported' } } as const;
    const failed = [1, 2, 3].map((minute) => asking(`failed-${minute}`, minute, fail));
    const again = { ...asking('s4', 50, { pairKey: 'key-s4-again' }), compiledAt: '2026-03-03T00:00:00.000000Z' };
    const marks = await marked([...failed, ...[4, 5, 6, 7, 8].map((minute) => asking(`s${minute}`, minute)), again]);
    expect(hiddenIn(marks)).toEqual([]);
  });

  it('marks anew what a pair that came late, or one that changed, moves', async () => {
    const dataset = open();
    for (const minute of [2, 3, 4, 5, 6]) await dataset.sink.write(asking(`s${minute}`, minute), signal);
    expect(dataset.pass.mark()).toBe(5);
    await dataset.sink.write(asking('s1', 1), signal);
    expect(dataset.pass.mark()).toBe(1);
    expect(dataset.marks()).toMatchObject({ 'key-s1': null, 'key-s6': 'key-s1' });
    const later = { ...asking('s1', 1), pairs: [], compiledAt: '2026-03-04T00:00:00.000000Z' };
    await dataset.sink.write(later, signal);
    dataset.pass.mark();
    expect(hiddenIn(dataset.marks())).toEqual([]);
    expect(dataset.pass.mark()).toBe(0);
    await dataset.close();
  });

  it('marks anew what a verdict or another agent moves', async () => {
    const dataset = open();
    for (const minute of [1, 2, 3, 4, 5, 6, 7]) await dataset.sink.write(asking(`s${minute}`, minute), signal);
    dataset.pass.mark();
    expect(hiddenIn(dataset.marks())).toEqual(['key-s6', 'key-s7']);
    const db = openSqlite(join(folder, 'qa_pairs.sqlite'), { what: 'dataset', migrations: datasetMigrations });
    db.exec("UPDATE qa_pairs SET verification = 'fail' WHERE pair_key = 'key-s1'");
    dataset.pass.mark();
    expect(hiddenIn(dataset.marks())).toEqual(['key-s7']);
    expect(dataset.marks()['key-s7']).toBe('key-s2');
    db.exec("UPDATE qa_pairs SET agent = 'drafting' WHERE pair_key = 'key-s2'");
    dataset.pass.mark();
    expect(hiddenIn(dataset.marks())).toEqual([]);
    db.close();
    await dataset.close();
  });

  it('gives the same marks in whichever order the messages came, and however often it ran', async () => {
    let run = 0;
    const group = fc.record({ session: fc.nat(12), minute: fc.nat(3), verified: fc.boolean() });
    const messages = fc.array(
      fc.oneof(
        group.map(({ session, minute, verified }) =>
          asking(`s${session}`, minute, {
            pairKey: `key-s${session}-${minute}-${verified}`,
            verification: { status: verified ? 'pass' : 'fail', reason: null },
          }),
        ),
        compiledArbitrary,
      ),
      { minLength: 8, maxLength: 20 },
    );
    const orders = messages.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }), fc.integer({ min: 1, max: 7 })),
    );
    await fc.assert(
      fc.asyncProperty(orders, async ([one, other, every]) => {
        const dataset = open(`${++run}`);
        for (const [index, message] of other.entries()) {
          await dataset.sink.write(message, signal);
          if (index % every === 0) dataset.pass.mark(3);
        }
        while (dataset.pass.mark(3) === 3);
        expect(dataset.marks()).toEqual(await marked(one, `${run} at once`));
        await dataset.close();
      }),
      { numRuns: 6 },
    );
  });

  it('goes over the pairs that were there before it', async () => {
    const old = openSqlite(join(folder, 'qa_pairs.sqlite'), {
      what: 'dataset',
      migrations: datasetMigrations.slice(0, 3),
    });
    const insert = old.prepare(
      `INSERT INTO qa_pairs (id, pair_key, question, agent, created_at, verification, status)
       VALUES (@key, @key, 'Who has seen order ' || @key || '?', 'clerk', '2026-03-02', 'unverified', 'active')`,
    );
    for (let n = 1; n <= 7; n++) insert.run({ key: `published:${n}` });
    old.close();
    expect(hiddenIn(await marked([]))).toEqual(['published:6', 'published:7']);
  });

  it('tells a mirror each change until the mirror has it', async () => {
    const dataset = open();
    for (const minute of [1, 2, 3, 4, 5, 6, 7]) await dataset.sink.write(asking(`s${minute}`, minute), signal);
    dataset.pass.mark();
    const updates = dataset.pass.untold();
    expect(updates).toEqual([6, 7].map((n) => ({ pairKey: `key-s${n}`, duplicateOf: 'key-s1' })));
    dataset.pass.told(updates.slice(0, 1));
    expect(dataset.pass.untold()).toEqual(updates.slice(1));
    await dataset.sink.write({ ...asking('s1', 1), pairs: [], compiledAt: '2026-03-04T00:00:00.000000Z' }, signal);
    dataset.pass.mark();
    expect(dataset.pass.untold()).toEqual([
      { pairKey: 'key-s6', duplicateOf: null },
      { pairKey: 'key-s7', duplicateOf: 'key-s2' },
    ]);
    await dataset.close();
  });
});
