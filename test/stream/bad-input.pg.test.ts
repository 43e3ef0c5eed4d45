/** What an operator gets wrong, and what tables and servers do: a clear error, and nothing lost. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Logger } from '../../src/log.ts';
import type { SourceOptions } from '../../src/stream/contract.ts';
import { lsnOf, numberOf, resumeAt } from '../../src/stream/lsn.ts';
import { createCapture, dropCapture } from '../../src/stream/provision.ts';
import { openSource } from '../../src/stream/source.ts';
import { currentTarget } from '../../src/stream/target.ts';
import { capture, createAuditLog, emptyMemory, optionsOf, silent, until } from '../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { testedMajor } from '../support/postgres-versions.ts';

let server: TestPostgres;

beforeAll(async () => {
  server = await startPostgres({
    settings: { max_slot_wal_keep_size: '16MB', min_wal_size: '32MB', max_wal_size: '32MB' },
  });
});
afterAll(() => server?.stop());

const freshLog = async (more: Partial<SourceOptions> = {}) => createAuditLog(await server.createDatabase(), more);
const open = (options: SourceOptions) => openSource(options, emptyMemory(), silent);

function withUrl(options: SourceOptions, change: (url: URL) => void): SourceOptions {
  const url = new URL(options.url);
  change(url);
  return { ...options, url: url.href };
}

/** A logger that keeps what is said. */
function listening(): { log: Logger; said: string[] } {
  const said: string[] = [];
  const say = (...args: unknown[]) => said.push(String(args.at(-1)));
  return { log: { ...silent, info: say, warn: say, error: say, debug: () => {} } as unknown as Logger, said };
}

/** Row filters and column lists came with PostgreSQL 15. */
const partialPublications: [what: string, sql: string, said: string][] =
  testedMajor < 15
    ? []
    : [
        ['filters rows', "ALTER PUBLICATION p SET TABLE audit_log WHERE (tool = 'x')", 'filters the rows'],
        [
          'leaves out columns',
          'ALTER PUBLICATION p SET TABLE audit_log (id, session_id)',
          'leaves out column agent, tool',
        ],
      ];

