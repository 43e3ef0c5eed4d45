import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { tableNames } from '../../src/dataset-tables.ts';
import { idOfPair, rowsOf } from '../../src/sinks/rows.ts';
import { queryOn, type TestPostgres } from '../support/postgres.ts';
import { compiledOf, pairOf, rulesVersion, segmentOf, trajectoryOf } from '../support/records.ts';
import { createMirror, startMirrors, type TestMirror } from '../support/supabase.ts';
import { clearMirror, dumpMirror, openMirror, openSink, type Way } from './mirror-harness.ts';

const never = new AbortController().signal;
const ways: Way[] = ['direct', 'rest'];

// The server prints every error of Postgres.
vi.spyOn(console, 'error').mockReturnValue();

let postgres: TestPostgres;
let mirror: TestMirror;
beforeAll(async () => {
  postgres = await startMirrors();
  mirror = await createMirror(postgres);
});
afterAll(async () => {
  await mirror.close();
  await postgres.stop();
});

function messageWith(questions: string[]) {
  const trajectory = trajectoryOf();
  const segment = segmentOf(trajectory);
  const pairs = questions.map((question) => pairOf(trajectory, segment, { question }));
  return { message: compiledOf({ trajectory, segments: [segment], pairs }), pairs };
}

describe.each(ways)('a row that the database does not take (%s)', (way) => {
  beforeEach(() => clearMirror(mirror.databaseUrl));
  afterEach(() => queryOn(mirror.databaseUrl, 'ALTER TABLE qa_pairs DROP CONSTRAINT IF EXISTS no_secrets'));

  it('is named and parked, all others are there and in force; put back, it follows', async () => {
    await queryOn(
      mirror.databaseUrl,
      "ALTER TABLE qa_pairs ADD CONSTRAINT no_secrets CHECK (question NOT LIKE '%pass phrase%')",
    );
    const { message, pairs } = messageWith(['a?', 'b?', 'What is the pass phrase?', 'd?', 'e?']);
    const sink = await openSink(way, mirror);
    const error = await sink.write(message, never).then(
      () => undefined,
      (thrown: unknown) => thrown as Error & { code: string; kind: string },
    );
    const refused = idOfPair(pairs[2]!.pairKey);
    expect(error).toMatchObject({ kind: 'park', code: 'row_refused' });
    expect(error?.message).toContain(`qa_pairs id=${refused} (constraint no_secrets, SQLSTATE 23514)`);
    expect(error?.message).not.toContain('phrase');
    const dump = await dumpMirror(mirror.databaseUrl);
    expect(dump.qa_pairs.map(({ question, status }) => `${question} ${status}`).sort()).toEqual([
      'a? active',
      'b? active',
      'd? active',
      'e? active',
    ]);
    expect(dump.trajectory_turns).toHaveLength(12);

    await queryOn(mirror.databaseUrl, 'ALTER TABLE qa_pairs DROP CONSTRAINT no_secrets');
    await sink.write(message, never);
    await sink.close();
    const { qa_pairs } = await dumpMirror(mirror.databaseUrl);
    expect(qa_pairs.map(({ status }) => status)).toEqual(Array(5).fill('active'));
  });

  it('leaves a count of those that were written beside it, and of those that were there', async () => {
    const { message } = messageWith(['a?', 'b?', 'c?', 'd?', 'refused?']);
    const known = messageWith(['a?', 'b?']).message;
    await queryOn(mirror.databaseUrl, "ALTER TABLE qa_pairs ADD CONSTRAINT no_secrets CHECK (question <> 'refused?')");
    const batches = tableNames.map((table) => ({ table, rows: rowsOf(message)[table] }));
    const all = batches.reduce((sum, { rows }) => sum + rows.length, 0);
    const sink = await openSink(way, mirror);
    await sink.write(known, never);
    await sink.close();
    const opened = await openMirror(way, mirror);
    const first = await opened.write(batches, never);
    const second = await opened.write(batches, never);
    await opened.close();
    expect([first, second].map(({ refused }) => refused.length)).toEqual([1, 1]);
    expect(second.effect).toEqual({ written: 0, unchanged: all - 1, unknown: 0 });
    expect(first.effect.written + first.effect.unchanged).toBe(all - 1);
    const rows = rowsOf(known);
    const same = rows.trajectory_turns.length + rows.verdicts.length;
    expect(first.effect.unchanged).toBeGreaterThanOrEqual(same);
    expect(first.effect.written).toBeGreaterThan(0);
  });

  it('is no matter of the rows where the table was altered: that stops, and says so', async () => {
    const other = await createMirror(postgres);
    await queryOn(
      other.databaseUrl,
      'ALTER TABLE compilations DROP COLUMN pairs, ADD COLUMN pairs integer GENERATED ALWAYS AS (1) STORED',
    );
    const sink = await openSink(way, other);
    const error = await sink.write(messageWith(['a?']).message, never).catch((thrown: Error) => thrown);
    await sink.close();
    await other.close();
    expect(error).toMatchObject({ kind: 'stop', code: 'sink_altered', exitCode: 3 });
  });

  it('is superseded at once where it follows after a newer compile of its segment', async () => {
    const { message } = messageWith(['late?']);
    const newer = compiledOf({
      trajectory: message.trajectory,
      compiler: { ...rulesVersion, promptVersion: 'rules/2' },
      compiledAt: '2026-03-04T00:00:00.000000Z',
    });
    await queryOn(mirror.databaseUrl, "ALTER TABLE qa_pairs ADD CONSTRAINT no_secrets CHECK (question <> 'late?')");
    const sink = await openSink(way, mirror);
    await expect(sink.write(message, never)).rejects.toMatchObject({ code: 'row_refused' });
    await sink.write(newer, never);
    await queryOn(mirror.databaseUrl, 'ALTER TABLE qa_pairs DROP CONSTRAINT no_secrets');
    await sink.write(message, never);
    await sink.close();
    const { qa_pairs } = await dumpMirror(mirror.databaseUrl);
    expect(new Map(qa_pairs.map((row) => [row.prompt_version, row.status]))).toEqual(
      new Map([
        ['rules/1', 'superseded'],
        ['rules/2', 'active'],
      ]),
    );
  });
});

