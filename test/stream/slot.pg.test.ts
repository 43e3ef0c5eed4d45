/** A slot that is lost, foreign, held or kept by a standby: what replaces it, and what is left alone. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientConfig, openClient } from '../../src/postgres/connection.ts';
import type { SourceOptions } from '../../src/stream/contract.ts';
import { parseLsn } from '../../src/stream/lsn.ts';
import { createCapture, dropCapture, recreateSlot } from '../../src/stream/provision.ts';
import { openSource } from '../../src/stream/source.ts';
import { capture, createAuditLog, emptyMemory, optionsOf, silent, until } from '../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { testedMajor } from '../support/postgres-versions.ts';

let server: TestPostgres;

beforeAll(async () => {
  server = await startPostgres({ settings: { max_slot_wal_keep_size: '1MB' } });
});
afterAll(() => server?.stop());

const freshLog = async () => createAuditLog(await server.createDatabase());

const insert = (url: string) => queryOn(url, "INSERT INTO audit_log (session_id) VALUES ('s')");

async function slotOf({ url, slot }: SourceOptions): Promise<Record<string, unknown> | undefined> {
  const [row] = await queryOn(
    url,
    `SELECT to_jsonb(s)::text AS slot FROM pg_replication_slots s WHERE slot_name = '${slot}'`,
  );
  return row === undefined ? undefined : (JSON.parse(row.slot!) as Record<string, unknown>);
}

const publications = ({ url }: SourceOptions) => queryOn(url, 'SELECT pubname FROM pg_publication');

/** Until the server has removed WAL that the slot needs. */
async function loseSlot(options: SourceOptions): Promise<void> {
  await until('the slot to be lost', async () => {
    await queryOn(options.url, "SELECT pg_logical_emit_message(false, 'fill', 'x'), pg_switch_wal(); CHECKPOINT");
    return (await slotOf(options))?.wal_status === 'lost';
  });
}

