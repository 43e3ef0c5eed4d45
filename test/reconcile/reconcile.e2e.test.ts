import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { pause } from '../../src/lifecycle.ts';
import { createMetrics } from '../../src/metrics/registry.ts';
import { openPipeline } from '../../src/pipeline.ts';
import { reconcile } from '../../src/reconciling.ts';
import { initialise } from '../../src/setup.ts';
import { countIn, settingsFor, trajectoriesOf } from '../e2e/pipe.ts';
import { silent } from '../support/capture.ts';
import { runCli, startCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let dir: string;
let url: string;
let env: Record<string, string>;
let cases = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'tc-reconcile-'));
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  cases += 1;
  url = await postgres.createDatabase();
  env = {
    ...settingsFor(url, join(dir, `case-${cases}`)),
    TC_POSTGRES_SLOT: `reconcile_${cases}`,
    TC_SESSION_IDLE_TIMEOUT: '1s',
  };
});

const quiet = new AbortController().signal;
const config = () => loadConfig({ env, flags: {} }).config;

const init = (createTable = true) => initialise(config(), { createTable });

/** As `run --once` or `run --until-idle` do, without a process of their own. */
async function run(until: 'once' | 'idle'): Promise<void> {
  const options = { log: silent, metrics: createMetrics('0.0.0'), drain: quiet, abort: quiet };
  const pipeline = await openPipeline({ config: config(), from: 'now', until, ...options });
  try {
    await pipeline.run();
  } finally {
    await pipeline.close();
  }
}

/** As the command does, without a process of its own. */
const compare = (repair = false) =>
  reconcile({
    config: config(),
    log: silent,
    version: '0.0.0',
    range: { since: null, until: null },
    repair,
    drain: quiet,
    abort: quiet,
    onProgress: () => {},
    note: () => {},
  });

/** `count` rows of a session, one statement. */
const insert = (sessionId: string | null, count: number, agent = 'tester') =>
  queryOn(
    url,
    `INSERT INTO audit_log (session_id, agent, tool, response)
     SELECT $1, $3, 'probe', jsonb_build_object('n', n) FROM generate_series(1, $2::int) AS n`,
    [sessionId, String(count), agent],
  );

const file = (name: string) => join(env.TC_DATA_DIR!, name);
const edit = (name: string, sql: string) => {
  const db = new Database(file(name), { timeout: 10_000 });
  db.exec(sql);
  db.close();
};
const idOf = (sessionId: string) =>
  trajectoriesOf(env.TC_DATA_DIR!).find((trajectory) => trajectory.sessionId === sessionId)!.id;
const delivered = () => countIn(file('qa_pairs.sqlite'), 'SELECT count(*) FROM trajectories');

