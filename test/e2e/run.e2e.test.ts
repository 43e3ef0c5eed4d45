import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { pause } from '../../src/lifecycle.ts';
import { lastJson, type Running, runCli, startCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { countIn, settingsFor, trajectoriesOf } from './pipe.ts';

let postgres: TestPostgres;
let dir: string;
let url: string;
let env: Record<string, string>;
let cases = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'tc-run-'));
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A database, a slot and a data directory for each test. */
beforeEach(async () => {
  cases += 1;
  url = await postgres.createDatabase();
  env = { ...settingsFor(url, join(dir, `case-${cases}`)), TC_POSTGRES_SLOT: `case_${cases}` };
});

const init = async () => {
  const result = await runCli(['init', '--create-table'], { env });
  expect(result.code, result.stderr).toBe(0);
};

/** `count` rows of a session, one statement. */
const insert = (sessionId: string, count: number) =>
  queryOn(
    url,
    `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
     SELECT $1, 'tester', 'probe', jsonb_build_object('n', n), jsonb_build_object('seen', n) FROM generate_series(1, $2::int) AS n`,
    [sessionId, String(count)],
  );

const journalRows = () =>
  countIn(join(env.TC_DATA_DIR!, 'journal.sqlite'), "SELECT n FROM counters WHERE name = 'rows'");
const until = (condition: () => void | Promise<void>) => vi.waitFor(condition, { timeout: 30_000, interval: 20 });

async function ended(running: Running, signal: NodeJS.Signals) {
  running.child.kill(signal);
  return await running.finished;
}

describe('run --once', () => {
  it('takes in what is committed, closes what is idle by then, and leaves the rest open', async () => {
    await init();
    await insert('early', 12);
    await until(async () => {
      const [row] = await queryOn(
        url,
        "SELECT (clock_timestamp() > max(created_at) + interval '3 s')::text AS idle FROM audit_log",
      );
      expect(row?.idle).toBe('true');
    });
    await insert('late', 12);
    // Kept awake, however long a start takes.
    const running = startCli(['run', '--once', '--json'], { env });
    let over = false;
    const ended = running.finished.finally(() => {
      over = true;
    });
    let late = 12;
    for (; !over; late += 1) {
      await insert('late', 1);
      await Promise.race([ended, pause(300)]);
    }
    const first = await ended;
    expect(lastJson(first)).toMatchObject({ sessions: 2, open: 1, trajectories: 1, parked: 0 });
    expect(first.stderr).toMatch(/the slot retains .* of WAL/);
    await until(async () => {
      const next = lastJson(await runCli(['run', '--once', '--json'], { env }));
      expect(next).toMatchObject({ rows: 12 + late, open: 0, trajectories: 2 });
    });
  });

  it('ends on an empty table, with every figure at 0', async () => {
    await init();
    expect(lastJson(await runCli(['run', '--once', '--json'], { env }))).toEqual({
      rows: 0,
      sessions: 0,
      open: 0,
      trajectories: 0,
      belowMinTurns: 0,
      pairs: 0,
      rejected: 0,
      parked: 0,
      costUsd: 0,
    });
  });
});

describe('stopping', () => {
  it('closes no session: the next start carries on with the rows that came meanwhile', async () => {
    env.TC_SESSION_IDLE_TIMEOUT = '1h';
    await init();
    const running = startCli(['run'], { env });
    await insert('kept', 8);
    await until(() => expect(journalRows()).toBe(8));
    const stopped = await ended(running, 'SIGTERM');
    expect(stopped.code, stopped.stderr).toBe(0);
    expect(stopped.stderr).toContain('stopping: what is in work is finished first');
    await insert('kept', 4);
    const next = lastJson(await runCli(['run', '--once', '--json'], { env }));
    expect(next).toMatchObject({ rows: 12, sessions: 1, open: 1, trajectories: 0 });
  });

  it('leaves no WAL behind that it has on disk', async () => {
    await init();
    const running = startCli(['run'], { env });
    await insert('done', 50);
    await until(() => expect(journalRows()).toBe(50));
    await ended(running, 'SIGINT');
    const [slot] = await queryOn(
      url,
      `SELECT (confirmed_flush_lsn >= (SELECT max(pg_current_wal_lsn()) FROM audit_log) - 8192)::text AS close
         FROM pg_replication_slots WHERE slot_name = '${env.TC_POSTGRES_SLOT}'`,
    );
    expect(slot?.close).toBe('true');
  });
});

