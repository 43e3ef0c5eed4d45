/** How far behind a stream is, as a real server's positions and clock tell it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { capture, createAuditLog, emptyMemory, silent, until } from '../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { startProxy } from '../support/tcp-proxy.ts';

let server: TestPostgres;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

test('a stream that is held up is later and later, with its rows waiting, and in time again once it may go on', async () => {
  const options = await createAuditLog(await server.createDatabase(), { batchRows: 10, maxBufferBytes: 2_000 });
  let release = () => {};
  const blocked = new Promise<void>((resolve) => {
    release = resolve;
  });
  const run = await capture(options, emptyMemory(), silent, (batch) =>
    batch.sessionIds.size > 0 ? blocked : undefined,
  );
  const status = () => run.source.status();
  await until('the connection', () => status().connected && status().lagMs === 0);
  expect(status().bufferedRows).toBe(0);
  const insert = () =>
    queryOn(options.url, "INSERT INTO audit_log (session_id) SELECT 's' FROM generate_series(1, 2000)");
  // What lies in the sockets counts as on its way.
  await until('a lag of a second', async () => {
    if ((status().lagMs ?? 0) === 0) await insert();
    return (status().lagMs ?? 0) > 1_000;
  });
  const { lagMs, bufferedRows, paused } = status();
  expect([bufferedRows > 0, paused]).toEqual([true, true]);
  await until('more of it', () => status().lagMs! > lagMs! + 500);
  release();
  await until('everything to be taken', () => status().bufferedRows === 0 && status().lagMs === 0);
  await run.stop();
});

test('a server that is out of reach leaves the stream later with every moment', async () => {
  const options = await createAuditLog(await server.createDatabase());
  const proxy = await startProxy();
  const url = new URL(options.url);
  proxy.target = Number(url.port);
  url.port = String(proxy.port);
  const run = await capture({ ...options, url: url.href });
  await until('the connection', () => run.source.status().connected && run.source.status().lagMs === 0);
  await proxy.refuse();
  await until('a lag of seconds', () => run.source.status().lagMs! > 5_500);
  expect(run.source.status().connected).toBe(false);
  await proxy.open();
  await until('the stream to be in time again', () => run.source.status().lagMs === 0);
  await run.stop();
  await proxy.stop();
});
