/** The split system of compose.yaml as processes of this host: its command lines, settings and roles, on real servers. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Finished, type Running, runCli, startCli } from '../support/cli.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { besideCompose, composeUnits, readText } from './deployed.ts';
import { dockerfile, environmentOf } from './dockerfile.ts';

const units = composeUnits();
const imageEnvironment = environmentOf(dockerfile());
const testTimeoutMs = 180_000;

describeKafka('with profile mirror', () => {
  let server: TestPostgres;
  let kafka: TestKafka;
  let folder: string;
  /** Where the hosts of the compose file are here. */
  let hosts: Record<string, string>;
  const running: Running[] = [];

  beforeAll(async () => {
    [server, kafka] = await Promise.all([startPostgres({ own: true }), startKafka()]);
    folder = mkdtempSync(join(tmpdir(), 'tc-compose-'));
    hosts = {
      'postgres:5432/app': await server.createDatabase(),
      'mirror:5432/postgres': await server.createDatabase(),
    };
  }, testTimeoutMs);
  afterAll(async () => {
    for (const { child } of running) child.kill('SIGKILL');
    await Promise.all(running.map(({ finished }) => finished));
    await kafka?.stop();
    await server?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  /** A connection string of the compose network as one of this host; the owner is the one of the server here. */
  function hereOf(secret: string): string {
    const { username, password, host, pathname } = new URL(secret.trim());
    const url = new URL(hosts[`${host}${pathname}`] ?? server.adminUrl);
    if (hosts[`${host}${pathname}`] === undefined) url.pathname = pathname;
    if (username !== 'postgres') [url.username, url.password] = [username, password];
    return url.href;
  }

  /** What compose would start as `name`; `volume` is the folder of its data. */
  function serviceOf(name: string, volume: string): { args: string[]; env: Record<string, string> } {
    const unit = units.find((one) => one.name === `compose.yaml: ${name}`);
    if (unit === undefined) throw new Error(`compose.yaml has no service ${name}`);
    const env: Record<string, string> = { ...imageEnvironment, ...unit.env };
    for (const [variable, path] of Object.entries(env)) {
      if (!variable.endsWith('_FILE')) continue;
      const secret = join(folder, `${volume}-${variable}`);
      const value = unit.secrets.get(path) ?? '';
      writeFileSync(secret, variable.endsWith('_URL_FILE') ? hereOf(value) : value);
      env[variable] = secret;
    }
    if (env.TC_KAFKA_BROKERS !== undefined) env.TC_KAFKA_BROKERS = kafka.brokers.join(',');
    Object.assign(env, { TC_DATA_DIR: join(folder, volume), TC_METRICS_HOST: '127.0.0.1', TC_METRICS_PORT: '0' });
    if (env.TC_SESSION_IDLE_TIMEOUT !== undefined) env.TC_SESSION_IDLE_TIMEOUT = '1s';
    mkdirSync(join(folder, volume), { recursive: true });
    return { args: unit.args, env };
  }

  async function finish(name: string, change: (args: string[]) => string[] = (args) => args): Promise<Finished> {
    const { args, env } = serviceOf(name, name);
    const finished = await runCli(change(args), { env });
    expect(finished.code, `${name}: ${finished.stderr}`).toBe(0);
    return finished;
  }

  function start(name: string, volume = name): void {
    const { args, env } = serviceOf(name, volume);
    running.push(startCli(args, { env }));
  }

  const pairsInFile = () => {
    const file = new Database(join(folder, 'sink', 'qa_pairs.sqlite'), { readonly: true });
    try {
      return file.prepare('SELECT pair_key FROM qa_pairs ORDER BY pair_key').pluck().all() as string[];
    } finally {
      file.close();
    }
  };
  const pairsInMirror = async () => {
    const rows = await queryOn(
      hosts['mirror:5432/postgres'] ?? '',
      'SELECT pair_key FROM qa_pairs ORDER BY pair_key COLLATE "C"',
    );
    return rows.map(({ pair_key }) => pair_key ?? '');
  };

  async function sinksHoldTheSame(): Promise<void> {
    const trajectories = await queryOn(hosts['mirror:5432/postgres'] ?? '', 'SELECT count(*) AS n FROM trajectories');
    // One of the six sessions is below session.minTurns.
    expect(trajectories).toEqual([{ n: '5' }]);
    const pairs = pairsInFile();
    expect(pairs.length).toBeGreaterThan(5);
    expect(await pairsInMirror()).toEqual(pairs);
  }

  async function anyEnds(): Promise<void> {
    const { code, stderr } = await Promise.race(running.map(({ finished }) => finished));
    throw new Error(`a process ended with ${code}: ${stderr}`);
  }

  test(
    'the parts start at once, the rows of the demo arrive in both sinks, and every process ends at SIGTERM',
    async () => {
      await finish('init');
      const owner = hosts['postgres:5432/app'] ?? '';
      for (const file of ['role.sql', 'reader.sql', 'calls.sql'])
        await queryOn(owner, `SET tc.password = 'change-me'; ${readText('postgres', file)}`);
      await queryOn(owner, 'CREATE DATABASE trajectory_compiler_calls OWNER trajectory_compiler_calls');
      await finish('migrate');
      for (const name of ['capture', 'sink', 'sink-mirror']) start(name);
      for (const worker of [1, 2]) start('compile', `compile-${worker}`);
      const rows = besideCompose('./compose/rows.jsonl');
      await finish('demo', () => ['load', rows]);

      await Promise.race([vi.waitFor(sinksHoldTheSame, { timeout: 120_000, interval: 500 }), anyEnds()]);
      for (const { child } of running) child.kill('SIGTERM');
      for (const { code, stderr } of await Promise.all(running.map(({ finished }) => finished)))
        expect(code, stderr).toBe(0);
    },
    testTimeoutMs,
  );
});
