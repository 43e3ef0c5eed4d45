/** The measured traps of logical replication, each held shut by a test against a real server. */
import { connect, createServer, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResumeLsn } from '../../src/records.ts';
import type { SourceOptions } from '../../src/stream/contract.ts';
import { parseLsn } from '../../src/stream/lsn.ts';
import { createCapture } from '../../src/stream/provision.ts';
import { openSource } from '../../src/stream/source.ts';
import { currentTarget } from '../../src/stream/target.ts';
import { capture, createAuditLog, emptyMemory, optionsOf, silent, until } from '../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let server: TestPostgres;

beforeAll(async () => {
  server = await startPostgres({ settings: { wal_sender_timeout: '2s', track_commit_timestamp: 'on' } });
});
afterAll(() => server?.stop());

async function freshLog(more: Partial<SourceOptions> = {}): Promise<SourceOptions> {
  return createAuditLog(await server.createDatabase(), more);
}

function insert(url: string, n: number, session = 's'): Promise<unknown> {
  return queryOn(
    url,
    `INSERT INTO audit_log (session_id, tool) SELECT '${session}', 't' FROM generate_series(1, ${n})`,
  );
}

async function slotOf({
  url,
  slot,
}: SourceOptions): Promise<{ confirmed: string; restart: string; pid: string | null }> {
  const [row] = await queryOn(
    url,
    `SELECT confirmed_flush_lsn, restart_lsn, active_pid FROM pg_replication_slots WHERE slot_name = '${slot}'`,
  );
  const [confirmed, restart] = [parseLsn(row!.confirmed_flush_lsn!), parseLsn(row!.restart_lsn!)];
  return { confirmed, restart, pid: row!.active_pid ?? null };
}

const keysOf = (turns: { rowKey: string }[]) => turns.map((turn) => turn.rowKey);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => String(i + 1));

describe('what Postgres is told to forget', () => {
  test('rows that were received and not stored stay in the slot, and the connection lives on, however long a sink blocks', async () => {
    // Without probes, whose pings would keep the connection alive as well.
    const options = await freshLog({ batchRows: 10, maxBufferBytes: 2_000, timings: { probeMs: 60_000 } });
    const before = await slotOf(options);
    let release = () => {};
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const run = await capture(options, emptyMemory(), silent, (batch) =>
      batch.sessionIds.size > 0 ? blocked : undefined,
    );
    await insert(options.url, 2_000);
    await until('the socket to be paused', () => run.source.status().paused);
    const { pid } = await slotOf(options);
    // Three times the server's patience.
    await until('six seconds of the server’s clock', async () => {
      const [row] = await queryOn(
        options.url,
        `SELECT (clock_timestamp() - backend_start > interval '6 s')::text AS passed FROM pg_stat_activity WHERE pid = ${pid}`,
      );
      expect(row, 'the walsender lives').toBeDefined();
      return row!.passed === 'true';
    });
    expect(await slotOf(options)).toMatchObject({ confirmed: before.confirmed, pid });
    expect(run.source.status()).toMatchObject({ connected: true, reconnects: 0 });
    release();
    await until('all rows', () => run.memory.turns.length === 2_000);
    await run.stop();
  });

  test('the server hears the end of the last stored commit, to the byte', async () => {
    const options = await freshLog();
    const run = await capture(options);
    await insert(options.url, 3);
    await until('the rows', () => run.memory.turns.length === 3);
    const commit = run.memory.progress!.resumeLsn;
    await until('the confirmation', async () => (await slotOf(options)).confirmed >= commit);
    expect((await slotOf(options)).confirmed).toBe(commit);
    await run.stop();
  });

  test('a commit record that starts exactly at the confirmed position is delivered', async () => {
    const options = await freshLog();
    const [one, two] = [
      new pg.Client({ connectionString: options.url }),
      new pg.Client({ connectionString: options.url }),
    ];
    await Promise.all([one.connect(), two.connect()]);
    const memory = emptyMemory();
    for (let attempt = 1, adjacent = false; !adjacent; attempt++) {
      expect(attempt, 'attempts to make two commit records touch').toBeLessThan(20);
      const before = memory.turns.length;
      for (const client of [one, two]) await client.query("BEGIN; INSERT INTO audit_log (session_id) VALUES ('s')");
      const first = await capture(options, memory);
      await one.query('COMMIT');
      await until('the first row', () => memory.turns.length === before + 1);
      await first.stop();
      const confirmed = memory.progress!.resumeLsn;
      await two.query('COMMIT');
      const second = await capture(options, memory);
      await until('the second row', () => memory.turns.length === before + 2);
      await second.stop();
      adjacent = String(memory.turns.at(-1)!.position.lsn) === String(confirmed);
    }
    await Promise.all([one.end(), two.end()]);
  });

  test('a batch whose handler failed is delivered again', async () => {
    const options = await freshLog();
    const before = await slotOf(options);
    const failing = await capture(options, emptyMemory(), silent, (batch) => {
      if (batch.sessionIds.size > 0) throw new Error('disk on fire');
    });
    await insert(options.url, 5);
    await expect(failing.done).rejects.toThrow('disk on fire');
    await failing.stop();
    expect((await slotOf(options)).confirmed).toBe(before.confirmed);
    const run = await capture(options, failing.memory);
    await until('the rows', () => run.memory.turns.length === 5);
    await run.stop();
    expect(keysOf(run.memory.turns)).toEqual(upTo(5));
  });

  test('an idle log lets the server forget what other tables write', async () => {
    const options = await freshLog({ timings: { idleAdvanceMs: 100 } });
    const run = await capture(options);
    await queryOn(options.url, "CREATE TABLE other AS SELECT repeat('x', 1000) FROM generate_series(1, 3000)");
    const [row] = await queryOn(options.url, 'SELECT pg_current_wal_flush_lsn() AS lsn');
    await until('the slot to follow', async () => (await slotOf(options)).confirmed >= parseLsn(row!.lsn!));
    // Says which transactions run, as the server does by itself every 15 s: only then may it forget.
    await queryOn(options.url, 'CHECKPOINT');
    await until('the WAL to be let go', async () => (await slotOf(options)).restart >= parseLsn(row!.lsn!));
    await run.stop();
  });

  test('a row whose transaction was open while idle positions were confirmed is delivered', async () => {
    const options = await freshLog({ timings: { idleAdvanceMs: 50 } });
    const run = await capture(options);
    const writer = new pg.Client({ connectionString: options.url });
    await writer.connect();
    await writer.query("BEGIN; INSERT INTO audit_log (session_id) VALUES ('slow')");
    await queryOn(options.url, 'CREATE TABLE other AS SELECT 1');
    const [row] = await queryOn(options.url, 'SELECT pg_current_wal_flush_lsn() AS lsn');
    await until('an idle confirmation', async () => (await slotOf(options)).confirmed >= parseLsn(row!.lsn!));
    await run.stop();
    await writer.query('COMMIT');
    await writer.end();
    const again = await capture(options, run.memory);
    await until('the row', () => again.memory.turns.length === 1);
    await again.stop();
  });
});