describe('reconcile', () => {
  it('accounts for every row once, and finds each that was changed, deleted or lost', async () => {
    await queryOn(
      url,
      `CREATE TABLE audit_log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, session_id text, agent text, tool text,
         response jsonb, created_at timestamptz DEFAULT clock_timestamp())`,
    );
    await insert('before', 3);
    await init(false);
    env.TC_CAPTURE_EXCLUDE = '[{"column":"agent","equals":"robot"}]';
    for (const session of ['a', 'b', 'c']) await insert(session, 12);
    await insert('robotic', 5, 'robot');
    await insert('short', 4);
    await insert(null, 2);
    await run('idle');
    await insert('behind', 3);
    expect(await compare()).toMatchObject({
      faults: 0,
      total: {
        rows: 53,
        classes: { dataset: 36, open: 4, excluded: 5, no_session: 2, unread: 3, behind: 3 },
        gone: 0,
        notCompared: 0,
      },
    });

    await run('once');
    const keys = await queryOn(url, 'SELECT session_id, min(id) AS id FROM audit_log GROUP BY 1');
    const keyOf = Object.fromEntries(keys.map(({ session_id, id }) => [session_id, id!]));
    await queryOn(url, `UPDATE audit_log SET response = '{"n": 99}' WHERE id = ${keyOf.a}`);
    await queryOn(url, `UPDATE audit_log SET created_at = created_at - interval '2 days' WHERE id = ${keyOf.short}`);
    await queryOn(url, `DELETE FROM audit_log WHERE id = ${Number(keyOf.b) + 1}`);
    edit('qa_pairs.sqlite', `DELETE FROM trajectory_turns WHERE row_key = '${keyOf.c}'`);
    const { code, stdout, stderr } = await runCli(['reconcile', '--json'], { env });
    expect(code, stderr).toBe(1);
    const summary = JSON.parse(stdout.trim().split('\n').at(-1)!);
    expect(summary).toMatchObject({
      summary: { rows: 52, classes: { dataset: 33, open: 6, altered: 2, lost: 1, unread: 3 }, gone: 1 },
      faults: 4,
    });
    expect(summary.named.map(({ fault, rowKey }: Record<string, string>) => [fault, rowKey]).sort()).toEqual([
      ['altered', keyOf.a],
      ['altered', keyOf.short],
      ['lost', keyOf.c],
    ]);
    expect(stderr).toMatch(/4 rows of 52 not accounted for: 2 altered, 1 lost, 1 gone/);
  });

  it('takes in what is missing and sends again what is lost, once', async () => {
    await init();
    await insert('lost', 12);
    await insert('kept', 12);
    await run('idle');
    await insert('missing', 12);
    await run('idle');
    const missing = idOf('missing');
    for (const session of ['lost', 'missing']) {
      const its = `trajectory_id = (SELECT id FROM trajectories WHERE session_id = '${session}')`;
      edit('qa_pairs.sqlite', `DELETE FROM trajectory_turns WHERE ${its}; DELETE FROM compilations WHERE ${its}`);
      edit('qa_pairs.sqlite', `DELETE FROM trajectories WHERE session_id = '${session}'`);
    }
    // As if the last rows had never come: neither the ledger nor the topics have heard of them.
    edit('journal.sqlite', 'DELETE FROM ledger WHERE id = (SELECT max(id) FROM ledger)');
    edit('topics.sqlite', `DELETE FROM finished_ids WHERE id LIKE '${missing}%'`);
    expect(await compare()).toMatchObject({ total: { rows: 36, classes: { dataset: 12, missing: 12, lost: 12 } } });
    expect(await compare(true)).toMatchObject({ faults: 0, repaired: { rowsTaken: 12, resent: 1, notRebuilt: [] } });
    await run('idle');
    expect(await compare(true)).toMatchObject({
      faults: 0,
      repaired: null,
      total: { rows: 36, classes: { dataset: 36 }, gone: 0 },
    });
  });

  it('sends a lost trajectory again as itself, whatever its session goes on with, and names one that it can not', async () => {
    await init();
    await insert('goes on', 12);
    await insert('cut', 12);
    await run('idle');
    const ids = [idOf('goes on'), idOf('cut')];
    env.TC_SESSION_IDLE_TIMEOUT = '1h';
    await insert('goes on', 12);
    await run('once');
    const cut = `SELECT min(id) FROM audit_log WHERE session_id = 'cut'`;
    await queryOn(url, `DELETE FROM audit_log WHERE id = (${cut})`);
    for (const id of ids)
      edit('qa_pairs.sqlite', `DELETE FROM trajectory_turns WHERE trajectory_id = '${id}' AND turn = 5`);
    const repaired = { rowsTaken: 0, resent: 1, notRebuilt: [{ trajectoryId: ids[1], reason: 'other_rows' }] };
    expect(await compare(true)).toMatchObject({ repaired, total: { classes: { open: 12, lost: 1 } } });
    await run('once');
    const held = trajectoriesOf(env.TC_DATA_DIR!).map(({ id, part, turns }) => [ids.indexOf(id), part, turns.length]);
    expect(held.sort()).toEqual([
      [0, 0, 12],
      [1, 0, 11],
    ]);
  });

  it('raises no false alarm while rows are written, and has the running capture mend what is lost', async () => {
    await init();
    await queryOn(url, 'CREATE INDEX ON audit_log (created_at)');
    const running = startCli(['run'], { env });
    const writing = new AbortController();
    const writer = write(writing.signal);
    try {
      await vi.waitFor(() => expect(delivered()).toBeGreaterThan(3), { timeout: 30_000, interval: 50 });
      for (let round = 0; round < 3; round += 1) {
        const { faults, total, named } = await compare();
        expect({ faults, behind: total.classes.behind ?? 0, named }).toEqual({ faults: 0, behind: 0, named: [] });
      }
      edit(
        'qa_pairs.sqlite',
        `DELETE FROM trajectory_turns WHERE rowid IN (SELECT rowid FROM trajectory_turns LIMIT 1)`,
      );
      expect(await compare()).toMatchObject({ faults: 1, total: { classes: { lost: 1 } } });
      expect(await compare(true)).toMatchObject({ faults: 0, repaired: { rowsTaken: 0, resent: 1, notRebuilt: [] } });
    } finally {
      writing.abort();
      await writer;
      running.child.kill('SIGTERM');
      await running.finished;
    }
    await run('idle');
    const { total, faults } = await compare();
    expect({ faults, classes: total.classes }).toEqual({ faults: 0, classes: { dataset: total.rows } });
  });
});

/** A session after the other, some of them in transactions that stay open for a while. */
async function write(signal: AbortSignal): Promise<void> {
  const held: Promise<unknown>[] = [];
  for (let n = 0; !signal.aborted; n += 1) {
    await insert(`live-${n}`, 12);
    if (n % 10 === 0) held.push(queryOn(url, insertHeld(`held-${n}`)));
    await pause(20, signal);
  }
  await Promise.all(held);
}

/** Its rows are older than others that can be seen before them. */
const insertHeld = (sessionId: string) =>
  `BEGIN; INSERT INTO audit_log (session_id, tool) SELECT '${sessionId}', 'late' FROM generate_series(1, 12);
   SELECT pg_sleep(0.5); COMMIT; SELECT 1`;
