/** The script for the administrator of a server, run on one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { administratorSql } from '../../src/init/administrator.ts';
import type { Given } from '../../src/init/given-settings.ts';
import { setupSql } from '../../src/init/setup-sql.ts';
import { captureSettings } from '../../src/stages.ts';
import { readText } from '../deploy/deployed.ts';
import { runCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { testedMajor } from '../support/postgres-versions.ts';

let server: TestPostgres;
let dir: string;
beforeAll(async () => {
  // Roles belong to the whole server.
  server = await startPostgres({ own: true });
  dir = mkdtempSync(join(tmpdir(), 'tc-setup-sql-'));
});
afterAll(async () => {
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const password = 'only-for-this-test';
const usualTable =
  'CREATE TABLE audit_log (id bigint PRIMARY KEY, session_id text NOT NULL, tool text, created_at timestamptz)';

const print = (given: Given, more: { role?: string; createTable?: boolean } = {}) =>
  administratorSql(loadConfig({ env: {}, flags: given, file: '/dev/null' }).config, {
    role: more.role,
    createTable: more.createTable === true,
  });

const statementsOf = (sql: string) =>
  sql
    .replace(/^--.*\n/gm, '')
    .split(/;\n/)
    .map((text) => text.trim())
    .filter((text) => text !== '');

/** As psql -f does: one after the other. The password is the one thing that is left to be chosen. */
async function run(url: string, sql: string): Promise<void> {
  const chosen = sql.replace(/^-- (ALTER ROLE .*) '<password>';$/m, `$1 '${password}';`);
  for (const statement of statementsOf(chosen)) await queryOn(url, statement);
}

const undo = (sql: string) => sql.slice(sql.indexOf('-- To undo')).replace(/^-- {2}/gm, '');

function urlFor(database: string, role: string): string {
  const url = new URL(database);
  [url.username, url.password] = [encodeURIComponent(role), password];
  return url.href;
}

/** Failures of `doctor` in that role's eyes, and its warnings about the source. */
async function doctor(given: Given) {
  const env = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      `TC_${name
        .replace(/[A-Z]/g, (c) => `_${c}`)
        .replaceAll('.', '_')
        .toUpperCase()}`,
      value,
    ]),
  );
  const { code, stdout, stderr } = await runCli(['doctor', '--json'], { env: { ...env, TC_DATA_DIR: dir }, cwd: dir });
  const checks = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; outcome: string; sentence: string });
  const failures = checks.filter(({ outcome }) => outcome === 'failure').map(({ sentence }) => sentence);
  return { code, stderr, failures, names: checks.map(({ name }) => name) };
}

const left = (url: string, role: string) =>
  queryOn(
    url,
    `SELECT pubname AS name FROM pg_publication UNION ALL SELECT slot_name FROM pg_replication_slots
      UNION ALL SELECT rolname FROM pg_roles WHERE rolname = '${role.replaceAll("'", "''")}'`,
  );

describe('run by a superuser', () => {
  test.each<[what: string, role: string, table: string, given: Given]>([
    ['the usual table', 'trajectory_compiler', usualTable, {}],
    [
      'a table, columns and a role of unusual names',
      `the "agents'" role`,
      `CREATE SCHEMA "Agent Logs"; CREATE TABLE "Agent Logs"."log;--" ("Key" int PRIMARY KEY, "say ""run""" text, "it's" jsonb)`,
      {
        'postgres.table': '"Agent Logs"."log;--"',
        'columns.key': 'Key',
        'columns.sessionId': 'say "run"',
        'columns.arguments': "it's",
        'postgres.publication': 'The "agents" pub',
        'postgres.slot': 'agents_slot',
      },
    ],
    [
      'a partitioned table',
      'capture',
      `CREATE TABLE calls (id bigint, session_id uuid, at timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
       CREATE TABLE calls_new PARTITION OF calls DEFAULT`,
      { 'postgres.table': 'calls', 'columns.time': 'at' },
    ],
    [
      'a table with row level security',
      'capture_rls',
      `${usualTable}; ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY`,
      {},
    ],
  ])('it makes doctor content with a new role, for %s, and its end undoes it', async (_, role, table, given) => {
    const database = await server.createDatabase();
    await queryOn(database, table);
    const { sql, unasked } = await print({ 'postgres.url': database, ...given }, { role });
    expect(unasked).toBeNull();
    await run(database, sql);
    const asRole = { 'postgres.url': urlFor(database, role), ...given };
    const found = await doctor(asRole);
    expect(found).toMatchObject({ code: 0, failures: [] });
    expect(found.names).toEqual(expect.arrayContaining(['publication', 'slot', 'source_select', 'walsender']));
    const again = (await print(asRole, { role })).sql;
    expect(statementsOf(again)).toEqual([]);
    await run(database, undo(sql));
    expect(await left(database, role)).toEqual([]);
  });

  test('it creates the audit log too where that was asked for', async () => {
    const database = await server.createDatabase();
    await expect(print({ 'postgres.url': database })).rejects.toThrow(/no table public\.audit_log/);
    const { sql } = await print({ 'postgres.url': database }, { role: 'maker', createTable: true });
    await run(database, sql);
    expect(await doctor({ 'postgres.url': urlFor(database, 'maker') })).toMatchObject({ code: 0, failures: [] });
    await run(database, undo(sql));
  });

  test('it makes one share of a sharded capture', async () => {
    const database = await server.createDatabase();
    await queryOn(database, usualTable);
    const given = { 'postgres.url': database, 'capture.shard': '1/2' };
    if (testedMajor < 15) {
      await expect(print(given)).rejects.toThrow(/no row filters: capture\.shard needs 15 or later/);
      return;
    }
    const { sql } = await print(given, { role: 'sharer' });
    await run(database, sql);
    const asRole = { ...given, 'postgres.url': urlFor(database, 'sharer') };
    expect(await doctor(asRole)).toMatchObject({ code: 0, failures: [] });
    await run(database, undo(sql));
  });
});

