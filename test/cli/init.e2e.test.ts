/** `init` as its users run it, without a terminal: by flags, and never with a question. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { lastJson, runCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let root: string;
let dir: string;
let env: Record<string, string>;

beforeAll(async () => {
  postgres = await startPostgres();
  root = mkdtempSync(join(tmpdir(), 'tc-init-'));
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(async () => {
  dir = mkdtempSync(join(root, 'cwd-'));
  const url = await postgres.createDatabase();
  env = { TC_POSTGRES_URL: url, TC_POSTGRES_SLOT: `s_${new URL(url).pathname.slice(1)}` };
});

const init = (...args: string[]) => runCli(['init', ...args], { env, cwd: dir });
const slots = () =>
  queryOn(env.TC_POSTGRES_URL!, 'SELECT slot_name FROM pg_replication_slots WHERE database = current_database()');

test('init creates, says what comes next in a line each, and writes no file', async () => {
  const { code, stdout, stderr } = await init('--create-table');
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^created table public\.audit_log, publication trajectory_compiler, slot s_/);
  expect(stderr.match(/^ {2}(doctor|run) .*$/gm)).toHaveLength(2);
  expect(readdirSync(dir)).toEqual([]);
  expect((await init()).stdout).toBe('nothing to do: publication and slot are there\n');
});

test('--no-run alone creates nothing: it says what it goes with', async () => {
  const { code, stderr } = await init('--create-table', '--no-run');
  expect(code).toBe(2);
  expect(stderr).toContain('--no-run leaves nothing to do: it goes with --write');
  expect(await slots()).toEqual([]);
});

test.each([
  ['--force', '--write', ['--force']],
  ['--for-role', '--print-sql', ['--for-role', 'capture']],
])('%s is refused without %s', async (option, other, args) => {
  const { code, stderr } = await init('--create-table', ...args);
  expect(code).toBe(2);
  expect(stderr).toContain(`${option} says nothing without ${other}`);
  expect(await slots()).toEqual([]);
});

test('--write leaves a file that the next commands run by, without the connection string', async () => {
  await init('--create-table');
  const written = lastJson(await init('--write', '--json', '--session-idle-timeout', '90s'));
  expect(written).toEqual({
    created: [],
    rowsBefore: 0,
    written: ['trajectory-compiler.yaml', 'trajectory-compiler.schema.json'],
    backup: null,
  });
  const text = readFileSync(join(dir, 'trajectory-compiler.yaml'), 'utf8');
  expect(text).toMatch(/^ {2}idleTimeout: 90s$/m);
  expect(text).not.toContain(env.TC_POSTGRES_URL);
  const shown = lastJson(await runCli(['config', 'print', '--json'], { cwd: dir }));
  expect(shown['postgres.slot']).toMatchObject({
    value: env.TC_POSTGRES_SLOT,
    origin: 'file (trajectory-compiler.yaml)',
  });
  expect(shown['postgres.url']).toMatchObject({ origin: 'default' });
});

test('--write does not replace what is there but by --force, which keeps a copy', async () => {
  const file = join(dir, 'trajectory-compiler.yaml');
  writeFileSync(file, 'session: {minTurns: 7}\n');
  const refused = await init('--write', '--create-table');
  expect(refused.code).toBe(3);
  expect(refused.stderr).toMatch(/trajectory-compiler\.yaml is there already.*--force/);
  expect(await slots()).toEqual([]);
  const replaced = await init('--write', '--force', '--no-run');
  expect(replaced.code, replaced.stderr).toBe(0);
  expect(replaced.stderr).toContain('what was there before is in trajectory-compiler.yaml.bak');
  expect(readFileSync(file, 'utf8')).toMatch(/^ {2}minTurns: 7$/m);
  expect(readFileSync(`${file}.bak`, 'utf8')).toBe('session: {minTurns: 7}\n');
  expect(await slots()).toEqual([]);
});

test('--write FILE --no-run needs no server, and leaves none changed', async () => {
  env = {};
  const { code, stdout, stderr } = await init('--write', 'other.yaml', '--no-run', '--tier', 'cheap');
  expect(code, stderr).toBe(0);
  expect(stdout).toBe('');
  expect(readdirSync(dir).toSorted()).toEqual(['other.yaml', 'trajectory-compiler.schema.json']);
  const shown = lastJson(await runCli(['config', 'print', '--json', '--config', 'other.yaml'], { cwd: dir }));
  expect(shown['compile.tier']).toMatchObject({ value: 'cheap', origin: 'file (other.yaml)' });
  const printed = await runCli(['config', 'schema'], { cwd: dir });
  expect(JSON.parse(printed.stdout)).toEqual(
    JSON.parse(readFileSync(join(dir, 'trajectory-compiler.schema.json'), 'utf8')),
  );
});

test('without settings and without a terminal nothing is asked: what is missing is said', async () => {
  env = {};
  for (const args of [[], ['--ask'], ['--write']]) {
    const { code, stderr } = await init(...args);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^error: postgres\.url is not set/);
  }
  expect(readdirSync(dir)).toEqual([]);
});

test('a server that refuses leaves the file that was asked for, so that init alone goes on', async () => {
  const { code, stderr } = await init('--write');
  expect(code).toBe(3);
  expect(stderr).toMatch(/wrote trajectory-compiler\.yaml[\s\S]*no table public\.audit_log/);
  expect((await init('--create-table')).code).toBe(0);
});

test('--print-sql prints what there is to run, and runs none of it', async () => {
  const printed = await init('--print-sql', '--create-table', '--for-role', 'capture');
  expect(printed.code, printed.stderr).toBe(0);
  expect(printed.stdout).toMatch(
    /CREATE TABLE [\s\S]*CREATE ROLE "capture" [\s\S]*CREATE PUBLICATION [\s\S]*pg_create_logical/,
  );
  expect(printed.stderr).toBe('');
  const json = lastJson(await init('--print-sql', '--create-table', '--for-role', 'capture', '--json'));
  expect(json).toEqual({ sql: printed.stdout, unasked: null });
  expect(await slots()).toEqual([]);
  expect(readdirSync(dir)).toEqual([]);
  env = {};
  const unasked = await init('--print-sql');
  expect(unasked.code).toBe(0);
  expect(unasked.stderr).toMatch(/^warning: postgres\.url is not set/);
  expect(unasked.stdout).toContain('CREATE ROLE "trajectory_compiler"');
});
