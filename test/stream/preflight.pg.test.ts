/** The preflight against real servers, tables and roles; what it judges is in preflight.test.ts. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Check } from '../../src/checks.ts';
import type { SourceOptions } from '../../src/stream/contract.ts';
import { preflight } from '../../src/stream/preflight.ts';
import { readRoom } from '../../src/stream/preflight-facts.ts';
import { createCapture, dropCapture } from '../../src/stream/provision.ts';
import { capture, createAuditLog, optionsOf, until } from '../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { testedMajor } from '../support/postgres-versions.ts';

let server: TestPostgres;

beforeAll(async () => {
  server = await startPostgres({
    settings: {
      wal_sender_timeout: '0',
      max_slot_wal_keep_size: '100GB',
      ...(testedMajor >= 18 ? { idle_replication_slot_timeout: '10min' } : {}),
    },
  });
});
afterAll(() => server?.stop());

const outcomes = (checks: Check[]) => Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]));
const troubles = (checks: Check[]) => checks.filter(({ outcome }) => outcome !== 'ok').map(({ name }) => name);
const remedyOf = (checks: Check[], name: string) => checks.find((check) => check.name === name)?.remedy;

/** As a role of its own, which may replicate. */
async function asRole(options: SourceOptions): Promise<{ options: SourceOptions; role: string }> {
  const role = `r_${new URL(options.url).pathname.slice(1)}`;
  await queryOn(options.url, `CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'x'`);
  const url = new URL(options.url);
  Object.assign(url, { username: role, password: 'x' });
  return { options: { ...options, url: url.href }, role };
}

test('a server, a table and a slot are looked at whatever is wrong with one of them', async () => {
  const options = await createAuditLog(await server.createDatabase());
  const version = testedMajor < 15 ? ['server_version'] : [];
  const idle = testedMajor >= 18 ? ['idle_replication_slot_timeout'] : [];
  const always = [...version, ...idle, 'wal_sender_timeout'];
  await queryOn(options.url, 'CREATE INDEX ON audit_log (created_at)');
  expect(troubles(await preflight(options, null))).toEqual(always);
  await queryOn(options.url, 'ALTER PUBLICATION p DROP TABLE audit_log');
  expect(troubles(await preflight(options, null))).toEqual([...always, 'publication_incomplete']);
  await dropCapture(options);
  const without = await preflight(options, null);
  expect(troubles(without)).toEqual([...version, 'slot_missing', ...idle, 'wal_sender_timeout', 'publication_missing']);
  expect(outcomes(without)).toMatchObject({
    slot_missing: 'failure',
    publication_missing: 'failure',
    time_index: 'ok',
  });
});

test('what reading the table beside the stream needs is asked for the role that captures', async () => {
  const url = await server.createDatabase();
  await queryOn(
    url,
    'CREATE TABLE audit_log (id int, session_id text, created_at timestamptz, UNIQUE (id, session_id)); ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY',
  );
  const admin = optionsOf(url);
  await createCapture(admin);
  const { options, role } = await asRole(admin);
  const checks = await preflight(options, null);
  expect(outcomes(checks)).toMatchObject({
    walsender: 'ok',
    source_select: 'warning',
    row_security: 'warning',
    key_unique: 'warning',
    time_index: 'warning',
  });
  for (const name of ['source_select', 'row_security', 'key_unique']) await queryOn(url, remedyOf(checks, name)!);
  await queryOn(url, remedyOf(checks, 'time_index')!);
  const mended = await preflight(options, null);
  expect(outcomes(mended)).toMatchObject({ source_select: 'ok', row_security: 'ok', time_index: 'ok' });
  // Unique now, but not yet never null.
  expect(remedyOf(mended, 'key_unique')).toContain('SET NOT NULL');
  await queryOn(url, remedyOf(mended, 'key_unique')!);
  expect(outcomes(await preflight(options, null))).toMatchObject({ key_unique: 'ok' });
  await queryOn(url, `ALTER ROLE ${role} NOREPLICATION`);
  expect(outcomes(await preflight(options, null))).toMatchObject({ source_permission: 'failure', slot: 'ok' });
});

test('where the stream goes on is compared with what is stored', async () => {
  const options = await createAuditLog(await server.createDatabase());
  const run = await capture(options);
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
  await until('the row', () => run.memory.turns.length === 1);
  expect(outcomes(await preflight(options, run.memory))).toMatchObject({ position: 'ok', slot_active: 'ok' });
  await run.stop();
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
  await queryOn(options.url, `SELECT pg_replication_slot_advance('${options.slot}', pg_current_wal_flush_lsn())`);
  expect(outcomes(await preflight(options, run.memory))).toMatchObject({ slot_ahead: 'failure' });
  const identity = { ...run.memory.identity!, system_identifier: '7' };
  expect(outcomes(await preflight(options, { ...run.memory, identity }))).toMatchObject({ source_changed: 'failure' });
});

test('a transaction that has written and stays open is seen', async () => {
  const options = await createAuditLog(await server.createDatabase());
  const writer = new pg.Client({ connectionString: options.url });
  await writer.connect();
  await writer.query("BEGIN; INSERT INTO audit_log (session_id) VALUES ('s')");
  const client = new pg.Client({ connectionString: options.url });
  await client.connect();
  const room = await readRoom(client, options.slot);
  expect(room.oldestWrite?.seconds).toBeGreaterThan(0);
  await writer.query('ROLLBACK');
  expect((await readRoom(client, options.slot)).oldestWrite).toBeNull();
  await Promise.all([writer.end(), client.end()]);
});
