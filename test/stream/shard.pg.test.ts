/** Several captures of one log: every session in exactly one of them, by history and by stream. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Logger } from '../../src/log.ts';
import { describeTable } from '../../src/postgres/audit-table.ts';
import { clientConfig, openClient } from '../../src/postgres/connection.ts';
import type { SourceOptions } from '../../src/stream/contract.ts';
import { createCapture } from '../../src/stream/provision.ts';
import { publicationSql, verifyPublication } from '../../src/stream/publication.ts';
import { type Shard, shardCondition } from '../../src/stream/shard.ts';
import { currentTarget } from '../../src/stream/target.ts';
import { type CaptureRun, capture, emptyMemory, optionsOf, silent, until } from '../support/capture.ts';
import { lastJson, runCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { testedMajor } from '../support/postgres-versions.ts';

let server: TestPostgres;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

const table = 'CREATE TABLE audit_log (id bigint GENERATED ALWAYS AS IDENTITY, session_id text';

function shardsOf(url: string, count: number): SourceOptions[] {
  return Array.from({ length: count }, (_, index) =>
    optionsOf(url, {
      slot: `s${index}_${new URL(url).pathname.slice(4)}`,
      publication: `p${index}`,
      shard: { index, count },
    }),
  );
}

if (testedMajor < 15) {
  test('a server whose publications have no row filters is refused, and nothing is created', async () => {
    const url = await server.createDatabase();
    await queryOn(url, `${table})`);
    const [first] = shardsOf(url, 2);
    await expect(createCapture(first!)).rejects.toMatchObject({ code: 'shard_version' });
    expect(await queryOn(url, 'SELECT pubname FROM pg_publication')).toEqual([]);
  });
} else {
  testShards();
}

function testShards(): void {
  test.each([
    ['a table', `${table})`],
    [
      'a partitioned table',
      `${table}) PARTITION BY HASH (id); CREATE TABLE half PARTITION OF audit_log FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE other PARTITION OF audit_log FOR VALUES WITH (MODULUS 2, REMAINDER 1)`,
    ],
  ])(
    'the shares of %s are all of it and have no session in common, in history and in the stream',
    async (_what, sql) => {
      const url = await server.createDatabase();
      await queryOn(url, sql);
      const insert = (from: number) =>
        queryOn(
          url,
          `INSERT INTO audit_log (session_id) SELECT CASE WHEN i % 10 > 0 THEN 's' || i % 97 END FROM generate_series(${from}, ${from + 299}) i`,
        );
      await insert(0);
      const runs: CaptureRun[] = [];
      for (const options of shardsOf(url, 3)) {
        await createCapture(options);
        runs.push(await capture({ ...options, from: 'beginning' }));
      }
      await until('history', () => runs.every(({ memory }) => memory.historyDone));
      const held = () => runs.map(({ memory }) => memory.turns.length);
      expect(sum(held())).toBe(270);
      await insert(300);
      await until('the stream', () => sum(held()) + (runs[0]!.memory.skipped.no_session ?? 0) >= 600);
      await Promise.all(runs.map((run) => run.stop()));
      const homes = new Map<string, Set<number>>();
      runs.forEach(({ memory }, index) => {
        for (const { sessionId } of memory.turns) homes.set(sessionId, (homes.get(sessionId) ?? new Set()).add(index));
      });
      expect(new Set(runs.flatMap(({ memory }) => memory.turns.map((turn) => turn.rowKey))).size).toBe(540);
      expect(sum(held())).toBe(540);
      expect([...homes.values()].every((shards) => shards.size === 1)).toBe(true);
      expect(Math.min(...held())).toBeGreaterThan(0);
      expect(runs.map(({ memory }) => memory.skipped.no_session)).toEqual([60, undefined, undefined]);
    },
  );

  test('the server takes the filters for every type of session, and each row is in one share', async () => {
    const sessions: Record<string, string> = {
      text: "'s' || i",
      'varchar(40)': "'s' || i",
      'char(12)': "'s' || i",
      uuid: 'md5(i::text)::uuid',
      bigint: '(i - 150) * 10000000000',
      integer: 'i - 150',
      smallint: 'i - 150',
      numeric: '(i - 150) / 7.0',
    };
    const shards = [0, 1, 2].map((index) => ({ index, count: 3 }));
    await withClient(await server.createDatabase(), async (client) => {
      for (const [type, value] of Object.entries(sessions)) {
        const log = type.replace(/\W.*/, '');
        await client.query(`CREATE TABLE ${log}_log (id int, session_id ${type});
          INSERT INTO ${log}_log SELECT i, ${value} FROM generate_series(1, 300) i;
          INSERT INTO ${log}_log VALUES (0, NULL)`);
        const described = await describeTable(client, { table: `${log}_log` });
        for (const shard of shards) {
          const settings = { publication: `${log}_${shard.index}`, shard };
          await client.query(publicationSql(described, settings, testedMajor * 10_000));
          await verifyPublication(client, described, settings);
        }
        const membership = shards.map((shard) => `(${shardCondition(described, shard)} IS TRUE)::int`).join(' + ');
        const { rows } = await client.query(`SELECT DISTINCT ${membership} AS shares FROM ${log}_log`);
        expect(rows, type).toEqual([{ shares: '1' }]);
      }
    });
  });

  test('a publication must have exactly the filter of its shard, however it is written, and none without a shard', async () => {
    const url = await server.createDatabase();
    await queryOn(url, `${table}, agent text)`);
    const [, options] = shardsOf(url, 4);
    await createCapture(options!);
    await withClient(url, async (client) => {
      const described = await describeTable(client, { table: 'audit_log' });
      const verdict = (shard: Shard | undefined) =>
        verifyPublication(client, described, { publication: 'p1', shard }).then(
          () => 'fine',
          ({ code, message }) => `${code}: ${message}`,
        );
      const mine = { index: 1, count: 4 };
      const refilter = (where: string) =>
        client.query(`ALTER PUBLICATION p1 SET TABLE audit_log (id, session_id, agent)${where}`);
      expect(await verdict(mine)).toBe('fine');
      expect(await verdict({ index: 2, count: 4 })).toMatch(
        /^publication_incomplete: .*share 2\/4.*ALTER PUBLICATION "p1" SET TABLE .*% 4 = 2/,
      );
      expect(await verdict({ index: 1, count: 5 })).toMatch(/^publication_incomplete/);
      expect(await verdict(undefined)).toMatch(/^publication_incomplete: .*filters the rows/);
      await refilter(' WHERE (1::bigint = (4 + mod(hashtextextended(session_id, 0), 4)) % 4)');
      expect(await verdict(mine)).toMatch(/^publication_incomplete/);
      await refilter(' WHERE (((((hashtextextended(session_id, 0::bigint) % 4::bigint)) + 4::integer) % 4) = 1)');
      expect(await verdict(mine)).toBe('fine');
      await refilter(" WHERE (agent = 'one')");
      expect(await verdict(mine)).toMatch(/^publication_incomplete/);
      await refilter('');
      expect(await verdict(mine)).toMatch(/^publication_incomplete: .*all of it/);
      expect(await verdict(undefined)).toBe('fine');
    });
  });

  test('a shard says what its share leaves unread, and stops before an idle position is confirmed when its filter changes', async () => {
    const url = await server.createDatabase();
    await queryOn(url, `${table}); INSERT INTO audit_log (session_id) SELECT 's' || i FROM generate_series(1, 40) i`);
    const [first, second] = shardsOf(url, 2) as [SourceOptions, SourceOptions];
    const said: string[] = [];
    const log: Logger = { ...silent, info: (text: string) => said.push(text) } as never;
    for (const options of [first, second]) {
      await createCapture(options);
      const once = await capture({ ...options, until: await currentTarget(url) }, emptyMemory(), log);
      await once.done;
      await once.stop();
    }
    const unread = said.flatMap((text) => /(\d+) older rows/.exec(text)?.[1] ?? []).map(Number);
    expect(unread.length).toBe(2);
    expect(sum(unread)).toBe(40);
    const run = await capture({ ...first, timings: { ...first.timings, idleAdvanceMs: 50 } }, emptyMemory());
    await until('the connection', () => run.source.status().connected);
    await queryOn(url, 'ALTER PUBLICATION p0 SET TABLE audit_log (id, session_id)');
    await queryOn(url, 'CREATE TABLE something AS SELECT 1');
    await expect(run.done).rejects.toMatchObject({ code: 'publication_incomplete' });
    await run.stop();
  });

  test('the command line makes and reads one share, and keeps another out of its data directory', async () => {
    const url = await server.createDatabase();
    await queryOn(url, `${table}); INSERT INTO audit_log (session_id) SELECT 's' || i FROM generate_series(1, 40) i`);
    const name = new URL(url).pathname.slice(1);
    const dataDir = await mkdtemp(join(tmpdir(), 'tc-shard-'));
    const env = { TC_POSTGRES_URL: url, TC_POSTGRES_SLOT: name, TC_DATA_DIR: dataDir, TC_METRICS_PORT: '0' };
    const cli = (...args: string[]) => runCli(args, { env });
    const made = await Promise.all([0, 1].map((i) => cli('init', '--json', '--shard', `${i}/2`)));
    expect(made.map((result) => lastJson(result).created)).toEqual([
      ['publication trajectory_compiler_0_of_2', `slot ${name}_0_of_2`],
      ['publication trajectory_compiler_1_of_2', `slot ${name}_1_of_2`],
    ]);
    const shares = made.map((result) => Number(lastJson(result).rowsBefore));
    expect(shares[0]! + shares[1]!).toBe(40);
    const read = await cli('run', '--once', '--json', '--from', 'beginning', '--shard', '1/2');
    expect(lastJson(read)).toMatchObject({ rows: shares[1] });
    const other = await cli('run', '--once', '--shard', '0/2');
    expect(other.code).not.toBe(0);
    expect(other.stderr).toContain('the data directory belongs to another slot');
    await rm(dataDir, { recursive: true });
  });

  test('a column whose collation the server takes into no row filter is refused with what it says', async () => {
    const url = await server.createDatabase();
    await queryOn(url, `CREATE COLLATION mine FROM "C"; CREATE TABLE audit_log (id int, session_id text COLLATE mine)`);
    await expect(createCapture(shardsOf(url, 2)[0]!)).rejects.toMatchObject({
      code: 'shard_column',
      message: expect.stringContaining('User-defined collations'),
    });
  });
}

const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = await openClient(clientConfig(url, { purpose: 'test' }));
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