describe('a quiet log', () => {
  it('closes its sessions though nothing is written any more', async () => {
    await init();
    const running = startCli(['run'], { env });
    await insert('quiet', 11);
    await until(() =>
      expect(countIn(join(env.TC_DATA_DIR!, 'qa_pairs.sqlite'), 'SELECT count(*) FROM trajectories')).toBe(1),
    );
    expect((await ended(running, 'SIGTERM')).code).toBe(0);
  });
});

describe('metrics', () => {
  it('are served while it runs, with health and readiness', async () => {
    const port = await freePort();
    env.TC_METRICS_PORT = String(port);
    await init();
    const running = startCli(['run'], { env });
    await insert('measured', 12);
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: response.status, text: await response.text() };
    };
    await until(async () =>
      expect((await get('/metrics')).text).toContain('tc_sink_writes_total{sink="sqlite",outcome="ok"} 1'),
    );
    const { text } = await get('/metrics');
    expect(text).toContain('tc_source_rows_total 12');
    expect(text).toContain('tc_sessions_open 0');
    expect(text).toContain('tc_parts_closed_total{reason="idle"} 1');
    expect(text).toContain('tc_outbox_depth 0');
    expect(text).toContain('tc_topic_depth{topic="trajectories",group="compile"} 0');
    expect(text).toMatch(/tc_trajectories_compiled_total\{outcome="\w+"\} 1/);
    expect(text).toMatch(/tc_source_watermark_delay_seconds \d/);
    expect(text).toMatch(/tc_slot_retained_bytes \d/);
    expect(await get('/healthz')).toEqual({ status: 200, text: 'ok\n' });
    expect((await get('/readyz')).status).toBe(200);
    expect(text).not.toContain('measured');
    await ended(running, 'SIGTERM');
  });

  it('on a port that somebody chose and that is taken are a configuration error', async () => {
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    env.TC_METRICS_PORT = String(port);
    await init();
    const { code, stderr } = await runCli(['run'], { env });
    other.close();
    expect(code).toBe(3);
    expect(stderr).toMatch(/can't listen on 127\.0\.0\.1:\d+.*set metrics\.port/);
  });
});

