import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rowsHeld, trajectoriesHeld } from '../../src/dataset/held.ts';
import { tableNames } from '../../src/dataset-tables.ts';
import { type Compiled, isoOf, microsOf, type Trajectory } from '../../src/records.ts';
import type { Sink, SinkMessage } from '../../src/sinks/sink.ts';
import { openMirrorReader } from '../../src/sinks/supabase/held.ts';
import { withDataset } from '../dataset/dataset.ts';
import { queryOn, type TestPostgres } from '../support/postgres.ts';
import { apartOf, compiledOf, historyArbitrary, pairOf, segmentOf, trajectoryOf } from '../support/records.ts';
import { createMirror, startMirrors, type TestMirror } from '../support/supabase.ts';
import { type Dump, sorted } from './contract.ts';
import { clearMirror, dumpMirror, openSink } from './mirror-harness.ts';
import { sqliteHarness } from './sqlite-harness.ts';

const never = new AbortController().signal;

let postgres: TestPostgres;
let direct: TestMirror;
let rest: TestMirror;
beforeAll(async () => {
  postgres = await startMirrors();
  direct = await createMirror(postgres);
  rest = await createMirror(postgres);
});
afterAll(async () => {
  await direct.close();
  await rest.close();
  await postgres.stop();
});

/** Costs, quotes and JSON as they really come, not only as the fixtures have them. */
const odd: fc.Arbitrary<Compiled> = fc
  .record({
    costUsd: fc.constantFrom(null, 0, 1e-7, 0.1 + 0.2, 123456.789),
    question: fc.constantFrom('Which?', 'Wélche\n"Zeile"\\? 😀', "it's '' \t;--", '\0\ud83d'),
    rawExtraction: fc.constantFrom('{"b":1,"a":[1.5,null,"\\u00e9"]}', '"text"', '{ "a" : 1e2 }'),
    portable: fc.boolean(),
  })
  .map((changes) => {
    const trajectory = trajectoryOf({ sessionId: 'odd' });
    const segment = segmentOf(trajectory, { segment: { ...segmentOf(trajectory).segment, shareSeen: 1 / 3 } });
    return compiledOf({ trajectory, segments: [segment], pairs: [pairOf(trajectory, segment, changes)] });
  });

async function dumpAfter(sink: Sink, messages: SinkMessage[], dump: () => Promise<Dump>): Promise<Dump> {
  for (const message of messages) await sink.write(message, never);
  await sink.close();
  return sorted(canonical(await dump()));
}

/** The file keeps times of messages as they wrote them, the database as moments. */
function canonical(dump: Dump): Dump {
  const times = ['compiled_at', 'started_at', 'ended_at'];
  const tables = Object.entries(dump).map(([table, rows]) => [
    table,
    rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([column, value]) => [
          column,
          times.includes(column) ? isoOf(microsOf(String(value))!) : value,
        ]),
      ),
    ),
  ]);
  return Object.fromEntries(tables) as Dump;
}

it('holds the same as the SQLite file after any history, whichever way it is written', async () => {
  const file = await sqliteHarness();
  const histories = fc.tuple(historyArbitrary, fc.array(odd, { maxLength: 2 })).map((both) => both.flat());
  const property = fc.asyncProperty(histories, async (history) => {
    await file.clear();
    await clearMirror(direct.databaseUrl);
    await clearMirror(rest.databaseUrl);
    const expected = await dumpAfter(await file.open(), history, file.dump);
    const ofDirect = () => dumpMirror(direct.databaseUrl);
    const ofRest = () => dumpMirror(rest.databaseUrl);
    expect(await dumpAfter(await openSink('direct', direct), history, ofDirect)).toEqual(expected);
    expect(await dumpAfter(await openSink('rest', rest), history.toReversed(), ofRest)).toEqual(expected);
  });
  try {
    await fc.assert(property, { numRuns: 15 });
  } finally {
    await file.dispose();
  }
});

