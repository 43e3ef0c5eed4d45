/** A stage that can't go on ends the whole process, which says why; the next start does what was left undone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lastJson, runCli, startCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { settingsFor, trajectoriesOf } from './pipe.ts';

let postgres: TestPostgres;
let dir: string;

beforeAll(async () => {
  postgres = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'tc-faults-'));
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** An empty log with a slot, and the settings to capture it. */
async function logOf(name: string): Promise<Record<string, string>> {
  const url = await postgres.createDatabase();
  const env = { ...settingsFor(url, join(dir, name)), TC_POSTGRES_SLOT: name, TC_SESSION_IDLE_TIMEOUT: '1s' };
  const { code, stderr } = await runCli(['init', '--create-table'], { env });
  expect(code, stderr).toBe(0);
  return env;
}

/** Sessions of twelve rows each, in which something is read, changed and read again. */
const insert = (env: Record<string, string>, sessions: number) =>
  queryOn(
    env.TC_POSTGRES_URL!,
    `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
     SELECT 's' || s, 'tester', (ARRAY['read', 'set', 'wait'])[1 + n % 3], jsonb_build_object('item', 'lamp'), jsonb_build_object('level', n / 3)
       FROM generate_series(1, $1::int) AS s, generate_series(1, 12) AS n`,
    [String(sessions)],
  );

describe('a file that refuses to be written', () => {
  it.each([
    ['journal.sqlite', 'INSERT ON chunks', 'capture'],
    ['journal.sqlite', 'UPDATE ON sealed', 'publishing'],
    ['calls.sqlite', 'INSERT ON segments', 'compiling'],
    ['topics.sqlite', 'UPDATE ON deliveries', 'consuming'],
    ['journal.sqlite', 'DELETE ON sealed', 'forgetting what is finished'],
    ['qa_pairs.sqlite', 'INSERT ON trajectories', 'the sink'],
  ])('%s, %s: %s ends the process, and nothing is lost', async (file, event, _stage) => {
    const env = await logOf(`f${file}_${event}`.toLowerCase().replaceAll(/\W/g, '_'));
    const path = join(env.TC_DATA_DIR!, file);
    expect((await runCli(['run', '--once'], { env })).code).toBe(0);
    change(path, `CREATE TRIGGER refuse BEFORE ${event} BEGIN SELECT RAISE(ABORT, 'refused for a test'); END`);
    const running = startCli(['run'], { env });
    await insert(env, 5);
    const { code, stderr } = await running.finished;
    expect(code, stderr).toBe(1);
    expect(stderr).toContain(`${path} can't be used: refused for a test`);
    change(path, 'DROP TRIGGER refuse');
    expect(lastJson(await runCli(['run', '--until-idle', '--json'], { env }))).toMatchObject({
      rows: 60,
      sessions: 5,
      open: 0,
      trajectories: 5,
      parked: 0,
    });
    const stored = trajectoriesOf(env.TC_DATA_DIR!);
    expect(stored.map(({ sessionId, turns }) => [sessionId, turns.length])).toEqual(
      [1, 2, 3, 4, 5].map((s) => [`s${s}`, 12]),
    );
  });
});

function change(path: string, sql: string): void {
  const db = new Database(path);
  try {
    db.exec(sql);
  } finally {
    db.close();
  }
}
