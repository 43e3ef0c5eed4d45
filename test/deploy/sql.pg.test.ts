import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lastJson, runCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { testedMajor } from '../support/postgres-versions.ts';
import { deploy, readText } from './deployed.ts';

let server: TestPostgres;
let folder: string;
beforeAll(async () => {
  // Roles belong to the whole server.
  server = await startPostgres({ own: true });
  folder = mkdtempSync(join(tmpdir(), 'tc-deploy-sql-'));
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const password = 'only-for-this-test';
const tableSql = 'CREATE TABLE audit_log (id bigint PRIMARY KEY, session_id text NOT NULL, tool text, note text)';

/** A file of deploy/postgres, with settings put before it as its head says. */
async function runFile(url: string, file: string, given: Record<string, string> = {}): Promise<void> {
  const before = Object.entries(given).map(([name, value]) => `SET tc.${name} = '${value}';`);
  await queryOn(url, [...before, readText('postgres', file)].join('\n'));
}

function urlOf(database: string, role: string): string {
  const url = new URL(database);
  url.username = role;
  url.password = password;
  return url.href;
}

const publications = (url: string) =>
  queryOn(
    url,
    `SELECT pubname, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, tablename,
            to_jsonb(t)->>'attnames' AS attnames, to_jsonb(t)->>'rowfilter' AS rowfilter
       FROM pg_publication p JOIN pg_publication_tables t USING (pubname)`,
  );

describe('with role.sql and publication.sql, each run twice', () => {
  let database: string;
  beforeAll(async () => {
    database = await server.createDatabase();
    await queryOn(database, tableSql);
    for (const file of ['role.sql', 'role.sql']) await runFile(database, file, { password });
    for (const file of ['publication.sql', 'publication.sql']) await runFile(database, file);
  });

  test('init as that role finds all it needs, and creates the slot', async () => {
    const env = { TC_POSTGRES_URL: urlOf(database, 'trajectory_compiler'), TC_DATA_DIR: folder };
    expect(lastJson(await runCli(['init', '--json'], { env }))).toEqual({
      created: ['slot trajectory_compiler'],
      rowsBefore: 0,
    });
    expect(lastJson(await runCli(['run', '--once', '--json'], { env }))).toMatchObject({ rows: 0 });
    expect(lastJson(await runCli(['teardown', '--json'], { env: { ...env, TC_POSTGRES_URL: database } }))).toEqual({
      dropped: ['slot trajectory_compiler', 'publication trajectory_compiler'],
    });
  });

  test('the role may read that table, and write nothing', async () => {
    const url = urlOf(database, 'trajectory_compiler');
    await queryOn(database, 'CREATE TABLE other (id int)');
    expect(await queryOn(url, 'SELECT id FROM audit_log')).toEqual([]);
    await expect(queryOn(url, "INSERT INTO audit_log VALUES (1, 's')")).rejects.toThrow('permission denied');
    await expect(queryOn(url, 'SELECT id FROM other')).rejects.toThrow('permission denied');
    const [role] = await queryOn(
      database,
      "SELECT rolsuper::text, rolreplication::text, rolcreatedb::text, rolbypassrls::text FROM pg_roles WHERE rolname = 'trajectory_compiler'",
    );
    expect(role).toEqual({ rolsuper: 'false', rolreplication: 'true', rolcreatedb: 'false', rolbypassrls: 'false' });
  });
});

test('publication.sql creates what init creates', async () => {
  const [byFile, byInit] = [await server.createDatabase(), await server.createDatabase()];
  for (const url of [byFile, byInit]) await queryOn(url, tableSql);
  await runFile(byFile, 'publication.sql');
  const env = { TC_POSTGRES_URL: byInit, TC_POSTGRES_SLOT: 'by_init' };
  expect((await runCli(['init'], { env })).code).toBe(0);
  expect(await publications(byFile)).toEqual(await publications(byInit));
  await queryOn(byInit, "SELECT pg_drop_replication_slot('by_init')");
});

test('table, publication and columns of other names can be given', async () => {
  const database = await server.createDatabase();
  await queryOn(
    database,
    'CREATE SCHEMA "Agents"; CREATE TABLE "Agents"."Log" (k int PRIMARY KEY, "Run" text, secret text)',
  );
  const table = '"Agents"."Log"';
  await runFile(database, 'role.sql', { audit_log: table });
  await runFile(database, 'reader.sql', { audit_log: table, password });
  await runFile(database, 'publication.sql', { audit_log: table, publication: 'agents', columns: 'k, Run' });
  const attnames = testedMajor < 15 ? null : '["k", "Run"]';
  expect(await publications(database)).toMatchObject([{ pubname: 'agents', tablename: 'Log', attnames }]);
  expect(await queryOn(urlOf(database, 'trajectory_compiler_reader'), `SELECT k FROM ${table}`)).toEqual([]);
});

test('the reader may read a trajectory, and replicate nothing', async () => {
  const database = await server.createDatabase();
  await queryOn(database, tableSql);
  for (const file of ['reader.sql', 'reader.sql']) await runFile(database, file, { password });
  await queryOn(database, "INSERT INTO audit_log SELECT n, 's', 'tool' FROM generate_series(1, 12) n");
  const env = { TC_POSTGRES_URL: urlOf(database, 'trajectory_compiler_reader'), TC_DATA_DIR: join(folder, 'reader') };
  expect((await runCli(['extract', '--json'], { env })).stdout).toContain('"s"');
  await expect(
    queryOn(env.TC_POSTGRES_URL, "SELECT pg_create_logical_replication_slot('mine', 'pgoutput')"),
  ).rejects.toThrow(testedMajor < 16 ? 'must be superuser or replication role' : 'permission denied');
});

test('the role of the call store owns its database, and nothing else', async () => {
  for (const file of ['calls.sql', 'calls.sql']) await runFile(server.adminUrl, file, { password });
  await queryOn(server.adminUrl, 'CREATE DATABASE trajectory_compiler_calls OWNER trajectory_compiler_calls');
  const url = new URL(urlOf(server.adminUrl, 'trajectory_compiler_calls'));
  url.pathname = '/trajectory_compiler_calls';
  await queryOn(url.href, 'CREATE SCHEMA trajectory_compiler; CREATE TABLE trajectory_compiler.t (id int)');
  url.pathname = '/postgres';
  await expect(queryOn(url.href, 'CREATE SCHEMA mine')).rejects.toThrow('permission denied');
});

test('the server takes every setting of settings.sql', async () => {
  const statements = readText('postgres', 'settings.sql')
    .replace(/^--.*$/gm, '')
    .split(';');
  for (const statement of statements.filter((text) => text.trim() !== '')) await queryOn(server.adminUrl, statement);
  const rows = await queryOn(
    server.adminUrl,
    "SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf' ORDER BY name",
  );
  expect(rows.map(({ name, setting }) => `${name} ${setting}`)).toEqual([
    'max_replication_slots 10',
    'max_slot_wal_keep_size 10GB',
    'max_wal_senders 10',
    'wal_level logical',
    'wal_sender_timeout 60s',
  ]);
});

test('the rows of the compose demo become trajectories and pairs', async () => {
  const database = await server.createDatabase();
  const env = { TC_POSTGRES_URL: database, TC_DATA_DIR: join(folder, 'demo'), TC_POSTGRES_SLOT: 'compose_demo' };
  expect((await runCli(['init', '--create-table'], { env })).code).toBe(0);
  const loaded = lastJson(await runCli(['load', join(deploy, 'compose', 'rows.jsonl'), '--json'], { env }));
  const compiled = lastJson(await runCli(['compile', '--json'], { env }));
  expect(loaded.rows).toBe(142);
  expect(Number(compiled.pairs)).toBeGreaterThan(5);
  await queryOn(database, "SELECT pg_drop_replication_slot('compose_demo')");
});
