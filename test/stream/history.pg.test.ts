/** History and stream meet without gap or overlap. */
import { type AddressInfo, connect, createServer } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAuditReader } from '../../src/postgres/rows.ts';
import { createCapture } from '../../src/stream/provision.ts';
import { capture, createAuditLog, emptyMemory, optionsOf, silent, until } from '../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let server: TestPostgres;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

const slots = (url: string) =>
  queryOn(url, 'SELECT slot_name FROM pg_replication_slots WHERE database = current_database()');

test('rows that are inserted while history is read come once, by one way or the other', async () => {
  const options = await createAuditLog(await server.createDatabase(), { from: 'beginning', batchRows: 100 });
  await queryOn(options.url, "INSERT INTO audit_log (session_id) SELECT 's' || i % 7 FROM generate_series(1, 2000) i");
  let more = 0;
  const states: string[] = [];
  const run = await capture(options, emptyMemory(), silent, async (batch) => {
    if (batch.history !== undefined) states.push(batch.history.state);
    if (more < 5) {
      more += 1;
      await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('during')");
    }
  });
  await until('all rows', () => run.memory.turns.length >= 2_005);
  await run.stop();
  expect(new Set(run.memory.turns.map((turn) => turn.rowKey)).size).toBe(2_005);
  expect(run.memory.turns.length).toBe(2_005);
  expect(states.lastIndexOf('reading')).toBe(states.indexOf('done') - 1);
  const history = run.memory.turns.filter((turn) => turn.committedAt === null);
  expect(history.length).toBe(2_000);
  expect(history.every((turn, i) => i === 0 || turn.position.ordinal > history[i - 1]!.position.ordinal)).toBe(true);
  expect(history.every((turn) => turn.position.ordinal < 0)).toBe(true);
  expect((await slots(options.url)).map((row) => row.slot_name)).toEqual([options.slot]);
});

test('a row that is committed after the position and before the first look comes by the stream alone', async () => {
  const options = await createAuditLog(await server.createDatabase(), { from: 'beginning' });
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('before')");
  let inserted: Promise<unknown> | undefined;
  const proxy = await startInterrupted(
    Number(new URL(options.url).port),
    'BEGIN ISOLATION LEVEL REPEATABLE READ',
    () => {
      // The slot has its position by now.
      inserted = queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('between')");
      return inserted;
    },
  );
  const url = new URL(options.url);
  url.port = String(proxy.port);
  const run = await capture({ ...options, url: url.href });
  await until('the stream', () => run.memory.turns.some(({ sessionId }) => sessionId === 'between'));
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('after')");
  await until('the last row', () => run.memory.turns.at(-1)?.sessionId === 'after');
  await run.stop();
  proxy.close();
  expect(inserted).toBeDefined();
  expect(run.memory.turns.map(({ sessionId, committedAt }) => [sessionId, committedAt === null])).toEqual([
    ['before', true],
    ['between', false],
    ['after', false],
  ]);
});