describe('where a stream begins', () => {
  test('a killed connection goes on after the last received row: none lost, none twice', async () => {
    const options = await freshLog({ batchRows: 7 });
    const run = await capture(options);
    for (let round = 0; round < 5; round++) {
      await insert(options.url, 40);
      const { pid } = await slotOf(options);
      if (pid !== null) await queryOn(options.url, `SELECT pg_terminate_backend(${pid})`);
    }
    await until('all rows', () => run.memory.turns.length >= 200);
    await insert(options.url, 1);
    await until('the last row', () => run.memory.turns.length >= 201);
    expect(keysOf(run.memory.turns)).toEqual(upTo(201));
    expect(run.source.status().reconnects).toBeGreaterThan(0);
    await run.stop();
  });

  test('a connection that is cut within a transaction brings the rest of it', async () => {
    const options = await freshLog({ batchRows: 50, maxBufferBytes: 20_000 });
    let release = () => {};
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const run = await capture(options, emptyMemory(), silent, (batch) =>
      batch.sessionIds.size > 0 ? blocked : undefined,
    );
    await insert(options.url, 30_000);
    await until('the socket to be paused', () => run.source.status().paused);
    await queryOn(options.url, `SELECT pg_terminate_backend(${(await slotOf(options)).pid})`);
    release();
    await until('all rows', () => run.memory.turns.length >= 30_000);
    expect(run.source.status().reconnects).toBeGreaterThan(0);
    await run.stop();
    expect(keysOf(run.memory.turns)).toEqual(upTo(30_000));
  });

  test('a slot that is ahead of what is stored stops with the missing range', async () => {
    const options = await freshLog();
    const run = await capture(options);
    await insert(options.url, 1);
    await until('the row', () => run.memory.turns.length === 1);
    await run.stop();
    await insert(options.url, 1);
    await queryOn(options.url, `SELECT pg_replication_slot_advance('${options.slot}', pg_current_wal_flush_lsn())`);
    await expect(openSource(options, run.memory, silent)).rejects.toMatchObject({
      code: 'slot_ahead',
      message: expect.stringMatching(/ahead of [0-9A-F]+\/[0-9A-F]+ .*bytes of WAL/),
    });
  });

  test('a slot that something else used while the connection was away stops the stream, which would skip rows', async () => {
    const options = await freshLog({ timings: { backoff: { baseMs: 8_000, maxMs: 8_000 } } });
    const { slot, url } = options;
    const run = await capture(options);
    await insert(url, 1);
    await until('the row', () => run.memory.turns.length === 1);
    await queryOn(url, `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${slot}'`);
    await until('the slot to be free', async () => (await slotOf(options)).pid === null);
    await insert(url, 1);
    await queryOn(url, `SELECT pg_replication_slot_advance('${slot}', pg_current_wal_flush_lsn())`);
    await expect(run.done).rejects.toMatchObject({ code: 'slot_ahead', kind: 'stop' });
    expect(run.memory.turns.length).toBe(1);
    await run.stop();
  }, 30_000);

  test('a confirmation that comes after the end is told to nobody', async () => {
    const options = await freshLog();
    const run = await capture(options);
    await insert(options.url, 1);
    await until('the row', () => run.memory.turns.length === 1);
    await run.stop();
    const { confirmedLsn } = run.source.status();
    await run.source.confirm('FFFFFFFF/00000000' as ResumeLsn);
    expect(run.source.status().confirmedLsn).toBe(confirmedLsn);
  });

  test('positions of another cluster, timeline, slot or publication are not compared', async () => {
    const options = await freshLog();
    const run = await capture(options);
    await insert(options.url, 1);
    await until('the row', () => run.memory.turns.length === 1);
    await run.stop();
    for (const part of ['system_identifier', 'timeline', 'slot', 'publication'] as const) {
      const identity = { ...run.memory.identity!, [part]: '7' };
      await expect(openSource(options, { ...run.memory, identity }, silent)).rejects.toMatchObject({
        code: 'source_changed',
      });
    }
    await createCapture({ ...options, slot: `${options.slot}_2` });
    const other = await openSource({ ...options, slot: `${options.slot}_2` }, emptyMemory(), silent);
    expect(other.source).toBe(run.source.source);
    await other.close();
  });

  test('a transaction larger than a batch is handed out in pieces, and a restart within it skips those that are stored', async () => {
    const options = await freshLog({ batchRows: 100, maxBufferBytes: 20_000 });
    const run = await capture(options, emptyMemory(), silent, () => {
      if (run.memory.turns.length >= 1_000) throw new Error('killed');
    });
    const start = (await slotOf(options)).confirmed;
    await insert(options.url, 3_000);
    await expect(run.done).rejects.toThrow('killed');
    await run.stop();
    expect(run.memory.progress).toMatchObject({ partial: { ordinal: run.memory.turns.length - 1 } });
    expect((await slotOf(options)).confirmed).toBe(run.memory.progress!.resumeLsn);
    expect(run.memory.progress!.resumeLsn >= start).toBe(true);
    const again = await capture(options, run.memory);
    await until('all rows', () => again.memory.turns.length >= 3_000);
    await again.stop();
    expect(keysOf(again.memory.turns)).toEqual(upTo(3_000));
    expect(again.memory.progress!.partial).toBeNull();
  });
});

