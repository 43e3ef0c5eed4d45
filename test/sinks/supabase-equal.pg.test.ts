import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tableNames } from '../../src/dataset-tables.ts';
import { type Compiled, type CompiledTurns, isoOf, microsOf } from '../../src/records.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { queryOn, type TestPostgres } from '../support/postgres.ts';
import { compiledOf, historyArbitrary, pairOf, segmentOf, trajectoryOf } from '../support/records.ts';
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

async function dumpAfter(sink: Sink, messages: (Compiled | CompiledTurns)[], dump: () => Promise<Dump>): Promise<Dump> {
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