test('the role is the one that deploy/postgres/role.sql makes', async () => {
  const [byFile, byScript] = [await server.createDatabase(), await server.createDatabase()];
  for (const url of [byFile, byScript]) await queryOn(url, usualTable);
  const role = async (url: string) => {
    const [attributes] = await queryOn(
      url,
      `SELECT rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit, rolbypassrls,
              (SELECT relacl::text FROM pg_class WHERE relname = 'audit_log') AS rights
         FROM pg_roles WHERE rolname = 'trajectory_compiler'`,
    );
    return attributes;
  };
  await queryOn(byFile, readText('postgres', 'role.sql'));
  const made = await role(byFile);
  await queryOn(byFile, 'DROP OWNED BY trajectory_compiler; DROP ROLE trajectory_compiler');
  const { sql } = await print({ 'postgres.url': byScript });
  await run(byScript, sql);
  expect(await role(byScript)).toEqual(made);
  await run(byScript, undo(sql));
});

describe('where something is there', () => {
  test('only what is missing is printed, and what is wrong is said', async () => {
    const database = await server.createDatabase();
    await queryOn(
      database,
      `${usualTable}; CREATE ROLE reader LOGIN PASSWORD '${password}'; GRANT SELECT ON audit_log TO reader;
       CREATE PUBLICATION trajectory_compiler FOR TABLE audit_log WITH (publish = 'update')`,
    );
    const { sql } = await print({ 'postgres.url': urlFor(database, 'reader') });
    expect(statementsOf(sql)).toEqual([
      'ALTER ROLE "reader" REPLICATION',
      "SET lock_timeout = '10000ms'",
      "SELECT pg_create_logical_replication_slot('trajectory_compiler', 'pgoutput')",
    ]);
    expect(sql).toMatch(/^-- publication trajectory_compiler does not publish inserts: ALTER PUBLICATION/m);
    expect(undo(sql)).not.toContain('DROP ROLE');
  });

  test('a server whose log can not be decoded is told so first, with the restart that it needs', async () => {
    const plain = await startPostgres({ settings: { wal_level: 'replica' } });
    try {
      const database = await plain.createDatabase();
      await queryOn(database, usualTable);
      const { sql } = await print({ 'postgres.url': database });
      expect(sql).toMatch(
        /^-- wal_level is replica\. Restart the server after this statement.*\nALTER SYSTEM SET wal_level/m,
      );
      expect(sql).toMatch(/^-- max_slot_wal_keep_size is -1: .*ALTER SYSTEM SET max_slot_wal_keep_size/m);
    } finally {
      await plain.stop();
    }
  });
});

describe('without an answer from the server', () => {
  test('the settings alone say what is always needed', async () => {
    const { sql, unasked } = await print({
      'postgres.table': 'agents.log',
      'columns.sessionId': 'run',
      'columns.cost': '-',
    });
    expect(unasked).toMatch(/postgres\.url is not set/);
    expect(statementsOf(sql)).toEqual(
      expect.arrayContaining([
        'SHOW wal_level',
        'CREATE ROLE "trajectory_compiler" LOGIN REPLICATION NOINHERIT CONNECTION LIMIT 8',
        'GRANT SELECT ON "agents"."log" TO "trajectory_compiler"',
        expect.stringContaining(
          'FOR TABLE "agents"."log" ("run", "agent", "tool", "arguments", "response", "duration_ms",',
        ),
      ]),
    );
  });

  test('the role of the connection string is the one to be made, and its password is nowhere', async () => {
    const url = new URL(server.adminUrl);
    [url.username, url.password] = ['not_yet', 'not-a-real-one'];
    const { sql, unasked } = await print({ 'postgres.url': url.href });
    expect(unasked).toContain('password authentication failed for user "not_yet"');
    expect(sql).toContain('CREATE ROLE "not_yet" LOGIN REPLICATION');
    expect(sql).not.toContain('not-a-real-one');
  });

  test('a Supabase project has ways of its own, which are said', () => {
    const settings = captureSettings(
      loadConfig({ env: {}, flags: { 'postgres.url': server.adminUrl }, file: '/dev/null' }).config,
    );
    const unasked = { role: 'capture', database: 'postgres', why: 'It was not asked' };
    const [there, elsewhere] = [true, false].map((supabase) =>
      setupSql({ settings, createTable: false, supabase }, unasked),
    );
    expect(there).toMatch(/^-- Supabase: in the SQL editor, run each statement by itself/m);
    expect(elsewhere).not.toContain('Supabase');
  });
});
