/** No row is lost and none is doubled, whatever breaks. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pause } from '../../src/lifecycle.ts';
import { currentTarget } from '../../src/stream/target.ts';
import { capture, createAuditLog, emptyMemory, until } from '../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let server: TestPostgres;

beforeAll(async () => {
  server = await startPostgres({ own: true });
});
afterAll(() => server?.stop());

/** Inserts row after row, each in a transaction of its own, with now and then one that is rolled back. */
async function write(url: string, session: number, signal: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  for (let i = 0; !signal.aborted; i++) {
    await client.query('INSERT INTO audit_log (session_id, duration_ms) VALUES ($1, $2)', [`s${session}`, i]);
    await pause(5);
    if (i % 17 === 0) await client.query("BEGIN; INSERT INTO audit_log (session_id) VALUES ('never'); ROLLBACK");
  }
  await client.end();
}

test('16 writers, 10 captures one after another, each cut five times: every committed row once, in commit order', {
  timeout: 120_000,
}, async () => {
  const options = await createAuditLog(await server.createDatabase(), {
    batchRows: 50,
    batchMs: 5,
    timings: { confirmMs: 1, idleAdvanceMs: 20 },
  });
  const memory = emptyMemory();
  const writing = new AbortController();
  const writers = Array.from({ length: 16 }, (_, i) => write(options.url, i, writing.signal));
  const more = async () => {
    const before = memory.turns.length;
    await until('more rows', () => memory.turns.length > before + 10);
  };
  for (let start = 0; start < 10; start++) {
    const run = await capture(options, memory);
    for (let cut = 0; cut < 5; cut++) {
      await more();
      // The server cuts the connection, in the middle of whatever it was sending.
      await queryOn(
        options.url,
        `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${options.slot}'`,
      );
    }
    await more();
    await run.stop();
  }
  writing.abort();
  await Promise.all(writers);
  const last = await capture({ ...options, until: await currentTarget(options.url) }, memory);
  await last.done;
  await last.stop();

  const rows = await queryOn(options.url, 'SELECT id::text FROM audit_log ORDER BY id');
  const taken = memory.turns.map((turn) => turn.rowKey);
  expect(taken.length).toBe(rows.length);
  expect(new Set(taken)).toEqual(new Set(rows.map((row) => row.id)));
  const positions = memory.turns.map(({ position: { lsn, ordinal } }) => `${lsn} ${String(ordinal).padStart(9, '0')}`);
  expect(positions).toEqual([...positions].sort());
});

test('the server is restarted under load: every row once', { timeout: 60_000 }, async () => {
  const options = await createAuditLog(await server.createDatabase());
  const run = await capture(options);
  for (const mode of ['fast', 'immediate'] as const) {
    const writing = new AbortController();
    const writers = [1, 2, 3].map((i) => write(options.url, i, writing.signal).catch(() => {}));
    const before = run.memory.turns.length;
    await until('some rows', () => run.memory.turns.length > before + 100);
    await server.restart(mode);
    writing.abort();
    await Promise.all(writers);
  }
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('last')");
  const rows = await queryOn(options.url, 'SELECT id::text FROM audit_log');
  await until('the last row', () => run.memory.turns.at(-1)?.sessionId === 'last');
  await run.stop();
  expect(run.memory.turns.length).toBe(rows.length);
  expect(new Set(run.memory.turns.map((turn) => turn.rowKey))).toEqual(new Set(rows.map((row) => row.id)));
});