describe('settings that lead nowhere', () => {
  test('no such server: may pass by itself, exit code 5, and no password in the text', async () => {
    const options = withUrl(await freshLog(), (url) => {
      url.port = '1';
      url.password = 'hunter2';
    });
    const error = await open(options).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'source_unreachable', kind: 'retry', exitCode: 5 });
    expect(JSON.stringify([error, String(error), (error as Error).stack])).not.toContain('hunter2');
  });

  test.each([
    ['password', 'source_auth', { password: 'wrong' }],
    ['database', 'source_database', { pathname: '/nowhere' }],
  ])('a wrong %s stops and names the setting', async (_what, code, change) => {
    await expect(open(withUrl(await freshLog(), (url) => Object.assign(url, change)))).rejects.toMatchObject({
      code,
      kind: 'stop',
      exitCode: 3,
      message: expect.stringContaining('postgres.url'),
    });
  });

  test('a text that is no URL is not repeated', async () => {
    const error = await open({ ...optionsOf('http://x/y'), url: 'postgres//u:hunter2@h/db' }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'source_url', kind: 'stop' });
    expect(String(error)).not.toContain('hunter2');
  });

  test('a pooler is refused before anything is sent to it', async () => {
    const options = optionsOf('postgresql://postgres.abc:x@aws-0-eu-west-2.pooler.supabase.com:6543/postgres');
    await expect(open(options)).rejects.toMatchObject({
      code: 'source_pooler',
      message: expect.stringContaining('direct connection'),
    });
  });

  test('no such table, and a table that is none', async () => {
    const options = await freshLog();
    await queryOn(
      options.url,
      'CREATE VIEW v AS SELECT * FROM audit_log; CREATE UNLOGGED TABLE u (id int, session_id text)',
    );
    await expect(open({ ...options, table: 'nope' })).rejects.toMatchObject({
      code: 'source_table',
      message: expect.stringMatching(/no table public\.nope in database tc_.*postgres\.table/),
    });
    await expect(open({ ...options, table: 'v' })).rejects.toMatchObject({
      message: expect.stringContaining('is a view'),
    });
    await expect(open({ ...options, table: 'u' })).rejects.toMatchObject({
      message: expect.stringContaining('unlogged'),
    });
    await expect(open({ ...options, table: 'a b' })).rejects.toMatchObject({ code: 'source_table' });
  });

  test('a column that is not there is named beside those that are', async () => {
    const options = await freshLog();
    await expect(open({ ...options, columns: { tool: 'action' } })).rejects.toMatchObject({
      code: 'source_column',
      exitCode: 3,
      message: expect.stringMatching(/no column action: set columns\.tool to one of id, session_id, .*created_at/),
    });
  });

  test('optional columns may be missing under their default names', async () => {
    const url = await server.createDatabase();
    await queryOn(url, 'CREATE TABLE audit_log (id int PRIMARY KEY, session_id text)');
    const options = optionsOf(url);
    await createCapture(options);
    const run = await capture(options);
    await queryOn(url, "INSERT INTO audit_log VALUES (1, 's')");
    await until('the row', () => run.memory.turns.length === 1);
    await run.stop();
    expect(run.memory.turns[0]).toMatchObject({ rowKey: '1', tool: null, response: null, createdAt: null });
  });

  test('a role that may not replicate, or not read', async () => {
    const options = await freshLog();
    const role = `r_${new URL(options.url).pathname.slice(1)}`;
    await queryOn(options.url, `CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
    const asRole = withUrl(options, (url) => {
      url.username = role;
      url.password = 'x';
    });
    await expect(open(asRole)).rejects.toMatchObject({ code: 'source_permission', kind: 'stop', exitCode: 3 });
    await queryOn(options.url, `ALTER ROLE ${role} REPLICATION`);
    const streaming = await open(asRole);
    await streaming.close();
    await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
    const run = await capture({ ...asRole, from: 'beginning' });
    await expect(run.done).rejects.toMatchObject({ code: 'source_permission' });
    await run.stop();
  });

  test('wal_level that is not logical', async () => {
    const replica = await startPostgres({ settings: { wal_level: 'replica' } });
    try {
      const options = optionsOf(await replica.createDatabase());
      await queryOn(options.url, 'CREATE TABLE audit_log (id int PRIMARY KEY, session_id text)');
      for (const attempt of [() => createCapture(options), () => open(options)]) {
        await expect(attempt()).rejects.toMatchObject({
          code: 'wal_level',
          message: expect.stringContaining("ALTER SYSTEM SET wal_level = 'logical'"),
        });
      }
    } finally {
      await replica.stop();
    }
  });
});

describe('slot and publication', () => {
  test('a slot that another capture holds is waited for, then named with its pid', async () => {
    const options = await freshLog();
    const first = await capture(options);
    await until('the connection', () => first.source.status().connected);
    const second = await capture({ ...options, timings: { slotWaitMs: 300 } });
    await expect(second.done).rejects.toMatchObject({
      code: 'slot_active',
      message: expect.stringMatching(/pid \d+.*another capture/),
    });
    await second.stop();
    await expect(dropCapture(options)).rejects.toMatchObject({ code: 'slot_active' });
    const third = await capture(options);
    await first.stop();
    await until('the takeover', () => third.source.status().connected);
    await third.stop();
  });

  test('a missing slot, a foreign one, and one that is dropped while the capture is away', async () => {
    const options = await freshLog();
    await expect(open({ ...options, slot: 'nope' })).rejects.toMatchObject({ code: 'slot_missing' });
    await queryOn(
      options.url,
      `SELECT pg_create_logical_replication_slot('foreign_${options.slot}', 'test_decoding')`,
    ).catch(() => queryOn(options.url, `SELECT pg_create_physical_replication_slot('foreign_${options.slot}')`));
    await expect(open({ ...options, slot: `foreign_${options.slot}` })).rejects.toMatchObject({ code: 'slot_foreign' });
    await queryOn(options.url, `SELECT pg_drop_replication_slot('foreign_${options.slot}')`);
    expect(await dropCapture(options)).toEqual({ dropped: [`slot ${options.slot}`, 'publication p'] });
    expect(await dropCapture(options)).toEqual({ dropped: [] });
  });

  test('a server whose WAL ends before what is stored here was set back: it is refused', async () => {
    const options = await createAuditLog(await server.createDatabase());
    await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
    const run = await capture(options);
    await until('the row', () => run.memory.turns.length === 1);
    await run.stop();
    const beyond = resumeAt(lsnOf(numberOf(run.memory.progress!.resumeLsn) + 1_000_000n));
    const memory = { ...run.memory, progress: { resumeLsn: beyond, partial: null } };
    await expect(capture(options, memory)).rejects.toMatchObject({ kind: 'stop', code: 'server_behind' });
  });

  test('a slot whose WAL was removed stops with what to do', async () => {
    const options = await freshLog();
    for (let i = 0; i < 6; i++) {
      await queryOn(options.url, `CREATE TABLE big_${i} AS SELECT repeat('x', 1000) FROM generate_series(1, 10000)`);
      await queryOn(options.url, 'SELECT pg_switch_wal()');
      await queryOn(options.url, 'CHECKPOINT');
    }
    await expect(open(options)).rejects.toMatchObject({
      code: 'slot_lost',
      message: expect.stringContaining('run recover'),
    });
  });

  test.each([
    ['does not contain the table', 'ALTER PUBLICATION p DROP TABLE audit_log', 'ADD TABLE'],
    ['does not publish inserts', "ALTER PUBLICATION p SET (publish = 'truncate')", 'publish'],
    ...partialPublications,
  ])('a publication that %s is refused with the statement that mends it', async (_what, sql, said) => {
    const options = await freshLog();
    await queryOn(options.url, sql);
    await expect(open(options)).rejects.toMatchObject({
      code: 'publication_incomplete',
      message: expect.stringContaining(said),
    });
  });

  test('init says what it created, and creates nothing twice', async () => {
    const options = optionsOf(await server.createDatabase());
    await queryOn(options.url, 'CREATE TABLE audit_log (id int PRIMARY KEY, session_id text)');
    expect((await createCapture(options)).created).toEqual(['publication p', `slot ${options.slot}`]);
    expect((await createCapture(options)).created).toEqual([]);
  });
});

describe('rows and columns', () => {
  test('rows that are not carried on are counted by reason and said once', async () => {
    const url = await server.createDatabase();
    await queryOn(url, 'CREATE TABLE audit_log (id int, session_id text, agent text)');
    const options = optionsOf(url, { exclude: [{ column: 'agent', equals: 'compiler' }] });
    await createCapture(options);
    const { log, said } = listening();
    const run = await capture(options, emptyMemory(), log);
    await queryOn(
      url,
      "INSERT INTO audit_log VALUES (1, NULL, 'a'), (2, NULL, 'a'), (NULL, 's', 'a'), (3, 's', 'compiler'), (4, 's', NULL)",
    );
    await until('the row', () => run.memory.turns.length === 1);
    await run.stop();
    expect(run.memory.skipped).toEqual({ no_session: 2, no_key: 1, excluded: 1 });
    expect(run.memory.turns[0]!.position.ordinal).toBe(4);
    expect(said.filter((line) => line.includes('no_session'))).toHaveLength(1);
  });

  test('a column that is added changes nothing; one that is dropped stops the stream', async () => {
    const options = await freshLog();
    const run = await capture(options);
    await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
    await queryOn(options.url, "ALTER TABLE audit_log ADD COLUMN extra text DEFAULT 'x'");
    await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
    await until('both rows', () => run.memory.turns.length === 2);
    await queryOn(options.url, 'ALTER PUBLICATION p SET TABLE audit_log; ALTER TABLE audit_log DROP COLUMN response');
    await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
    await expect(run.done).rejects.toMatchObject({
      code: 'source_column',
      message: expect.stringMatching(/no longer has column response.*at [0-9A-F]+\/[0-9A-F]+/),
    });
    await run.stop();
  });

  test('updates, deletes and truncates of the log are reported and stop nothing', async () => {
    const { log, said } = listening();
    const options = await freshLog({ timings: { pollMs: 50 } });
    const run = await capture(options, emptyMemory(), log);
    await until('the connection', () => run.source.status().connected);
    await queryOn(options.url, "INSERT INTO audit_log (session_id) SELECT 's' FROM generate_series(1, 5)");
    await until('the rows', () => run.memory.turns.length === 5);
    await queryOn(options.url, "UPDATE audit_log SET tool = 'forged' WHERE id <= 2");
    await queryOn(options.url, 'DELETE FROM audit_log WHERE id = 3');
    await until('the report', () => run.source.status().updates === 2 && run.source.status().deletes === 1);
    await queryOn(options.url, 'TRUNCATE audit_log');
    await until('the truncate', () => run.source.status().truncates === 1);
    await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
    await until('the stream to go on', () => run.memory.turns.length === 6);
    await run.stop();
    expect(said.some((line) => /not append-only: .*updated/.test(line))).toBe(true);
    expect(said.join()).not.toContain('forged');
  });
});

describe('what is committed now', () => {
  test('ends an idle log at once', async () => {
    const options = await freshLog();
    const target = await currentTarget(options.url);
    const run = await capture({ ...options, until: target });
    await run.done;
    await run.stop();
    expect(run.memory.turns).toEqual([]);
    expect(run.memory.watermark).toBeGreaterThanOrEqual(target.at - 1_000_000);
    expect(run.memory.watermark).toBeLessThan(target.at);
  });

  test('takes in everything up to then and nothing beyond, though other databases and this log go on writing', async () => {
    const options = await freshLog({ batchRows: 10 });
    const elsewhere = await server.createDatabase();
    await queryOn(elsewhere, 'CREATE TABLE noise (x text)');
    await queryOn(options.url, "INSERT INTO audit_log (session_id) SELECT 's' FROM generate_series(1, 100)");
    await queryOn(options.url, "SET synchronous_commit = off; INSERT INTO audit_log (session_id) VALUES ('async')");
    const target = await currentTarget(options.url);
    const writing = new AbortController();
    const noise = (async () => {
      while (!writing.signal.aborted) {
        await queryOn(elsewhere, "INSERT INTO noise SELECT repeat('x', 500) FROM generate_series(1, 50)");
        await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('later')");
      }
    })();
    const run = await capture({ ...options, until: target });
    await run.done;
    writing.abort();
    await noise;
    await run.stop();
    expect(run.memory.turns.length).toBe(101);
    const rest = await capture(options, run.memory);
    const [row] = await queryOn(options.url, 'SELECT count(*)::text AS n FROM audit_log');
    await until('the rest', () => rest.memory.turns.length === Number(row!.n));
    await rest.stop();
  });

  test('a first start says in one line what it leaves unread', async () => {
    const options = await freshLog();
    await dropCapture(options);
    await queryOn(options.url, "INSERT INTO audit_log (session_id) SELECT 'before' FROM generate_series(1, 42)");
    await createCapture(options);
    await queryOn(options.url, "INSERT INTO audit_log (session_id) SELECT 'since' FROM generate_series(1, 7)");
    const { log, said } = listening();
    const run = await capture({ ...options, until: await currentTarget(options.url) }, emptyMemory(), log);
    await run.done;
    await run.stop();
    expect(run.memory.turns.length).toBe(7);
    expect(said.filter((line) => line.includes('first start'))).toEqual([
      expect.stringMatching(/42 older rows of public\.audit_log are left unread.*--from beginning/),
    ]);
  });
});

test('the connection pool of a closed source leaves nothing behind', async () => {
  const options = await freshLog();
  const run = await capture(options);
  await until('the connection', () => run.source.status().connected);
  await run.stop();
  const client = new pg.Client({ connectionString: options.url });
  await client.connect();
  await until('the connections to be gone', async () => {
    const { rows } = await client.query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'trajectory-compiler%'",
    );
    return rows[0].n === 0;
  });
  await client.end();
});

test('a stream that stands while the server answers no questions beside it says so, once', async () => {
  const options = await freshLog({ timings: { probeMs: 10, pollMs: 60_000, publicationMs: 60_000 } });
  const { log, said } = listening();
  const run = await capture(options, emptyMemory(), log);
  const admin = (sql: string) => queryOn(server.adminUrl, sql);
  const database = new URL(options.url).pathname.slice(1);
  try {
    await until('the stream', () => run.source.status().connected);
    await admin(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
    await admin(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}' AND backend_type = 'client backend'`,
    );
    await until('the sentence', () => said.some((line) => line.includes('answers no questions')));
    expect(run.source.status().connected).toBe(true);
    expect(said.filter((line) => line.includes('answers no questions'))).toHaveLength(1);
  } finally {
    await admin(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
    await run.stop();
  }
});
