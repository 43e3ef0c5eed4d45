/** The parts of the pipe in processes of their own, on one host and over Kafka, against all of them in one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { lastJson, type Running, runCli, startCli } from '../support/cli.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { countIn, pairsOf, settingsFor, trajectoriesOf } from './pipe.ts';

let postgres: TestPostgres;
let dir: string;
const running: Running[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'tc-roles-'));
});
afterAll(async () => {
  for (const { child } of running) if (child.exitCode === null) child.kill('SIGKILL');
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const until = (condition: () => void | Promise<void>) => vi.waitFor(condition, { timeout: 90_000, interval: 50 });

function start(args: string[], env: Record<string, string>): Running {
  const process = startCli(args, { env });
  running.push(process);
  return process;
}

/** Ends it as an operator does. */
async function stopped(process: Running): Promise<void> {
  process.child.kill('SIGTERM');
  const { code, stderr } = await process.finished;
  expect(code, stderr).toBe(0);
}

async function init(env: Record<string, string>): Promise<void> {
  const { code, stderr } = await runCli(['init', '--create-table'], { env });
  expect(code, stderr).toBe(0);
}

/** Sessions of twelve rows each, in which something is set between two readings. */
const insert = (url: string, sessions: number) =>
  queryOn(
    url,
    `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
     SELECT 's' || s, 'tester', (ARRAY['read', 'set', 'wait'])[1 + n % 3], jsonb_build_object('item', 'lamp ' || s),
            jsonb_build_object('level', (n / 3) * s)
       FROM generate_series(1, $1::int) AS s, generate_series(1, 12) AS n ORDER BY n, s`,
    [String(sessions)],
  );

const countTrajectories = (dataDir: string) =>
  countIn(join(dataDir, 'qa_pairs.sqlite'), 'SELECT count(*) FROM trajectories');

/** What a dataset says of its trajectories and pairs, apart from when they were compiled. */
const contents = (dataDir: string) => ({
  trajectories: trajectoriesOf(dataDir).map(({ id, turns }) => [
    id,
    turns.map(({ rowKey, response }) => [rowKey, response]),
  ]),
  pairs: pairsOf(dataDir).map(({ question, answer, pair_key, status }) => [question, answer, pair_key, status]),
});

/** The same log by one process, which reads it from the beginning with a slot of its own. */
async function inOneProcess(url: string, name: string): Promise<string> {
  const dataDir = join(dir, `${name}-alone`);
  const env = { ...settingsFor(url, dataDir), TC_POSTGRES_SLOT: `${name}_alone` };
  await init(env);
  lastJson(await runCli(['run', '--until-idle', '--from', 'beginning', '--json'], { env }));
  return dataDir;
}

describe('on one host, over the embedded topics', () => {
  it('three processes fill the dataset that one does, and the journal keeps no body that is finished', async () => {
    const url = await postgres.createDatabase();
    const dataDir = join(dir, 'split');
    const env = settingsFor(url, dataDir);
    await init(env);
    const capture = start(['run', '--role', 'capture'], env);
    const compile = start(['run', '--role', 'compile'], env);
    const sink = start(['run', '--role', 'sink'], env);
    await insert(url, 8);
    await until(() => expect(countTrajectories(dataDir)).toBe(8));
    await until(() => expect(countIn(join(dataDir, 'journal.sqlite'), 'SELECT count(*) FROM sealed')).toBe(0));
    for (const process of [capture, compile, sink]) await stopped(process);
    expect(contents(dataDir)).toEqual(contents(await inOneProcess(url, 'split')));
  });

  it('each role ends by itself when there is nothing left for it, and what is left waits for the next role', async () => {
    const url = await postgres.createDatabase();
    const dataDir = join(dir, 'turns');
    const env = { ...settingsFor(url, dataDir), TC_POSTGRES_SLOT: 'turns' };
    await init(env);
    await insert(url, 3);
    const run = async (role: string) =>
      lastJson(await runCli(['run', '--until-idle', '--json', '--role', role], { env }));
    expect(await run('capture')).toEqual({
      rows: 36,
      sessions: 3,
      open: 0,
      trajectories: 3,
      belowMinTurns: 0,
      parked: 0,
    });
    expect(await run('compile')).toEqual({ parked: 0 });
    expect(await run('sink')).toMatchObject({ pairs: expect.any(Number), parked: 0 });
    expect(countTrajectories(dataDir)).toBe(3);
  });

  it('a capture that moves to Kafka leaves nothing behind in the embedded topics', async () => {
    const url = await postgres.createDatabase();
    const dataDir = join(dir, 'moving');
    const env = { ...settingsFor(url, dataDir), TC_POSTGRES_SLOT: 'moving' };
    await init(env);
    await insert(url, 2);
    lastJson(await runCli(['run', '--until-idle', '--json', '--role', 'capture'], { env }));
    const kafka = { ...env, TC_TOPICS_TRANSPORT: 'kafka', TC_KAFKA_BROKERS: '127.0.0.1:1' };
    const { code, stderr } = await runCli(['run', '--role', 'capture'], { env: kafka });
    expect(code, stderr).toBe(3);
    expect(stderr).toMatch(
      /still holds 2 messages that wait and 0 that are parked: .*--role compile,sink --until-idle/,
    );
    lastJson(await runCli(['run', '--until-idle', '--json', '--role', 'compile,sink'], { env }));
    expect(countTrajectories(dataDir)).toBe(2);
  });

  it('a worker over Kafka that could not read large trajectories refuses to start', async () => {
    const { code, stderr } = await runCli(['run', '--role', 'compile'], {
      env: { TC_DATA_DIR: join(dir, 'blind'), TC_TOPICS_TRANSPORT: 'kafka', TC_KAFKA_BROKERS: '127.0.0.1:1' },
    });
    expect(code, stderr).toBe(3);
    expect(stderr).toContain('postgres.url is not set');
  });

  it('says what is kept for a sink that nobody writes, until it is given up', async () => {
    const url = await postgres.createDatabase();
    const dataDir = join(dir, 'kept');
    const env = { ...settingsFor(url, dataDir), TC_POSTGRES_SLOT: 'kept' };
    await init(env);
    await insert(url, 2);
    const untilIdle = (roles: string, sinks: string) =>
      runCli(['run', '--until-idle', '--json', '--role', roles, '--sinks', sinks], { env });
    lastJson(await untilIdle('capture,compile', 'sqlite,supabase'));
    const written = await untilIdle('sink', 'sqlite');
    expect(lastJson(written)).toMatchObject({ parked: 0 });
    expect(written.stderr).toMatch(/2 compiled messages are kept for the sink supabase.*dlq drop supabase/);
    const messages = () => countIn(join(dataDir, 'topics.sqlite'), 'SELECT count(*) FROM messages');
    expect(messages()).toBe(2);
    expect((await runCli(['dlq', 'drop', 'supabase'], { env })).code).toBe(0);
    expect(messages()).toBe(0);
    expect((await runCli(['dlq', 'drop', 'supabase'], { env })).code).toBe(1);
    expect((await untilIdle('sink', 'sqlite')).stderr).not.toContain('supabase');
  });

  it('says which roles there are where one is misspelt', async () => {
    const { code, stderr } = await runCli(['run', '--role', 'compiler'], { env: { TC_DATA_DIR: join(dir, 'none') } });
    expect(code).toBe(3);
    expect(stderr).toContain('roles must be one or several of capture, compile, sink');
  });
});

