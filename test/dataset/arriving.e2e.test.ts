import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rowsHeld } from '../../src/dataset/held.ts';
import { openDataset } from '../../src/dataset/open.ts';
import { openAuditReader } from '../../src/postgres/rows.ts';
import { createDigester } from '../../src/row-digest.ts';
import { lastJson, runCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let dataDir: string;
let env: Record<string, string>;

beforeAll(async () => {
  postgres = await startPostgres();
  dataDir = mkdtempSync(join(tmpdir(), 'tc-arriving-'));
  const url = await postgres.createDatabase();
  env = { TC_POSTGRES_URL: url, TC_DATA_DIR: dataDir };
  await queryOn(
    url,
    `CREATE TABLE audit_log (id bigint PRIMARY KEY, session_id text, agent text, tool text, arguments jsonb,
       response jsonb, created_at timestamptz);
     INSERT INTO audit_log SELECT n, 'session ' || n % 2, 'tester', 'probe', jsonb_build_object('n', n),
       jsonb_build_object('seen', n), timestamptz '2026-01-05 08:00Z' + n * interval '1 s' FROM generate_series(1, 24) n`,
  );
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const compile = async (...flags: string[]) => lastJson(await runCli(['compile', '--json', ...flags], { env }));
const onDataset = (sql: string) => {
  const db = new Database(join(dataDir, 'qa_pairs.sqlite'));
  db.exec(sql);
  db.close();
};

it('compile leaves a session alone while turns of it are still to arrive, --force or not, and takes it up then', async () => {
  expect(await compile()).toMatchObject({ compiled: 2, notYet: 0 });
  const some = "turn IN (3, 4) AND trajectory_id = (SELECT id FROM trajectories WHERE session_id = 'session 1')";
  onDataset(`CREATE TABLE late AS SELECT * FROM trajectory_turns WHERE ${some};
    DELETE FROM trajectory_turns WHERE ${some}; UPDATE sessions SET turns = 5`);
  expect(await compile()).toMatchObject({ compiled: 0, known: 1, notYet: 1 });
  expect(await compile('--force')).toMatchObject({ compiled: 1, notYet: 1 });
  onDataset('INSERT INTO trajectory_turns SELECT * FROM late');
  expect(await compile('--force')).toMatchObject({ compiled: 2, notYet: 0 });
  expect(await compile()).toMatchObject({ compiled: 0, known: 2 });
});

it('compile keeps the digest of every row, by the key of the data directory, through being compiled again', async () => {
  const reader = await openAuditReader({ url: env.TC_POSTGRES_URL!, table: 'public.audit_log' });
  const dataset = openDataset(join(dataDir, 'qa_pairs.sqlite'));
  try {
    const { digestOf } = createDigester(readFileSync(join(dataDir, 'digest.key'), 'utf8').trim());
    const rows = await reader.readRows(Array.from({ length: 24 }, (_, n) => String(n + 1)));
    const keys = rows.map(({ rowKey }) => rowKey);
    const held = rowsHeld(dataset, reader.source, keys);
    expect(keys.map((key) => held.get(key)?.map(({ digest }) => digest))).toEqual(rows.map((row) => [digestOf(row)]));
    expect(rows).toHaveLength(24);
  } finally {
    dataset.close();
    await reader.close();
  }
});