it('says as the SQLite file does which rows of a source it holds, with their digests, and which trajectories', async () => {
  const digested = ({ turns, ...trajectory }: Trajectory): Trajectory => ({
    ...trajectory,
    turns: turns.map((turn, index) => (index === 0 ? turn : { ...turn, digest: `0000aaaa:${index}` })),
  });
  const whole = digested(trajectoryOf());
  // A row that was doubled, the log of another source, and one that is still arriving.
  const doubled = digested(trajectoryOf({ part: 1, turns: [whole.turns[3]!] }));
  const foreign = trajectoryOf({ sessionId: 'foreign', source: 'other', turns: whole.turns });
  const arriving = trajectoryOf({ sessionId: 'arriving' });
  const messages = [
    ...[whole, doubled, foreign].map((trajectory) => compiledOf({ trajectory })),
    ...apartOf(compiledOf({ trajectory: arriving }), 5).slice(1),
  ];
  const ids = [whole, doubled, foreign, arriving].map(({ id }) => id);
  const keys = [...whole.turns, ...arriving.turns].map(({ rowKey }) => rowKey);
  const asked = [...keys, 'nowhere', keys[3]!];
  const expected = await withDataset(messages, (db) => ({
    rows: rowsHeld(db, whole.source, asked),
    none: rowsHeld(db, whole.source, []),
    trajectories: trajectoriesHeld(db, [...ids, 'nowhere']),
  }));
  expect(expected.rows.get(whole.turns[0]!.rowKey)).toEqual([{ trajectoryId: whole.id, digest: null }]);
  expect(expected.rows.get(whole.turns[3]!.rowKey)).toHaveLength(2);
  expect(expected.rows.get(whole.turns[3]!.rowKey)).toContainEqual({ trajectoryId: whole.id, digest: '0000aaaa:3' });
  expect([...expected.rows.keys()].sort()).toEqual(keys.filter((key) => !/^arriving:[0-4]$/.test(key)).sort());
  expect(expected.trajectories).toEqual(new Set([whole.id, doubled.id, foreign.id]));
  await clearMirror(direct.databaseUrl);
  await dumpAfter(await openSink('direct', direct), messages, () => dumpMirror(direct.databaseUrl));
  const mirror = openMirrorReader({ url: direct.databaseUrl, schema: 'public' });
  try {
    expect({
      rows: await mirror.rowsHeld(whole.source, asked),
      none: await mirror.rowsHeld(whole.source, []),
      trajectories: await mirror.trajectoriesHeld([...ids, 'nowhere']),
    }).toEqual(expected);
  } finally {
    await mirror.close();
  }
});

it('has the columns of the SQLite file in every table, and no others', async () => {
  const file = await sqliteHarness();
  const message = compiledOf();
  const ofFile = await dumpAfter(await file.open(), [message], file.dump);
  await file.dispose();
  await clearMirror(direct.databaseUrl);
  const ofMirror = await dumpAfter(await openSink('direct', direct), [message], () => dumpMirror(direct.databaseUrl));
  for (const table of [...tableNames, 'sessions'] as const) {
    const columns = (dump: Dump) => dump[table].flatMap(Object.keys).sort();
    expect(columns(ofMirror)).toEqual(columns(ofFile));
  }
});

it('keeps what is no JSON as a JSON string', async () => {
  const trajectory = trajectoryOf({ sessionId: 'prose' });
  const segment = segmentOf(trajectory);
  const pair = pairOf(trajectory, segment, { rawExtraction: 'Here is "the" JSON: {' });
  for (const way of ['direct', 'rest'] as const) {
    const mirror = way === 'direct' ? direct : rest;
    const sink = await openSink(way, mirror);
    await sink.write(compiledOf({ trajectory, segments: [segment], pairs: [pair] }), never);
    await sink.close();
    const sql = "SELECT raw_extraction #>> '{}' AS raw FROM qa_pairs WHERE session_id = 'prose'";
    expect(await queryOn(mirror.databaseUrl, sql)).toEqual([{ raw: 'Here is "the" JSON: {' }]);
  }
});

it('keeps numbers in JSON that are too large for a double', async () => {
  const trajectory = trajectoryOf({ sessionId: 'large' });
  const segment = segmentOf(trajectory);
  const pair = pairOf(trajectory, segment, { rawExtraction: '{"id":9007199254740993,"price":1.10}' });
  const sink = await openSink('direct', direct);
  await sink.write(compiledOf({ trajectory, segments: [segment], pairs: [pair] }), never);
  await sink.close();
  const sql = "SELECT raw_extraction::text AS raw FROM qa_pairs WHERE session_id = 'large'";
  expect(await queryOn(direct.databaseUrl, sql)).toEqual([{ raw: '{"id": 9007199254740993, "price": 1.10}' }]);
});
