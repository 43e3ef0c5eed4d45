import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { until } from '../support/capture.ts';
import { type Finished, lastJson, runCli, startCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { countIn, type StoredTrajectory, settingsFor, trajectoriesOf } from './pipe.ts';

let postgres: TestPostgres;
let dir: string;
let url: string;
let env: Record<string, string>;
let cases = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'tc-backfill-'));
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  cases += 1;
  url = await postgres.createDatabase();
  env = { ...settingsFor(url, join(dir, `case-${cases}`)), TC_POSTGRES_SLOT: `backfill_${cases}` };
});

/** One command in this process: starts are what costs time. */
const run = async (args: string[], more: Record<string, string> = {}): Promise<Finished> => {
  const said = { stdout: '', stderr: '' };
  const code = await runCommandLine(args, {
    env: { ...env, ...more },
    out: (text) => {
      said.stdout += text;
    },
    err: (text) => {
      said.stderr += text;
    },
    version: 'test',
  });
  return { code, signal: null, ...said };
};
const succeed = async (args: string[], more: Record<string, string> = {}) => {
  const { code, stderr } = await run(args, more);
  expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
};
const json = async (args: string[]) => lastJson(await run([...args, '--json']));
/** A process of its own that is to die at a crash point. */
const dies = async (args: string[], at: string, more: Record<string, string> = {}) => {
  const { signal, stderr } = await runCli(args, { env: { ...env, ...more, TRAJECTORY_COMPILER_CRASH_AT: at } });
  expect(signal, `${at}: ${stderr}`).toBe('SIGKILL');
};

/** Twelve rows of each session, `ago` a Postgres interval. */
const insert = (sessions: string[], ago = '0 s') =>
  queryOn(
    url,
    `INSERT INTO audit_log (session_id, agent, tool, response, created_at)
     SELECT s, 'tester', 'probe', jsonb_build_object('n', n), clock_timestamp() - $2::interval + n * interval '1 ms'
       FROM unnest($1::text[]) AS s, generate_series(1, 12) AS n`,
    [sessions as never, ago],
  );

/** By the server's word: who tries the lock of the data directory may keep the capture from it. */
const captures = async () => {
  const sql = 'SELECT active::text FROM pg_replication_slots WHERE slot_name = $1';
  return (await queryOn(url, sql, [env.TC_POSTGRES_SLOT!]))[0]?.active === 'true';
};

/** Every row of the table is in exactly one trajectory, and nothing else is. */
async function expectEveryRowOnce(): Promise<void> {
  expect(keysOf(trajectoriesOf(env.TC_DATA_DIR!))).toEqual(await keysOfTable());
}

const keysOf = (stored: StoredTrajectory[]) =>
  stored.flatMap(({ turns }) => turns.map(({ rowKey }) => Number(rowKey))).sort((a, b) => a - b);
const keysOfTable = async () =>
  (await queryOn(url, 'SELECT id FROM audit_log ORDER BY id')).map(({ id }) => Number(id));