describe("a person's own changes", () => {
  it.each(ways)('stand when the message comes again (%s)', async (way) => {
    await clearMirror(mirror.databaseUrl);
    const { message } = messageWith(['a?', 'b?']);
    const sink = await openSink(way, mirror);
    await sink.write(message, never);
    await queryOn(
      mirror.databaseUrl,
      "UPDATE qa_pairs SET status = 'rejected', answer = 'mended' WHERE question = 'a?'",
    );
    await sink.write(message, never);
    await sink.close();
    const { qa_pairs } = await dumpMirror(mirror.databaseUrl);
    expect(qa_pairs.map(({ question, answer, status }) => [question, answer, status]).sort()).toEqual([
      ['a?', 'mended', 'rejected'],
      ['b?', '38', 'active'],
    ]);
  });

  it.each(ways)('of the status stand when a newer compile brings the pair again (%s)', async (way) => {
    await clearMirror(mirror.databaseUrl);
    const { message } = messageWith(['a?', 'b?']);
    const sink = await openSink(way, mirror);
    await sink.write(message, never);
    await queryOn(mirror.databaseUrl, "UPDATE qa_pairs SET status = 'rejected' WHERE question = 'a?'");
    await sink.write({ ...message, compiledAt: '2026-03-04T00:00:00.000000Z' }, never);
    await sink.close();
    const { qa_pairs } = await dumpMirror(mirror.databaseUrl);
    expect(
      qa_pairs.map(({ question, status, generation }) => [question, status, String(generation).slice(2, 12)]).sort(),
    ).toEqual([
      ['a?', 'rejected', '2026-03-04'],
      ['b?', 'active', '2026-03-04'],
    ]);
  });
});
