import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let dataDir: string;
let env: Record<string, string>;

beforeAll(async () => {
  postgres = await startPostgres();
  dataDir = mkdtempSync(join(tmpdir(), 'tc-session-'));
  const url = await postgres.createDatabase();
  env = { TC_POSTGRES_URL: url, TC_DATA_DIR: dataDir };
  await queryOn(
    url,
    `CREATE TABLE audit_log (id bigint PRIMARY KEY, session_id text, agent text, tool text, arguments jsonb,
       response jsonb, created_at timestamptz);
     INSERT INTO audit_log SELECT n, 'session ' || n % 3, 'tester', 'probe', jsonb_build_object('n', n),
       jsonb_build_object('seen', n), timestamptz '2026-01-05 08:00Z' + n * interval '1 s' FROM generate_series(1, 36) n`,
  );
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

/** In this process: what it printed, and what it said beside. */
async function run(...args: string[]) {
  const said = { out: '', err: '' };
  const terminal = {
    env,
    version: '0',
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
  };
  const code = await runCommandLine(['--log-level', 'error', '--json', ...args], terminal);
  return { code, ...said };
}

function onDataset<T>(use: (db: Database.Database) => T): T {
  const db = new Database(join(dataDir, 'qa_pairs.sqlite'));
  try {
    return use(db);
  } finally {
    db.close();
  }
}

it('compile --session works on that session alone, and on what of it was left out for its shape', async () => {
  const compile = async (...flags: string[]) => JSON.parse((await run('compile', ...flags)).out);
  const skipped = () =>
    onDataset((db) => db.prepare("SELECT session_id FROM segments WHERE outcome = 'skipped'").pluck().all());

  expect(await compile('--session', 'session 1')).toMatchObject({ sessions: 1, total: 1, compiled: 1 });
  expect(await compile()).toMatchObject({ compiled: 2, known: 1 });
  onDataset((db) =>
    db.exec("UPDATE segments SET outcome = 'skipped', reason = 'coverage', generation = '0 ' || generation"),
  );
  expect(await compile()).toMatchObject({ compiled: 0, known: 3 });
  expect(skipped()).toHaveLength(3);
  const asked = await compile('--session', 'session 0', '--session', 'session 2', '--session', 'session 0');
  expect(asked).toMatchObject({ sessions: 2, compiled: 2, known: 0 });
  expect(skipped()).toEqual(['session 1']);

  expect(await run('compile', '--session', 'session 9')).toMatchObject({
    code: 1,
    err: expect.stringContaining('the table holds no session session 9'),
  });
});
