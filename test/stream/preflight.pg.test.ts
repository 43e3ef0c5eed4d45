/** The preflight against real servers, tables and roles; what it judges is in preflight.test.ts. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Check } from '../../src/checks.ts';
import type { SourceOptions } from '../../src/stream/contract.ts';
import { preflight } from '../../src/stream/preflight.ts';
import { readRoom } from '../../src/stream/preflight-facts.ts';
import { createCapture, dropCapture, recreateSlot } from '../../src/stream/provision.ts';
import { openSource, probeStart } from '../../src/stream/source.ts';
import { capture, createAuditLog, emptyMemory, optionsOf, silent, until } from '../support/capture.ts';
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

/** Inserts until the publication is made again, which leaves the slot older than it. */
async function republish({ url }: SourceOptions): Promise<void> {
  await queryOn(url, 'DROP PUBLICATION p');
  await queryOn(url, "INSERT INTO audit_log (session_id) VALUES ('before')");
  await queryOn(
    url,
    "CREATE PUBLICATION p FOR TABLE audit_log WITH (publish = 'insert, truncate', publish_via_partition_root = true)",
  );
  await queryOn(url, "INSERT INTO audit_log (session_id) VALUES ('after')");
}

test('a publication that is younger than what the slot holds is told, and looking at it moves nothing', async () => {
  const options = await createAuditLog(await server.createDatabase());
  const confirmed = async () => {
    const sql = `SELECT confirmed_flush_lsn AS lsn FROM pg_replication_slots WHERE slot_name = '${options.slot}'`;
    return (await queryOn(options.url, sql))[0]?.lsn;
  };
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
  expect(outcomes(await preflight(options, null))).toMatchObject({ publication_age: 'ok', publication_joined: 'ok' });
  const before = await confirmed();
  await queryOn(options.url, `SELECT pg_replication_slot_advance('${options.slot}', pg_current_wal_flush_lsn())`);
  const advanced = await confirmed();
  await republish(options);
  const checks = await preflight(options, null);
  expect(outcomes(checks)).toMatchObject({ publication: 'ok', publication_missing: 'failure' });
  expect(checks.find(({ name }) => name === 'publication_missing')?.sentence).toContain('recover');
  expect([before === advanced, await confirmed()]).toEqual([false, advanced]);
});

test('a capture that meets a publication younger than its rows stops instead of leaving them out, and recover mends it', async () => {
  const options = await createAuditLog(await server.createDatabase());
  const first = await capture(options);
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
  await until('the row', () => first.memory.turns.length === 1);
  await first.stop();
  await republish(options);
  const run = await capture(options, first.memory);
  await expect(run.done).rejects.toMatchObject({ code: 'publication_missing' });
  await run.stop();
  expect(run.memory.turns.map(({ sessionId }) => sessionId)).toEqual(['s']);
  await expect(probeStart(options, run.memory)).rejects.toMatchObject({ code: 'publication_missing' });
  await recreateSlot(options);
  await expect(probeStart(options, emptyMemory())).resolves.toBeUndefined();
});

test('what a publication has too much or too little of is told, with what mends it', async () => {
  const options = await createAuditLog(await server.createDatabase());
  await queryOn(
    options.url,
    "CREATE TABLE other (id int); ALTER PUBLICATION p ADD TABLE other; ALTER PUBLICATION p SET (publish = 'insert, update')",
  );
  await queryOn(options.url, 'ALTER PUBLICATION p DROP TABLE audit_log; ALTER PUBLICATION p ADD TABLE audit_log');
  const checks = await preflight(options, null);
  expect(outcomes(checks)).toMatchObject({
    publication_actions: 'warning',
    publication_tables: 'warning',
    publication_joined: 'warning',
  });
  for (const name of ['publication_actions', 'publication_tables']) await queryOn(options.url, remedyOf(checks, name)!);
  const mended = outcomes(await preflight(options, null));
  expect(mended).toMatchObject({ publication_actions: 'ok', publication_tables: 'ok' });
});

test('a slot that decodes what is only prepared, and one that goes with its session, are refused', async () => {
  const options = await createAuditLog(await server.createDatabase());
  const make = (more: string) => `SELECT pg_create_logical_replication_slot('${options.slot}', 'pgoutput', ${more})`;
  const drop = `SELECT pg_drop_replication_slot('${options.slot}')`;
  await queryOn(options.url, drop);
  await queryOn(options.url, make('false, true'));
  const twoPhase = await preflight(options, null);
  expect(outcomes(twoPhase)).toMatchObject({ slot_two_phase: 'failure' });
  expect(twoPhase.find(({ name }) => name === 'slot_two_phase')?.sentence).toContain('recover');
  await expect(openSource(options, emptyMemory(), silent)).rejects.toMatchObject({ code: 'slot_two_phase' });
  await queryOn(options.url, drop);
  const session = new pg.Client({ connectionString: options.url });
  await session.connect();
  await session.query(make('true'));
  const temporary = await preflight(options, null);
  expect(temporary.find(({ name }) => name === 'slot_foreign')?.sentence).toContain('a temporary slot');
  await session.end();
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
