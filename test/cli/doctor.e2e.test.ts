/** `doctor` as its users run it. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createAuditLog } from '../support/capture.ts';
import { runCli, startCli } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let dir: string;

beforeAll(async () => {
  postgres = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'tc-doctor-'));
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const doctor = (env: Record<string, string>, ...flags: string[]) => runCli(['doctor', ...flags], { env, cwd: dir });

interface Line {
  part: string;
  name: string;
  outcome: string;
  remedy: string | null;
}

test('doctor says what is wrong, with an exit code, and leaves nothing behind', async () => {
  const options = await createAuditLog(await postgres.createDatabase());
  const env = { TC_POSTGRES_URL: options.url, TC_POSTGRES_SLOT: options.slot, TC_POSTGRES_PUBLICATION: 'p' };
  const [well, away] = await Promise.all([
    doctor(env, '--json'),
    doctor({ ...env, TC_POSTGRES_URL: 'postgres://nobody:hunter2@127.0.0.1:1/nowhere' }),
  ]);
  expect(well.code, well.stderr).toBe(0);
  const lines = well.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  expect(lines).toContainEqual(
    expect.objectContaining({ part: 'source', name: 'publication', outcome: 'ok', remedy: null }),
  );
  expect(lines).toContainEqual(expect.objectContaining({ part: 'data directory', name: 'disk' }));
  expect(lines.filter(({ outcome, name }) => outcome === 'warning' && name === 'max_slot_wal_keep_size')).toHaveLength(
    1,
  );
  expect(away.code).toBe(5);
  expect(away.stdout).toMatch(/^FAILURE source_unreachable: /m);
  expect(away.stdout + away.stderr).not.toContain('hunter2');
  expect(readdirSync(dir)).toEqual([]);

  const taken = await runCli(['run', '--once'], { env, cwd: dir });
  expect(taken.code, taken.stderr).toBe(0);
  expect(taken.stderr).toContain('max_slot_wal_keep_size is -1');
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
  await queryOn(options.url, `SELECT pg_replication_slot_advance('${options.slot}', pg_current_wal_flush_lsn())`);
  const ahead = await doctor(env);
  expect(ahead.code).toBe(3);
  expect(ahead.stdout).toMatch(/^FAILURE slot_ahead: .*recover/m);
  expect(ahead.stdout).toMatch(/^ok journal: .*journal\.sqlite/m);
  expect(ahead.stderr).toMatch(/\d+ checks: 1 failure, \d+ warnings?/);
});

const linesOf = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line & { sentence: string });

test('where all is well every line is ok, before the first run, while one runs, and after it', async () => {
  const server = await startPostgres({ settings: { max_slot_wal_keep_size: '10GB' } });
  const here = mkdtempSync(join(tmpdir(), 'tc-doctor-'));
  try {
    const options = await createAuditLog(await server.createDatabase());
    const env = {
      ...{ TC_POSTGRES_URL: options.url, TC_POSTGRES_SLOT: options.slot, TC_POSTGRES_PUBLICATION: 'p' },
      ...{ TC_DATA_DIR: join(here, 'data'), TC_METRICS_PORT: String(await freePort()) },
    };
    const look = async () => {
      const { code, stdout, stderr } = await runCli(['doctor', '--json'], { env, cwd: here });
      const lines = linesOf(stdout);
      expect(lines.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
      expect(code, stderr).toBe(0);
      return (name: string) => lines.find((line) => line.name === name)?.sentence;
    };
    const before = await look();
    expect(before('journal')).toContain('the first run makes it');
    expect(before('source_select')).toContain('may read');
    expect(readdirSync(here)).toEqual([]);

    const run = startCli(['run'], { env, cwd: here });
    await vi.waitFor(() => expect(run.output().stderr).toContain('metrics at'), { timeout: 30_000 });
    const during = await look();
    expect(during('capture_lock')).toContain('a capture runs here');
    expect(during('metrics_port')).toContain('the run of this data directory');
    run.child.kill('SIGTERM');
    await run.finished;

    const files = readdirSync(env.TC_DATA_DIR).sort();
    const after = await look();
    expect(after('file_journal')).toMatch(/sound$/);
    expect(after('position')).toContain('goes on from');
    expect(after('journal_source')).toContain('belongs to this table');
    expect(readdirSync(env.TC_DATA_DIR).sort()).toEqual(files);

    await queryOn(
      options.url,
      'CREATE TABLE other (LIKE audit_log INCLUDING ALL); ALTER PUBLICATION p SET TABLE other',
    );
    const moved = await runCli(['doctor'], { env: { ...env, TC_POSTGRES_TABLE: 'public.other' }, cwd: here });
    expect(moved.code).toBe(3);
    expect(moved.stdout).toMatch(/^FAILURE journal_other_source: .*TC_DATA_DIR/m);
  } finally {
    await server.stop();
    rmSync(here, { recursive: true, force: true });
  }
});

test('a server that takes connections and says nothing is given up, and keeps nobody', async () => {
  const silent = createServer((socket) => void socket.on('error', () => {}));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const address = `postgres://nobody:hunter2@127.0.0.1:${port}/nowhere`;
  const given = await doctor({ TC_POSTGRES_URL: address, TC_CALLS_URL: address, TC_REDACT_KEY: 'a-visibly-fake-key' });
  silent.close();
  expect(given.code).toBe(5);
  expect(given.stdout).toMatch(/^FAILURE source_unreachable: /m);
  expect(given.stdout).toMatch(/^FAILURE calls_unreachable: /m);
  expect(given.stdout).toMatch(/^ok metrics_port|^ok redact_mode/m);
  expect(given.stdout + given.stderr).not.toContain('hunter2');
});

test('who stops it is told that not all was looked at, and waits for no server', async () => {
  const silent = createServer((socket) => void socket.on('error', () => {}));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const stopped = startCli(['doctor'], {
    env: { TC_POSTGRES_URL: `postgres://nobody@127.0.0.1:${port}/nowhere` },
    cwd: dir,
  });
  await vi.waitFor(() => expect(stopped.output().stdout).toContain('data_dir'), { timeout: 20_000 });
  const at = performance.now();
  stopped.child.kill('SIGINT');
  const { code, stderr } = await stopped.finished;
  silent.close();
  expect(performance.now() - at).toBeLessThan(5_000);
  expect(code).toBe(6);
  expect(stderr).toBe('stopped: what is not said here was not looked at\n');
});

test('settings that can not be read are a line of their own, for a program too', async () => {
  const broken = { TC_METRICS_PORT: '99999999' };
  const { code, stdout, stderr } = await runCli(['doctor', '--json'], { env: broken });
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({
    part: 'settings',
    name: 'bad_settings',
    outcome: 'failure',
    sentence: expect.stringContaining('metrics.port must be a whole number'),
  });
  expect(stderr).toContain('nothing else is looked at');
});
