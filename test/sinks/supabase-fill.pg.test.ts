import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../src/log.ts';
import { idOfPair } from '../../src/sinks/rows.ts';
import { openSqliteSink } from '../../src/sinks/sqlite.ts';
import { lastJson, runCli } from '../support/cli.ts';
import { queryOn, type TestPostgres } from '../support/postgres.ts';
import { callOf, compiledOf, rejectionOf, rulesVersion, segmentOf, trajectoryOf } from '../support/records.ts';
import { createMirror, secretKey, startMirrors, type TestMirror } from '../support/supabase.ts';
import { sorted } from './contract.ts';
import { dumpMirror, openSink, type Way } from './mirror-harness.ts';
import { dumpOf } from './sqlite-harness.ts';

const never = new AbortController().signal;

const trajectory = trajectoryOf();
const segments = [segmentOf(trajectory), segmentOf(trajectory, {}, 1)];
const messages = [
  compiledOf({ trajectory, segments, rejected: [rejectionOf(segments[0]!)], calls: [callOf(segments[1]!)] }),
  compiledOf({
    trajectory,
    segments,
    compiler: { ...rulesVersion, promptVersion: 'rules/2' },
    compiledAt: '2026-03-04T00:00:00.000000Z',
  }),
  ...Array.from({ length: 25 }, (_, n) => compiledOf({ trajectory: trajectoryOf({ sessionId: `session ${n}` }) })),
];

// The server prints every error of Postgres.
vi.spyOn(console, 'error').mockReturnValue();

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startMirrors();
});
afterAll(() => postgres.stop());

let dataDir: string;
let dataset: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'fill-'));
  dataset = join(dataDir, 'qa_pairs.sqlite');
});
afterEach(() => rmSync(dataDir, { recursive: true }));

/** A file that was of the published shape once, with this time on its only pair, and what was compiled since. */
async function makeDataset(createdAt: string): Promise<void> {
  mkdirSync(dataDir, { recursive: true });
  const db = new Database(dataset);
  db.exec(`CREATE TABLE qa_pairs (id INTEGER PRIMARY KEY, session_id TEXT, agent TEXT, turn_count INTEGER, question TEXT,
      answer TEXT, supporting_turns TEXT, qa_type TEXT, source_model TEXT, cost_usd REAL, raw_extraction TEXT, created_at TEXT);
    INSERT INTO qa_pairs VALUES (17, 'early', 'caller', 30, 'Who rang back?', 'The clinic', '[3, 9]', 'factoid',
      'some-model', 0.002, '{}', '${createdAt}')`);
  db.close();
  const sink = openSqliteSink({ path: dataset, log: createLogger('silent') });
  for (const message of messages) await sink.write(message, never);
  await sink.close();
}

const environment = async (way: Way, mirror: TestMirror): Promise<Record<string, string>> => ({
  TC_DATA_DIR: dataDir,
  ...(way === 'direct'
    ? { TC_SUPABASE_DATABASE_URL: mirror.databaseUrl }
    : { TC_SUPABASE_URL: await mirror.listen(), TC_SUPABASE_KEY: secretKey }),
});

describe.each<Way>(['direct', 'rest'])('filling a mirror from a dataset (%s)', (way) => {
  let mirror: TestMirror;
  beforeEach(async () => {
    mirror = await createMirror(postgres);
  });
  afterEach(() => mirror.close());

  it('leaves the same rows there, however often, and beside a sink that is ahead', async () => {
    await makeDataset('2026-01-01T00:00:00.000000Z');
    const newest = compiledOf({
      trajectory,
      segments,
      compiler: { ...rulesVersion, promptVersion: 'rules/3' },
      compiledAt: '2026-03-05T00:00:00.000000Z',
    });
    const sink = await openSink(way, mirror);
    await sink.write(newest, never);
    await sink.close();
    const env = await environment(way, mirror);
    const first = lastJson(await runCli(['fill', 'supabase', '--json'], { env }));
    expect(first).toMatchObject({ rows: { qa_pairs: 30, trajectory_turns: 312, segments: 29 }, refused: [] });
    expect(lastJson(await runCli(['fill', 'supabase', '--json'], { env }))).toEqual(first);

    const file = openSqliteSink({ path: dataset, log: createLogger('silent') });
    await file.write(newest, never);
    await file.close();
    const expected = dumpOf(dataset);
    for (const row of expected.qa_pairs) if (row.id === '17') row.id = idOfPair('published:17');
    expect(sorted(await dumpMirror(mirror.databaseUrl))).toEqual(sorted(expected));
  });

  it('names the rows that are refused, and copies the others', async () => {
    await makeDataset('the day before yesterday');
    const { code, stdout, stderr } = await runCli(['fill', 'supabase'], { env: await environment(way, mirror) });
    expect(code).toBe(6);
    expect(stdout).toMatch(/qa_pairs 30 .* segments 29 · refused 1/);
    expect(stderr).toContain(`refused: qa_pairs id=${idOfPair('published:17')} (SQLSTATE 22007)`);
    expect(stderr).not.toContain('yesterday');
    expect((await dumpMirror(mirror.databaseUrl)).qa_pairs).toHaveLength(29);
  });
});

describe('the commands', () => {
  it('migrate prepares a database, says what it did, and prints the same as a script', async () => {
    const databaseUrl = await postgres.createDatabase();
    const env = { TC_DATA_DIR: dataDir, TC_SUPABASE_DATABASE_URL: databaseUrl };
    await makeDataset('2026-01-01T00:00:00Z');
    const early = await runCli(['fill', 'supabase'], { env });
    expect(early).toMatchObject({ code: 3, stderr: expect.stringContaining('run `trajectory-compiler migrate`') });
    const migrated = await runCli(['migrate'], { env });
    expect(migrated).toMatchObject({
      code: 0,
      stdout: 'applied 001_qa_pairs.sql, 002_dataset.sql, 003_row_digests.sql, 004_verdicts.sql to schema public\n',
    });
    expect(lastJson(await runCli(['migrate', '--json'], { env }))).toEqual({ schema: 'public', applied: [] });
    const { stdout } = await runCli(['migrate', '--print-sql'], { env: { TC_SUPABASE_SCHEMA: 'datasets' } });
    await queryOn(databaseUrl, stdout);
    const again = await runCli(['migrate', '--supabase-schema', 'datasets'], { env });
    expect(again.stdout).toBe('nothing to do: schema datasets has every migration\n');
  });

  it('say what is missing: a connection string, a mirror, a dataset, a server', async () => {
    const migrate = await runCli(['migrate'], {});
    expect(migrate).toMatchObject({ code: 3, stderr: expect.stringContaining('TC_SUPABASE_DATABASE_URL') });
    const dataless = await runCli(['fill', 'supabase'], { env: { TC_DATA_DIR: dataDir } });
    expect(dataless).toMatchObject({ code: 1, stderr: expect.stringContaining('no dataset') });
    await makeDataset('2026-01-01T00:00:00Z');
    const aimless = await runCli(['fill', 'supabase'], { env: { TC_DATA_DIR: dataDir } });
    expect(aimless).toMatchObject({ code: 3, stderr: expect.stringContaining('TC_SUPABASE_KEY') });
    const url = 'postgres://owner:not-a-real-password@127.0.0.1:1/mirror';
    const away = await runCli(['migrate'], { env: { TC_SUPABASE_DATABASE_URL: url } });
    expect(away).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/owner@127\.0\.0\.1:1\/mirror.*ECONNREFUSED/),
    });
    expect(away.stderr).not.toContain('not-a-real-password');
  });
});