/** A proxy that holds the first message with this text until `work` is done. */
async function startInterrupted(target: number, text: string, work: () => Promise<unknown>) {
  let due = true;
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    upstream.pipe(client);
    client.on('data', (bytes: Buffer) => {
      if (!due || !bytes.includes(text)) return void upstream.write(bytes);
      due = false;
      client.pause();
      void work().then(() => {
        upstream.write(bytes);
        client.resume();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

test('history that was cut short starts over, and what was confirmed meanwhile skips nothing', async () => {
  const options = await createAuditLog(await server.createDatabase(), { from: 'beginning', batchRows: 50 });
  await queryOn(options.url, "INSERT INTO audit_log (session_id) SELECT 's' FROM generate_series(1, 500)");
  const cut = await capture(options, emptyMemory(), silent, () => {
    if (cut.memory.turns.length >= 200) throw new Error('killed');
  });
  await expect(cut.done).rejects.toThrow('killed');
  await cut.stop();
  expect(cut.memory.historyDone).toBe(false);
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
  const again = await capture(options, { ...cut.memory, progress: null, turns: [] });
  expect(again.source.history).toBe(true);
  await until('all rows', () => again.memory.turns.length === 501);
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
  await until('the stream', () => again.memory.turns.length === 502);
  await again.stop();
  const third = await capture(options, again.memory);
  expect(third.source.history).toBe(false);
  await third.stop();
});

test.each([
  ['a lock on the table', 'LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE'],
  ['a transaction that was open before', 'SELECT pg_current_xact_id()'],
])('reading history can be stopped while it waits for %s', async (_what, sql) => {
  const options = await createAuditLog(await server.createDatabase(), { from: 'beginning' });
  const other = new pg.Client({ connectionString: options.url });
  await other.connect();
  const run = await capture(options);
  try {
    await other.query(`BEGIN; ${sql}`);
    const { rows } = await other.query('SELECT pg_backend_pid() AS pid');
    const waits = `SELECT pid FROM pg_stat_activity WHERE ${rows[0].pid} = ANY(pg_blocking_pids(pid)) AND datname = current_database()`;
    await until('the capture to wait', async () => (await queryOn(options.url, waits)).length > 0);
    const startedAt = performance.now();
    await run.stop();
    await run.done;
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(run.memory).toMatchObject({ turns: [], historyDone: false });
  } finally {
    await other.end();
    await run.stop();
  }
});

test('the history of a table of large rows is read in small pieces', async () => {
  const options = await createAuditLog(await server.createDatabase(), {
    from: 'beginning',
    maxBufferBytes: 4 * 2 ** 20,
  });
  await queryOn(
    options.url,
    "INSERT INTO audit_log (session_id, response) SELECT 's', to_jsonb(repeat('x', 200000)) FROM generate_series(1, 150)",
  );
  const sizes: number[] = [];
  const run = await capture(options, emptyMemory(), silent, (batch) => {
    if (batch.history?.state === 'reading') sizes.push(batch.changes.length);
  });
  await until('history', () => run.memory.historyDone);
  await run.stop();
  expect(run.memory.turns.length).toBe(150);
  expect(Math.max(...sizes.slice(1))).toBeLessThanOrEqual(6);
});

test('reads find the same turns as the stream', async () => {
  const url = await server.createDatabase();
  await queryOn(
    url,
    `CREATE TABLE audit_log (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), session_id uuid, agent char(8), arguments json, cost_usd float8, flag boolean, created_at timestamp DEFAULT clock_timestamp())`,
  );
  const options = optionsOf(url, { columns: { metadata: ['flag'] } });
  await createCapture(options);
  const run = await capture(options);
  await queryOn(
    url,
    `INSERT INTO audit_log (session_id, agent, arguments, cost_usd, flag)
       SELECT ('00000000-0000-0000-0000-00000000000' || i % 2)::uuid, 'ab', '{"a" : 1,  "a":2}', 0.1::float8 + 0.2::float8, i = 1 FROM generate_series(1, 6) i`,
  );
  await until('the rows', () => run.memory.turns.length === 6);
  await run.stop();
  const reader = await openAuditReader(options);
  const session = '00000000-0000-0000-0000-000000000001';
  const streamed = run.memory.turns.filter((turn) => turn.sessionId === session);
  const read = await reader.readSession(session);
  const bare = ({ position: _p, committedAt: _c, ...turn }: (typeof read)[number]) => turn;
  expect(read.map(bare)).toEqual(streamed.map(bare));
  expect(read[0]).toMatchObject({
    agent: 'ab      ',
    arguments: '{"a" : 1,  "a":2}',
    costUsd: '0.30000000000000004',
    metadata: { flag: 't' },
  });
  const keys = streamed.map((turn) => turn.rowKey).reverse();
  expect((await reader.readRows([...keys, '00000000-0000-0000-0000-000000000009'])).map((turn) => turn.rowKey)).toEqual(
    keys,
  );
  expect(reader.source).toBe(run.source.source);
  await reader.close();
});

test('sessions are listed longest first, with how many lie below', async () => {
  const options = await createAuditLog(await server.createDatabase());
  await queryOn(
    options.url,
    `INSERT INTO audit_log (session_id, agent) SELECT 's' || n, 'a' || i % 2 FROM generate_series(1, 9) n, generate_series(1, n) i`,
  );
  const reader = await openAuditReader({ ...options, exclude: [{ column: 'session_id', equals: 's9' }] });
  const list = await reader.listSessions({ minTurns: 4, limit: 2 });
  await reader.close();
  expect(list).toMatchObject({ total: 5, below: 3 });
  expect(list.sessions.map(({ sessionId, turns, agents }) => ({ sessionId, turns, agents }))).toEqual([
    { sessionId: 's8', turns: 8, agents: ['a0', 'a1'] },
    { sessionId: 's7', turns: 7, agents: ['a0', 'a1'] },
  ]);
});

test('rows beside the stream are refused once key or time are other columns or types; the stream goes on', async () => {
  const options = await createAuditLog(await server.createDatabase());
  const insert = (session: string) => queryOn(options.url, 'INSERT INTO audit_log (session_id) VALUES ($1)', [session]);
  const { signal } = new AbortController();
  const run = await capture(options);
  const open = async () => (await run.source.openExisting({ since: null, until: null }, signal)).close();
  await insert('a');
  await until('the row', () => run.memory.turns.length === 1);
  await open();
  // In one transaction: no row misses the publication, which lists columns and so holds on to their types.
  await queryOn(
    options.url,
    `ALTER PUBLICATION p DROP TABLE audit_log; ALTER TABLE audit_log ALTER created_at TYPE timestamp;
     ALTER PUBLICATION p ADD TABLE audit_log`,
  );
  const refusal = {
    kind: 'stop',
    code: 'columns_changed',
    message: expect.stringMatching(
      /created_at \(timestamp with time zone\).*created_at \(timestamp without time zone\)/,
    ),
  };
  await expect(open()).rejects.toMatchObject(refusal);
  await insert('b');
  await until('the next row', () => run.memory.turns.length === 2);
  await run.stop();
  await queryOn(options.url, 'ALTER TABLE audit_log ADD other bigint');
  const columns = { key: 'other', time: '-' };
  for (const [memory, code] of [
    [run.memory, 'columns_changed'],
    [emptyMemory(), undefined],
  ] as const) {
    const { source, stop } = await capture({ ...options, columns }, { ...memory });
    const opened = source.openExisting({ since: null, until: null }, signal).then((rows) => rows.close());
    if (code === undefined) await opened;
    else
      await expect(opened).rejects.toMatchObject({
        code,
        message: expect.stringMatching(/key other \(integer\) and no time/),
      });
    await stop();
  }
});
