import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { pause } from '../../src/lifecycle.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { queryOn, type TestPostgres } from '../support/postgres.ts';
import { callOf, compiledOf, rulesVersion, segmentOf, trajectoryOf } from '../support/records.ts';
import { createMirror, startMirrors, type TestMirror } from '../support/supabase.ts';
import { sorted } from './contract.ts';
import { clearMirror, dumpMirror, openSink, type Way } from './mirror-harness.ts';

const never = new AbortController().signal;

// The server prints every error of Postgres.
vi.spyOn(console, 'error').mockReturnValue();

let postgres: TestPostgres;
let mirror: TestMirror;
beforeAll(async () => {
  postgres = await startMirrors();
  mirror = await createMirror(postgres);
});
beforeEach(() => clearMirror(mirror.databaseUrl));
afterAll(async () => {
  await mirror.close();
  await postgres.stop();
});

/** Two segments by so many compilers, which share their model calls. */
const messages = Array.from({ length: 8 }, (_, n) => {
  const trajectory = trajectoryOf();
  const segments = [segmentOf(trajectory), segmentOf(trajectory, {}, 1)];
  const calls = ['x', 'y', 'z'].map((id) => callOf(segments[0]!, { id }));
  return compiledOf({
    trajectory,
    segments: n % 2 === 0 ? segments : segments.toReversed(),
    calls: n % 2 === 0 ? calls : calls.toReversed(),
    compiler: { ...rulesVersion, promptVersion: `rules/${n}` },
    compiledAt: `2026-03-0${n + 1}T00:00:00.000000Z`,
  });
});

async function writeAll(sinks: Sink[], which: number[][]): Promise<void> {
  await Promise.all(
    sinks.map(async (sink, nth) => {
      for (const n of which[nth]!) await sink.write(messages[n]!, never);
    }),
  );
}

it.each<[string, Way[]]>([
  ['directly', ['direct', 'direct', 'direct']],
  ['over PostgREST', ['rest', 'rest', 'rest']],
  ['both ways', ['direct', 'rest', 'direct']],
])('ends the same for writers of one session at once: %s', async (_, ways) => {
  const alone = await openSink('direct', mirror);
  await writeAll([alone], [[0, 1, 2, 3, 4, 5, 6, 7]]);
  await alone.close();
  const expected = sorted(await dumpMirror(mirror.databaseUrl));
  expect(new Set(expected.qa_pairs.filter(({ status }) => status === 'active').map((it) => it.prompt_version))).toEqual(
    new Set(['rules/7']),
  );
  await clearMirror(mirror.databaseUrl);
  const sinks = await Promise.all(ways.map((way) => openSink(way, mirror)));
  await writeAll(sinks, [
    [0, 3, 6, 1, 4, 7, 2, 5],
    [7, 6, 5, 4, 3, 2, 1, 0],
    [4, 5, 6, 7, 0, 1, 2, 3],
  ]);
  await Promise.all(sinks.map((sink) => sink.close()));
  expect(sorted(await dumpMirror(mirror.databaseUrl))).toEqual(expected);
});

const insertSegment = (generation: string) =>
  `INSERT INTO segments (id, compiler_version, trajectory_id, session_id, first_turn, last_turn, fingerprint, metrics,
     share_seen, outcome, generation)
   VALUES ('s', '${generation}', 't', 'session-1', 0, 1, 'f', '{}', 1, 'compiled', '${generation}')
   ON CONFLICT (id, compiler_version) DO UPDATE SET generation = excluded.generation`;
const insertPair = (generation: string) =>
  `INSERT INTO qa_pairs (pair_key, session_id, segment_id, generation) VALUES ('p', 'session-1', 's', '${generation}')`;

const insertVerdict = `INSERT INTO verdicts (pair_key, content_hash, session_id, verification, generation)
  VALUES ('p', 'h', 'session-1', 'pass', '2')`;

/** Two connections; resolves once `statement` of the second has ended or waits for the first. */
async function withTwo(
  work: (first: pg.Client, second: (statement: string) => Promise<{ ended: Promise<unknown> }>) => Promise<void>,
): Promise<void> {
  const clients = [new pg.Client(mirror.databaseUrl), new pg.Client(mirror.databaseUrl)] as const;
  const [first, other] = clients;
  await Promise.all(clients.map((client) => client.connect()));
  try {
    const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const waits = `SELECT 1 FROM pg_locks WHERE pid = ${rows[0]!.pid} AND NOT granted`;
    await work(first, async (statement) => {
      let done = false;
      const ended = other.query(statement).finally(() => {
        done = true;
      });
      ended.catch(() => {});
      while (!done && (await queryOn(mirror.databaseUrl, waits)).length === 0) await pause(10);
      return { ended };
    });
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

it('does not put two compiles of a segment in force that were written without sight of each other', async () => {
  await withTwo(async (first, second) => {
    await first.query('BEGIN');
    await first.query(insertSegment('1'));
    const { ended } = await second(insertSegment('2'));
    await first.query('COMMIT');
    await ended;
  });
  const { segments } = await dumpMirror(mirror.databaseUrl);
  expect(new Map(segments.map((row) => [row.generation, row.status]))).toEqual(
    new Map([
      ['1', 'superseded'],
      ['2', 'active'],
    ]),
  );
});

it('does not put a late pair in force while a newer compile of its segment is about to be', async () => {
  await queryOn(mirror.databaseUrl, insertSegment('1'));
  await withTwo(async (first, second) => {
    await first.query('BEGIN');
    await first.query(insertSegment('2'));
    const { ended } = await second(insertPair('1'));
    await first.query('COMMIT');
    await ended;
  });
  expect((await dumpMirror(mirror.databaseUrl)).qa_pairs).toMatchObject([{ status: 'superseded' }]);
});

it('lets no writer of a session hold a segment that another one, with its pairs written, waits for', async () => {
  await withTwo(async (first, second) => {
    await first.query('BEGIN');
    await first.query(insertPair('1'));
    const { ended } = await second(insertSegment('1'));
    await first.query(insertSegment('1'));
    await first.query('COMMIT');
    await ended;
  });
  expect((await dumpMirror(mirror.databaseUrl)).qa_pairs).toMatchObject([{ status: 'active' }]);
});

it.each([
  ['pair', 'verdict', [insertPair('1'), insertVerdict]],
  ['verdict', 'pair', [insertVerdict, insertPair('1')]],
])(
  'gives a pair its verdict though the %s was not committed when the %s was written',
  async (_first, _second, [a, b]) => {
    await withTwo(async (first, second) => {
      await first.query('BEGIN');
      await first.query(a!);
      const { ended } = await second(b!);
      await first.query('COMMIT');
      await ended;
    });
    expect((await dumpMirror(mirror.databaseUrl)).qa_pairs).toMatchObject([{ verification: 'pass' }]);
  },
);