describe('a connection that is in trouble', () => {
  test('a connection that goes silent is given up and made again', async () => {
    const options = await freshLog();
    const proxy = await swallowingProxy(Number(new URL(options.url).port));
    const url = new URL(options.url);
    url.port = String(proxy.port);
    const run = await capture({ ...options, url: url.href });
    await insert(options.url, 1);
    await until('the first row', () => run.memory.turns.length === 1);
    proxy.swallow();
    await insert(options.url, 1);
    await until('the second row', () => run.memory.turns.length === 2);
    await run.stop();
    proxy.close();
  });

  test('a fast shutdown of the server does not wait for an idle capture', async () => {
    const patient = await startPostgres({ settings: { wal_sender_timeout: '60s' } });
    const options = await createAuditLog(await patient.createDatabase());
    const run = await capture(options);
    await until('the connection', () => run.source.status().connected);
    await queryOn(options.url, "CREATE TABLE other AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
    const started = performance.now();
    await patient.restart('fast');
    // A capture that confirms nothing holds it for half of wal_sender_timeout at least.
    expect(performance.now() - started).toBeLessThan(20_000);
    await insert(options.url, 1);
    await until('the row after the restart', () => run.memory.turns.length === 1);
    await run.stop();
    await patient.stop();
  });

  test('a capture that has come to its end holds no walsender, which would hold up a shutdown', async () => {
    const options = await freshLog();
    await insert(options.url, 3);
    const once = await capture({ ...options, until: await currentTarget(options.url) });
    await once.done;
    expect((await slotOf(options)).pid).toBeNull();
    expect(once.memory.turns.length).toBe(3);
    expect((await slotOf(options)).confirmed).toBe(once.memory.progress!.resumeLsn);
    const broken = await capture(options, emptyMemory(), silent, () => Promise.reject(new Error('the disk is full')));
    await insert(options.url, 1);
    await expect(broken.done).rejects.toThrow('the disk is full');
    expect((await slotOf(options)).pid).toBeNull();
    await Promise.all([once.stop(), broken.stop()]);
  });

  test('an immediate restart in mid-stream loses nothing', async () => {
    const options = await freshLog();
    const run = await capture(options);
    await insert(options.url, 50);
    await server.restart('immediate');
    await insert(options.url, 50);
    await until('all rows', () => run.memory.turns.length >= 100);
    expect(new Set(keysOf(run.memory.turns)).size).toBe(100);
    await run.stop();
  });

  test('a message that can’t be read stops the batches with its position, after all before it were handed out', async () => {
    const options = await freshLog();
    const run = await capture(options);
    await insert(options.url, 2);
    await queryOn(options.url, 'ALTER TABLE audit_log RENAME COLUMN tool TO tool_name');
    await queryOn(options.url, "INSERT INTO audit_log (session_id, tool_name) VALUES ('s', 't')");
    await expect(run.done).rejects.toMatchObject({
      code: 'source_column',
      message: expect.stringMatching(/no longer has column tool .*\(at [0-9A-F]+\/[0-9A-F]+\)/),
    });
    expect(run.memory.turns.length).toBe(2);
    await run.stop();
    // A start that took the column for one the table never had would read nulls in silence.
    await expect(capture(options, run.memory)).rejects.toMatchObject({
      code: 'source_column',
      message: expect.stringMatching(/has lost the column that columns\.tool was read from \(tool\).*or to -/),
    });
    const columns = { tool: 'tool_name' };
    const renamed = await capture({ ...options, columns }, run.memory);
    await until('the row under its new name', () => renamed.memory.turns.length === 3);
    await renamed.stop();
    const without = await capture({ ...options, columns: { tool: '-' } }, renamed.memory);
    await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
    await until('the row without it', () => without.memory.turns.at(-1)?.tool === null);
    await without.stop();
  });
});

describe('publication and slot', () => {
  test('a slot without its publication is refused, since it could not be read', async () => {
    const options = await freshLog();
    await queryOn(options.url, 'DROP PUBLICATION p');
    await expect(createCapture(options)).rejects.toMatchObject({ code: 'publication_missing' });
    await expect(openSource(options, emptyMemory(), silent)).rejects.toMatchObject({ code: 'publication_missing' });
  });

  test('a publication that loses the table while the stream runs is noticed before an idle position is confirmed', async () => {
    const options = await freshLog({ timings: { idleAdvanceMs: 100 } });
    const run = await capture(options);
    await until('the connection', () => run.source.status().connected);
    await queryOn(options.url, 'ALTER PUBLICATION p DROP TABLE audit_log');
    const { confirmed } = await slotOf(options);
    await insert(options.url, 1);
    await expect(run.done).rejects.toMatchObject({
      code: 'publication_incomplete',
      message: expect.stringContaining('ALTER PUBLICATION "p" ADD TABLE'),
    });
    await run.stop();
    expect((await slotOf(options)).confirmed).toBe(confirmed);
  });

  test('creating a slot does not wait for ever for a transaction that stays open', async () => {
    const url = await server.createDatabase();
    const options = optionsOf(url);
    await queryOn(url, 'CREATE TABLE audit_log (id bigint PRIMARY KEY, session_id text)');
    const writer = new pg.Client({ connectionString: url });
    await writer.connect();
    await writer.query("BEGIN; INSERT INTO audit_log VALUES (1, 's')");
    await expect(createCapture({ ...options, lockTimeoutMs: 200 })).rejects.toMatchObject({ code: 'slot_waiting' });
    await writer.query('COMMIT');
    await writer.end();
    await createCapture(options);
  });
});

/** A TCP proxy whose existing connections can be made to swallow every byte; new ones work. */
async function swallowingProxy(port: number): Promise<{ port: number; swallow(): void; close(): void }> {
  const sockets: [Socket, Socket][] = [];
  const proxy = createServer((inner) => {
    const outer = connect(port, '127.0.0.1');
    sockets.push([inner, outer]);
    inner.pipe(outer).on('error', () => inner.destroy());
    outer.pipe(inner).on('error', () => outer.destroy());
    inner.on('close', () => outer.destroy());
    outer.on('close', () => inner.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    port: (proxy.address() as { port: number }).port,
    swallow: () => {
      for (const [inner, outer] of sockets) {
        inner.unpipe().resume();
        outer.unpipe().resume();
        outer.removeAllListeners('close');
      }
    },
    close: () => {
      for (const pair of sockets) for (const socket of pair) socket.destroy();
      proxy.close();
    },
  };
}
