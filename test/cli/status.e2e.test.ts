import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { instanceStatusSchema } from '../../src/instance/status.ts';
import { settingsFor } from '../e2e/pipe.ts';
import { runCli, startCli } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let dir: string;
let url: string;
let env: Record<string, string>;

beforeAll(async () => {
  postgres = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'tc-status-'));
  url = await postgres.createDatabase();
  env = { ...settingsFor(url, join(dir, 'data')), TC_METRICS_PORT: String(await freePort()) };
  const { code, stderr } = await runCli(['init', '--create-table'], { env });
  expect(code, stderr).toBe(0);
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const until = (condition: () => void | Promise<void>) => vi.waitFor(condition, { timeout: 30_000, interval: 50 });
const registered = () => readdirSync(join(dir, 'data')).filter((name) => /^run-\d+\.json$/.test(name));
/** Finds the instance by its data directory alone. */
const asking = () => ({ TC_DATA_DIR: env.TC_DATA_DIR! });

it('tells how the instance of a data directory stands, for a person and as JSON, once and again', async () => {
  const running = startCli(['run'], { env });
  await queryOn(
    url,
    `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
     SELECT 'asked', 'tester', 'probe', '{}', '{}' FROM generate_series(1, 12)`,
  );
  await until(() => expect(registered()).toHaveLength(1));
  const asJson = async () => {
    const { stdout } = await runCli(['status', '--json'], { env: asking() });
    return instanceStatusSchema.parse(JSON.parse(stdout));
  };
  await until(async () =>
    expect((await asJson()).capture).toMatchObject({ rows: 12, trajectories: 1, openSessions: 0 }),
  );
  const status = await asJson();
  expect(status).toMatchObject({ pid: running.child.pid, roles: ['capture', 'compile', 'sink'], away: null });
  expect(status.capture).toMatchObject({ connected: true, slot: { walStatus: 'reserved' } });

  const { code, stdout } = await runCli(['status'], { env: asking() });
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^rows 12 \(\d+\/s\) · lag 0 (s|B) · open 0 · trajectories 1 · in flight 0 · pairs \d+ · rejected \d+/,
  );
  expect(stdout).toContain(`process ${running.child.pid}`);
  expect(stdout).toMatch(/the slot retains .* of WAL \(reserved/);

  const watching = startCli(['status', '--watch', '--json'], { env: asking() });
  await until(() => expect(watching.output().stdout.trim().split('\n').length).toBeGreaterThan(1));
  watching.child.kill('SIGINT');
  expect(await watching.finished).toMatchObject({ code: 0, stderr: '' });

  running.child.kill('SIGTERM');
  expect((await running.finished).code).toBe(0);
  expect(registered()).toEqual([]);
});

it('says what to do where nothing runs, and is not misled by what a killed instance left', async () => {
  const dataDir = join(dir, 'left');
  mkdirSync(dataDir);
  // A process that has ended: its number may not be asked.
  const ended = startCli(['--version']);
  await ended.finished;
  writeFileSync(
    join(dataDir, `run-${ended.child.pid}.json`),
    JSON.stringify({ pid: ended.child.pid, url: 'http://127.0.0.1:1' }),
  );
  const { code, stdout, stderr } = await runCli(['status'], { env: { TC_DATA_DIR: dataDir } });
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/nothing runs in .*left: start `run`, or say with --url/);
});

it('tells a run that serves no metrics from none, and goes on watching where it ends', async () => {
  const running = startCli(['run'], { env: { ...env, TC_METRICS_PORT: '0' } });
  await until(() => expect(registered()).toHaveLength(1));
  const { code, stderr } = await runCli(['status'], { env: asking() });
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`process ${running.child.pid} runs in .*data and serves no metrics`));
  running.child.kill('SIGTERM');
  expect((await running.finished).code).toBe(0);

  const served = startCli(['run'], { env });
  await until(() => expect(registered()).toHaveLength(1));
  const watching = startCli(['status', '--watch', '--json'], { env: asking() });
  await until(() => expect(watching.output().stdout).toContain('"spec":"status/1"'));
  served.child.kill('SIGTERM');
  await served.finished;
  await until(() => expect(watching.output().stderr.match(/nothing runs in/g)?.length).toBeGreaterThan(1));
  watching.child.kill('SIGINT');
  expect((await watching.finished).code).toBe(0);
});

it.each(['127.0.0.1:1', 'http://127.0.0.1:1/metrics'])('asks at %s, however it was copied', async (address) => {
  const { code, stderr } = await runCli(['status', '--url', address]);
  expect(code).toBe(1);
  expect(stderr).toContain('nothing answers at http://127.0.0.1:1 (');
});

it('refuses what is no address', async () => {
  const { code, stderr } = await runCli(['status', '--url', 'http://']);
  expect(code).toBe(2);
  expect(stderr).toContain('--url must be an address such as http://127.0.0.1:9464, not "http://"');
});

it('tells an instance that does not answer from something else on its port', async () => {
  const other: Server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
  await vi.waitFor(() => expect(other.listening).toBe(true));
  const { port } = other.address() as AddressInfo;
  const free = await freePort();
  const { code, stderr } = await runCli(['status', '--url', `http://127.0.0.1:${port}`, `http://127.0.0.1:${free}`]);
  await new Promise((resolve) => other.close(resolve));
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`what answers at http://127.0.0.1:${port}/status is no \`run\``));
  expect(stderr).toMatch(new RegExp(`nothing answers at http://127.0.0.1:${free} \\(.*ECONNREFUSED`));
});