describe('a new slot in the place of the old one', () => {
  test('a lost slot stops with what to do, and a new one streams what is committed from its consistent point on', async () => {
    const options = await freshLog();
    await insert(options.url);
    await loseSlot(options);
    await expect(openSource(options, emptyMemory(), silent)).rejects.toMatchObject({
      code: 'slot_lost',
      message: expect.stringMatching(/max_slot_wal_keep_size.*run recover/),
    });
    const made = await recreateSlot(options);
    expect(made.replaced).toMatch(/^slot s_\w+ .*, lost/);
    expect(made.created).toEqual([`slot ${options.slot}`]);
    expect(made.capture.slot.confirmedFlush).toBe(made.consistentPoint);
    const run = await capture(options);
    await insert(options.url);
    await until('the row', () => run.memory.turns.length === 1);
    expect(run.memory.turns[0]!.rowKey).toBe('2');
    await run.stop();
  });

  test('a missing slot and a missing publication are made, the publication first', async () => {
    const options = await freshLog();
    await dropCapture(options);
    const made = await recreateSlot(options);
    expect(made).toMatchObject({ replaced: null, created: ['publication p', `slot ${options.slot}`] });
    expect(parseLsn(String((await slotOf(options))?.confirmed_flush_lsn))).toBe(made.consistentPoint);
    await insert(options.url);
    const run = await capture(options);
    await until('the row', () => run.memory.turns.length === 1);
    await run.stop();
  });

  test('a commit that lies before the new slot and is not visible yet is waited for: nothing else would bring its row', async () => {
    const options = await freshLog();
    const { url } = options;
    const clients = await Promise.all([1, 2, 3, 4].map(() => openClient(clientConfig(url, { purpose: 'test' }))));
    const [first, second, writer, prober] = clients as [pg.Client, pg.Client, pg.Client, pg.Client];
    const begin = async (client: pg.Client) => {
      await client.query('BEGIN; SELECT pg_current_xact_id()');
      return (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid as string;
    };
    const held = (pid: string) => async () =>
      (await queryOn(url, `SELECT FROM pg_stat_activity WHERE ${pid} = ANY(pg_blocking_pids(pid))`)).length > 0;
    const synchronous = (standby: string) =>
      queryOn(url, `ALTER SYSTEM SET synchronous_standby_names = '${standby}'`).then(() =>
        queryOn(url, 'SELECT pg_reload_conf()'),
      );
    try {
      // The slot waits for transactions twice; what begins after the second wait has begun may commit before its point.
      const one = await begin(first);
      const made = recreateSlot({ ...options, lockTimeoutMs: 50_000 });
      let done = false;
      made.finally(() => {
        done = true;
      });
      await until('the first wait', held(one));
      const two = await begin(second);
      await first.query('ROLLBACK');
      await until('the second wait', held(two));
      await synchronous('nobody');
      const waiting = "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
      const waitingNow = async () => (await queryOn(url, waiting)).length;
      // Sessions show the setting before the checkpointer has put it in force: only a commit that waits proves that.
      let probe: Promise<unknown> = Promise.resolve();
      await until('the server to take the setting', async () => {
        let ended = false;
        probe = prober.query("SELECT pg_logical_emit_message(true, 'test', '')").finally(() => {
          ended = true;
        });
        await until('a commit to end or to wait', async () => ended || (await waitingNow()) > 0);
        return !ended;
      });
      const commit = writer.query("INSERT INTO audit_log (session_id) VALUES ('s')");
      await until('the commit to wait for its standby', async () => (await waitingNow()) > 1);
      await second.query('ROLLBACK');
      const asking = `SELECT FROM pg_stat_activity WHERE application_name = 'trajectory-compiler recover' AND query LIKE '%pg_snapshot_xmin%' AND datname = current_database()`;
      await until('the question what is visible', async () => (await queryOn(url, asking)).length > 0);
      expect((await slotOf(options))?.confirmed_flush_lsn).not.toBeNull();
      const visible = async () => (await queryOn(url, 'SELECT FROM audit_log')).length;
      expect([await visible(), done]).toEqual([0, false]);
      await synchronous('');
      await made;
      expect(await visible()).toBe(1);
      await Promise.all([probe, commit]);
    } finally {
      await synchronous('');
      await Promise.all(clients.map((client) => client.end()));
    }
  });

  test('a slot that a capture holds is left to it, by teardown too', async () => {
    const options = await freshLog();
    const run = await capture(options);
    await until('the connection', () => run.source.status().connected);
    const before = await slotOf(options);
    for (const attempt of [recreateSlot, dropCapture]) {
      await expect(attempt(options)).rejects.toMatchObject({
        code: 'slot_active',
        message: expect.stringContaining(`pid ${before?.active_pid}`),
      });
    }
    expect((await slotOf(options))?.active_pid).toBe(before?.active_pid);
    await run.stop();
  });

  test('what the publication leaves out is said before the slot is dropped', async () => {
    const options = await freshLog();
    await queryOn(options.url, 'ALTER PUBLICATION p DROP TABLE audit_log');
    const before = await slotOf(options);
    await expect(recreateSlot(options)).rejects.toMatchObject({ code: 'publication_incomplete' });
    expect((await slotOf(options))?.confirmed_flush_lsn).toBe(before?.confirmed_flush_lsn);
  });

  test('a slot of the same name that is something else is left alone, by teardown too', async () => {
    const options = await freshLog();
    await queryOn(options.url, `SELECT pg_drop_replication_slot('${options.slot}')`);
    await queryOn(options.url, `SELECT pg_create_physical_replication_slot('${options.slot}')`);
    await expect(recreateSlot(options)).rejects.toMatchObject({ code: 'slot_foreign' });
    await expect(dropCapture(options)).rejects.toMatchObject({ code: 'slot_foreign' });
    expect(await slotOf(options)).toBeDefined();
    expect(await publications(options)).toEqual([{ pubname: 'p' }]);
    await queryOn(options.url, `SELECT pg_drop_replication_slot('${options.slot}')`);
  });
});

test('a publication that is dropped while the stream runs stops it, and rows stay in the slot: PostgreSQL 18 only logs a warning', async () => {
  const options = await createAuditLog(await server.createDatabase(), { timings: { idleAdvanceMs: 100 } });
  const run = await capture(options);
  await until('the connection', () => run.source.status().connected);
  await queryOn(options.url, 'DROP PUBLICATION p');
  const [at] = await queryOn(options.url, 'SELECT pg_current_wal_insert_lsn() AS lsn');
  await insert(options.url);
  await expect(run.done).rejects.toMatchObject({ code: 'publication_missing' });
  expect(run.memory.turns).toEqual([]);
  expect(parseLsn(String((await slotOf(options))?.confirmed_flush_lsn)) <= parseLsn(at!.lsn!)).toBe(true);
  await run.stop();
});

test('teardown by a role that does not own the publication drops nothing', async () => {
  const options = await freshLog();
  const role = `r_${new URL(options.url).pathname.slice(1)}`;
  await queryOn(options.url, `CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'secret'`);
  const url = new URL(options.url);
  [url.username, url.password] = [role, 'secret'];
  await expect(dropCapture({ ...options, url: url.href })).rejects.toMatchObject({
    code: 'source_permission',
    message: expect.stringMatching(/of postgres, so nothing was dropped: .*DROP PUBLICATION "p"/),
  });
  expect(await slotOf(options)).toBeDefined();
  expect((await dropCapture(options)).dropped).toEqual([`slot ${options.slot}`, 'publication p']);
  expect((await dropCapture(options)).dropped).toEqual([]);
});

test(`a slot that a standby keeps is made on PostgreSQL 17 and later; before, it is refused and nothing is created`, async () => {
  const url = await server.createDatabase();
  const options = optionsOf(url);
  await queryOn(url, 'CREATE TABLE audit_log (id int, session_id text)');
  if (testedMajor < 17) {
    await expect(createCapture({ ...options, failover: true })).rejects.toMatchObject({ code: 'failover_version' });
    expect(await publications(options)).toEqual([]);
    return;
  }
  await createCapture(options);
  await expect(createCapture({ ...options, failover: true })).rejects.toMatchObject({
    code: 'slot_failover',
    message: expect.stringContaining('ALTER_REPLICATION_SLOT'),
  });
  const { capture: made } = await recreateSlot({ ...options, failover: true });
  expect(made.slot).toMatchObject({ failover: true, synced: false });
  expect(made.slot.inactiveSince).toMatch(/^\d{4}-/);
  expect(made.slot.safeWalBytes).toBeGreaterThan(0);
  expect(await createCapture({ ...options, failover: true })).toMatchObject({ created: [] });
});