describe('a start that can not work says what to do', () => {
  it('without a connection string', async () => {
    const { TC_POSTGRES_URL: _, ...without } = env;
    const { code, stderr } = await runCli(['run'], { env: without });
    expect(code).toBe(3);
    expect(stderr).toMatch(/postgres\.url is not set.*TC_POSTGRES_URL/);
  });

  it('where there is no server', async () => {
    const { code, stderr } = await runCli(['run', '--once'], {
      env: { ...env, TC_POSTGRES_URL: `postgres://nobody:not-a-real-password@127.0.0.1:${await freePort()}/none` },
    });
    expect(code).toBe(5);
    expect(stderr).toMatch(/cannot connect at nobody@127\.0\.0\.1:\d+\/none/);
    expect(stderr).not.toContain('not-a-real-password');
  });

  it('where the table, or the publication and slot, are missing', async () => {
    const noTable = await runCli(['run'], { env });
    expect(noTable.code).toBe(3);
    expect(noTable.stderr).toMatch(/no table public\.audit_log.*init --create-table/);
    await queryOn(url, 'CREATE TABLE audit_log (id bigint PRIMARY KEY, session_id text)');
    const noSlot = await runCli(['run'], { env });
    expect(noSlot.code).toBe(3);
    expect(noSlot.stderr).toMatch(/run init/);
  });

  it('where the role may read and replicate, and create neither publication nor table', async () => {
    await init();
    const role = `reader_${cases}`;
    await queryOn(url, `CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'not-a-real-password'`);
    await queryOn(url, `GRANT SELECT, INSERT ON audit_log TO ${role}`);
    const reader = new URL(url);
    reader.username = role;
    reader.password = 'not-a-real-password';
    const asReader = { env: { ...env, TC_POSTGRES_URL: reader.href } };
    expect(lastJson(await runCli(['init', '--json'], asReader))).toEqual({ created: [], rowsBefore: 0 });
    const line = `{"session_id": "s", "created_at": "2026-01-05T08:26:59Z"}\n`;
    expect(lastJson(await runCli(['load', '-', '--create', '--json'], { ...asReader, stdin: line }))).toMatchObject({
      rows: 1,
    });
    expect((await runCli(['teardown'], { env })).code).toBe(0);
    const refused = await runCli(['init'], asReader);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(
      /permission denied.*owner of the table.*\n {2}CREATE PUBLICATION .*"public"\."audit_log"/,
    );
    expect(refused.stderr).not.toContain('not-a-real-password');
    await queryOn(url, `DROP OWNED BY ${role}`);
    await queryOn(url, `DROP ROLE ${role}`);
  });

  it('where another process captures into the same data directory', async () => {
    await init();
    const running = startCli(['run'], { env });
    await until(() => expect(existsSync(join(env.TC_DATA_DIR!, 'journal.sqlite'))).toBe(true));
    const second = await runCli(['run', '--once'], { env });
    expect(second.code).toBe(3);
    expect(second.stderr).toMatch(/another process captures into/);
    await ended(running, 'SIGTERM');
  });

  it.each([
    [
      'damaged',
      /journal .* is damaged or not a SQLite file/,
      (path: string) => writeFileSync(path, 'no database at all'),
    ],
    [
      'of a newer version',
      /journal .* was written by a newer version/,
      (path: string) => {
        const db = new Database(path);
        db.pragma('user_version = 999');
        db.close();
      },
    ],
  ])('where the journal is %s, and touches nothing', async (_, message, spoil) => {
    await init();
    await runCli(['run', '--once'], { env });
    const path = join(env.TC_DATA_DIR!, 'journal.sqlite');
    for (const ending of ['-wal', '-shm']) rmSync(`${path}${ending}`, { force: true });
    spoil(path);
    await insert('waiting', 12);
    const { code, stderr } = await runCli(['run', '--once'], { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });

  it('where a tier asks a model and there is no key for it; a key alone is no wish to ask one', async () => {
    await init();
    const { code, stderr } = await runCli(['run', '--once', '--tier', 'cheap'], { env });
    expect(code).toBe(3);
    expect(stderr).toMatch(/GEMINI_API_KEY/);
    const key = { GEMINI_API_KEY: 'not-a-real-key' };
    const mentioned = await runCli(['run', '--once', '--json'], { env: { ...env, ...key } });
    expect(mentioned.stderr.match(/a Gemini key is set and not used/g)).toHaveLength(1);
    expect(lastJson(mentioned)).toMatchObject({ costUsd: 0 });
  });

  it('where words on the command line are wrong', async () => {
    expect((await runCli(['run', '--onse'], { env })).code).toBe(2);
    expect((await runCli(['sample', '--qa-type', 'riddle'], { env })).code).toBe(2);
    expect((await runCli(['stats'], { env })).stderr).toMatch(/no dataset at/);
  });
});

describe('what compile took from the table', () => {
  const stored = () => trajectoriesOf(env.TC_DATA_DIR!).map(({ turns }) => turns.map(({ rowKey }) => Number(rowKey)));
  const compile = async () => lastJson(await runCli(['compile', '--json'], { env }));
  const idle = () =>
    until(async () => {
      const sql = "SELECT (clock_timestamp() > max(created_at) + interval '3 s')::text AS idle FROM audit_log";
      expect((await queryOn(url, sql))[0]?.idle).toBe('true');
    });

  it('is in one trajectory only, though the slot brings it too, and later rows go on in the next part', async () => {
    await init();
    await insert('taken', 12);
    await idle();
    expect(await compile()).toMatchObject({ compiled: 1 });
    await insert('taken', 11);
    const totals = lastJson(await runCli(['run', '--until-idle', '--json'], { env }));
    expect(totals).toMatchObject({ rows: 11, trajectories: 1 });
    const rows = stored();
    expect(rows.map((keys) => keys.length).sort()).toEqual([11, 12]);
    expect(new Set(rows.flat()).size).toBe(23);
    expect(await compile()).toMatchObject({ compiled: 0, known: 2 });
  });

  it('is in one trajectory only when history is read into the same data directory', async () => {
    await init();
    await insert('taken', 12);
    await idle();
    await compile();
    await insert('taken', 3);
    const args = ['run', '--until-idle', '--json', '--from', 'beginning'];
    expect(lastJson(await runCli(args, { env }))).toMatchObject({ rows: 3, trajectories: 0, belowMinTurns: 1 });
    expect(stored().map((keys) => keys.length)).toEqual([12]);
  });

  it('moves on to further sessions each time, up to its limit', async () => {
    await init();
    for (const session of ['a', 'b', 'c']) await insert(session, 12);
    await idle();
    const some = async () => lastJson(await runCli(['compile', '--limit', '2', '--json'], { env }));
    expect(await some()).toMatchObject({ total: 3, compiled: 2, known: 0 });
    expect(await some()).toMatchObject({ total: 3, compiled: 1, known: 2 });
    expect(await some()).toMatchObject({ total: 3, compiled: 0, known: 3 });
  });
});

describe('rows that are hard to carry', () => {
  it('are carried, or counted under a reason', async () => {
    await queryOn(
      url,
      `CREATE TABLE audit_log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, session_id text, agent text, tool text,
         arguments json, response json, created_at timestamptz DEFAULT clock_timestamp())`,
    );
    await init();
    await insert('hard', 5);
    await queryOn(url, `INSERT INTO audit_log (session_id, tool, response) VALUES (NULL, 'lost', '{}')`);
    await queryOn(
      url,
      `INSERT INTO audit_log (session_id, tool, arguments, response) VALUES
         ('hard', 'escapes', '{"nul":"a\\u0000b","half":"\\ud83d"}', '{"big": 9007199254740993, "price": 1.10}'),
         ('hard', 'large', '{}', json_build_object('text', repeat('0123456789', 3000000)))`,
    );
    await insert('hard', 5);
    const totals = lastJson(await runCli(['run', '--until-idle', '--json'], { env }));
    // The large row takes the part over maxBytes; it is sealed as soon as it is long enough, with all its neighbours.
    expect(totals).toMatchObject({ rows: 12, sessions: 1, trajectories: 1, belowMinTurns: 1, parked: 0 });
    const [trajectory] = trajectoriesOf(env.TC_DATA_DIR!);
    const escapes = trajectory?.turns.find(({ tool }) => tool === 'escapes');
    expect(escapes?.arguments).toBe('{"nul":"a\\u0000b","half":"\\ud83d"}');
    expect(escapes?.response).toBe('{"big": 9007199254740993, "price": 1.10}');
    expect(trajectory?.turns.find(({ tool }) => tool === 'large')?.response?.length).toBeGreaterThan(30_000_000);
    const skipped = countIn(
      join(env.TC_DATA_DIR!, 'journal.sqlite'),
      "SELECT n FROM counters WHERE name = 'skipped' AND label = 'no_session'",
    );
    expect(skipped).toBe(1);
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