describe('backfill', () => {
  it('takes in what a first start from now left unread, from the given time on, and nothing twice', async () => {
    await succeed(['init', '--create-table']);
    await insert(['a', 'b'], '2 days');
    await insert(['c'], '5 days');
    // What lies before the slot of a first start.
    await succeed(['teardown']);
    await succeed(['init']);
    await insert(['d']);
    await succeed(['run', '--until-idle']);
    const since = new Date(Date.now() - 3 * 86_400_000).toISOString();
    expect(await json(['backfill', '--since', since])).toMatchObject({ state: 'done', rowsRead: 36, rowsTaken: 24 });
    expect(await json(['backfill', '--since', '2020-01-01'])).toMatchObject({ rowsRead: 48, rowsTaken: 12 });
    expect(await json(['backfill', '--since', '2020-01-01'])).toMatchObject({ rowsRead: 48, rowsTaken: 0 });
    await succeed(['run', '--until-idle']);
    await expectEveryRowOnce();
    expect(trajectoriesOf(env.TC_DATA_DIR!).map(({ sessionId }) => sessionId)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('works beside a capture that goes on taking rows in', async () => {
    await succeed(['init', '--create-table']);
    await insert(['old-1', 'old-2'], '1 day');
    await succeed(['teardown']);
    await succeed(['init']);
    const running = startCli(['run'], { env });
    await until('the capture', captures);
    const writing = new AbortController();
    const write = async () => {
      for (let n = 0; !writing.signal.aborted; n++) await insert([`new-${n}`]);
    };
    const written = write();
    const asked = await run(['backfill', '--since', '2020-01-01', '--json']);
    writing.abort();
    await written;
    expect(asked.stderr).toContain('a capture runs in this data directory');
    expect(lastJson(asked)).toMatchObject({ state: 'done', rowsTaken: 24 });
    running.child.kill('SIGTERM');
    expect((await running.finished).code).toBe(0);
    await succeed(['run', '--until-idle']);
    await expectEveryRowOnce();
  });

  it('goes on after a crash in the middle of it, with the same trajectories', async () => {
    await succeed(['init', '--create-table']);
    await insert(['a', 'b', 'c'], '1 day');
    await succeed(['teardown']);
    await succeed(['init']);
    await succeed(['run', '--once']);
    await dies(['backfill', '--since', '2020-01-01', '--capture-batch-rows', '5'], 'injection.reading:3');
    expect(countIn(`${env.TC_DATA_DIR}/journal.sqlite`, 'SELECT count(*) FROM parts')).toBeGreaterThan(0);
    await dies(['run', '--until-idle'], 'injection.done');
    await succeed(['run', '--until-idle']);
    await expectEveryRowOnce();
    expect(trajectoriesOf(env.TC_DATA_DIR!).map(({ turns }) => turns.length)).toEqual([12, 12, 12]);
  });

  it('says what is wrong with a date or a table without times', async () => {
    await succeed(['init', '--create-table']);
    for (const since of ['yesterday', '2026-06-31', '2026-06-30T24:30:00Z']) {
      const wrong = await run(['backfill', '--since', since]);
      expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('2026-11-01') });
    }
    // Refused, and not kept for a later start either.
    const away = await run(['backfill', '--since', '2020-01-01'], { TC_POSTGRES_SLOT: 'nowhere' });
    expect(away).toMatchObject({ code: 3, stderr: expect.stringContaining('nowhere') });
    expect(countIn(`${env.TC_DATA_DIR}/requests.sqlite`, "SELECT count(*) FROM requests WHERE state <> 'failed'")).toBe(
      0,
    );
    const reversed = await run(['backfill', '--since', '2026-11-02', '--until', '2026-11-01']);
    expect(reversed).toMatchObject({ code: 2, stderr: expect.stringContaining('is not before') });
    const timeless = await run(['backfill', '--since', '2020-01-01', '--columns-time', '-']);
    expect(timeless).toMatchObject({ code: 1, stderr: expect.stringContaining('set columns.time') });
  });
});

describe('recover', () => {
  it('makes a new slot and takes in what was committed without one, wherever it is cut short', async () => {
    await succeed(['init', '--create-table']);
    await insert(['before']);
    // Open over the loss: its rows meet again.
    const long = { TC_SESSION_IDLE_TIMEOUT: '1h' };
    await succeed(['run', '--once'], long);
    await queryOn(url, 'SELECT pg_drop_replication_slot($1)', [env.TC_POSTGRES_SLOT]);
    await insert(['before', 'gap']);
    const refused = await run(['run', '--once'], long);
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('recover') });

    await dies(['recover'], 'recover.created', long);
    await insert(['between']);
    await dies(['recover'], 'recover.adopted', long);
    await insert(['after']);
    await succeed(['run', '--once'], long);
    await succeed(['run', '--until-idle']);
    await expectEveryRowOnce();
    const turns = Object.fromEntries(trajectoriesOf(env.TC_DATA_DIR!).map((t) => [t.sessionId, t.turns.length]));
    expect(turns).toEqual({ after: 12, before: 24, between: 12, gap: 12 });
  });

  it('says that keys were given again, as by a standby that never had their rows, and takes those in where asked', async () => {
    await succeed(['init', '--create-table']);
    await insert(['kept', 'unreplicated']);
    await succeed(['run', '--once']);
    await queryOn(url, "DELETE FROM audit_log WHERE session_id = 'unreplicated'");
    await queryOn(url, "SELECT setval(pg_get_serial_sequence('audit_log', 'id'), 12)");
    await queryOn(url, 'SELECT pg_drop_replication_slot($1)', [env.TC_POSTGRES_SLOT]);
    await insert(['given again']);
    const recovered = await run(['recover']);
    expect(recovered).toMatchObject({
      code: 6,
      stdout: expect.stringContaining('12 rows with a key that was taken in'),
    });
    expect(recovered.stdout).toContain('--changed take');
    const known = await run(['backfill', '--since', '2020-01-01', '--json']);
    expect(known).toMatchObject({ code: 6, stdout: expect.stringContaining('"rowsChanged":12') });
    expect(await json(['backfill', '--since', '2020-01-01', '--changed', 'take'])).toMatchObject({ rowsTaken: 12 });
  });

  it('mends a slot that something else moved on, and leaves a sound one alone', async () => {
    await succeed(['init', '--create-table']);
    await insert(['a']);
    await succeed(['run', '--until-idle']);
    const sound = await run(['recover']);
    expect(sound).toMatchObject({ code: 2, stderr: expect.stringContaining('is fine') });
    await insert(['skipped']);
    await queryOn(url, 'SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())', [env.TC_POSTGRES_SLOT]);
    expect((await run(['run', '--once'])).stderr).toContain('ahead of');
    const unrecognised = await run(['recover', '--columns-time', '-']);
    expect(unrecognised).toMatchObject({ code: 3, stderr: expect.stringContaining('none would be recognised') });
    expect(await json(['recover'])).toMatchObject({ state: 'done', rowsRead: 24, rowsTaken: 12 });
    await succeed(['run', '--until-idle']);
    await expectEveryRowOnce();
  });

  it('has three captures go on where two shared the sessions out, parts that were open among them', async () => {
    const shard = (of: string) => ({
      ...env,
      TC_CAPTURE_SHARD: of,
      TC_DATA_DIR: `${env.TC_DATA_DIR}-${of.replace('/', '-')}`,
    });
    const long = { TC_SESSION_IDLE_TIMEOUT: '1h' };
    const sessions = Array.from({ length: 8 }, (_, n) => `s-${n}`);
    await succeed(['init', '--create-table'], shard('0/2'));
    await succeed(['init'], shard('1/2'));
    await insert(sessions);
    await insert(['open-1', 'open-2', 'open-3']);
    await succeed(['run', '--until-idle'], shard('0/2'));
    await succeed(['run', '--until-idle'], shard('1/2'));
    // Open in the captures that end, and closed in those that come.
    await insert(['open-1', 'open-2', 'open-3', 'late']);
    await succeed(['run', '--once'], { ...shard('0/2'), ...long });
    await succeed(['run', '--once'], { ...shard('1/2'), ...long });

    const former = ['0/2', '1/2'].flatMap((of) => ['--former', shard(of).TC_DATA_DIR]);
    for (const of of ['0/3', '1/3', '2/3']) await succeed(['recover', ...former], shard(of));
    const reused = await run(['recover', ...former], shard('0/3'));
    expect(reused).toMatchObject({ code: 2, stderr: expect.stringContaining('fresh dataDir') });
    const kept = await run(['recover'], { ...shard('0/3'), TC_DATA_DIR: shard('0/2').TC_DATA_DIR });
    expect(kept).toMatchObject({ code: 2, stderr: expect.stringContaining('--former') });
    await insert(['new-1', 'new-2', 'open-1']);
    for (const of of ['0/3', '1/3', '2/3']) await succeed(['run', '--until-idle'], shard(of));

    // What the former captures have sealed is theirs, and other shares are nobody's loss.
    for (const of of ['0/3', '1/3', '2/3']) {
      const compared = lastJson(await run(['reconcile', '--json'], shard(of)));
      expect(compared).toMatchObject({ faults: 0, summary: { gone: 0, pruned: 0 } });
    }

    const dirs = ['0/2', '1/2', '0/3', '1/3', '2/3'].map((of) => shard(of).TC_DATA_DIR);
    const stored = dirs.flatMap((dataDir) => trajectoriesOf(dataDir));
    expect(keysOf(stored)).toEqual(await keysOfTable());
    // In one capture, and numbered on.
    const part = stored.filter(({ sessionId }) => sessionId === 'open-2').map(({ part }) => part);
    expect(part).toEqual([0, 1]);
  });
});