describe('while the brokers are away', () => {
  it.each(['compile', 'sink'])('%s waits, says so, and ends at a signal as one that was told to', async (role) => {
    const env = {
      TC_DATA_DIR: join(dir, `away-${role}`),
      TC_POSTGRES_URL: await postgres.createDatabase(),
      TC_METRICS_PORT: '0',
      TC_TOPICS_TRANSPORT: 'kafka',
      // Nobody listens on the port of the discard service.
      TC_KAFKA_BROKERS: '127.0.0.1:9',
    };
    const waiting = start(['run', '--role', role], env);
    await until(() => expect(waiting.output().stderr).toContain('waiting for Kafka at 127.0.0.1:9'));
    await stopped(waiting);
  });
});

describeKafka('over Kafka', { timeout: 180_000 }, () => {
  let kafka: TestKafka;
  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(async () => {
    await kafka?.stop();
  });

  /** Settings of processes that share nothing but Postgres and Kafka. */
  async function cluster(name: string) {
    const url = await postgres.createDatabase();
    const shared = await postgres.createDatabase();
    const settings = (part: string): Record<string, string> => ({
      ...settingsFor(url, join(dir, `${name}-${part}`)),
      TC_POSTGRES_SLOT: name,
      TC_TOPICS_TRANSPORT: 'kafka',
      TC_KAFKA_BROKERS: kafka.brokers.join(','),
      TC_KAFKA_TOPIC_PREFIX: `${name}.`,
      TC_KAFKA_PARTITIONS: '4',
      TC_CALLS_URL: shared,
    });
    await init(settings('capture'));
    return { url, settings };
  }

  it('capture, two workers and two sinks in five processes give what one process gives', async () => {
    const { url, settings } = await cluster('five');
    const mirror = await postgres.createDatabase();
    const mirrored = { ...settings('mirror'), TC_SINKS: 'supabase', TC_SUPABASE_DATABASE_URL: mirror };
    const { code, stderr } = await runCli(['migrate'], { env: mirrored });
    expect(code, stderr).toBe(0);
    const both = { TC_SINKS: 'sqlite,supabase', TC_SUPABASE_DATABASE_URL: mirror };
    const processes = [
      start(['run', '--role', 'capture'], { ...settings('capture'), ...both }),
      start(['run', '--role', 'compile'], { ...settings('one'), ...both }),
      start(['run', '--role', 'compile'], { ...settings('two'), ...both }),
      start(['run', '--role', 'sink'], settings('sink')),
      start(['run', '--role', 'sink'], mirrored),
    ];
    await insert(url, 20);
    const sinkDir = settings('sink').TC_DATA_DIR!;
    await until(() => expect(countTrajectories(sinkDir)).toBe(20));
    await until(async () => {
      const [row] = await queryOn(mirror, 'SELECT count(*)::text AS n FROM trajectories');
      expect(row?.n).toBe('20');
    });
    for (const process of processes) await stopped(process);
    const expected = contents(await inOneProcess(url, 'five'));
    expect(contents(sinkDir)).toEqual(expected);
    const pairs = await queryOn(
      mirror,
      'SELECT question, answer, pair_key, status FROM qa_pairs ORDER BY session_id COLLATE "C", question COLLATE "C"',
    );
    expect(pairs.map(({ question, answer, pair_key, status }) => [question, answer, pair_key, status])).toEqual(
      expected.pairs,
    );
  });

  it('a worker that records answers in a place of its own refuses to start beside another', async () => {
    const { settings } = await cluster('stores');
    const alone = (part: string) => ({ ...settings(part), TC_CALLS_URL: '' });
    const first = start(['run', '--role', 'compile'], alone('first'));
    const second = start(['run', '--role', 'compile'], alone('second'));
    const { code, stderr } = await Promise.race([first.finished, second.finished]);
    expect(code, stderr).toBe(3);
    expect(stderr).toContain('calls.url');
  });
});
