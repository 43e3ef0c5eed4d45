/** Rows of the table beside the stream: what their snapshot sees lies before the position that they are given. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Lsn, Progress, ResumeLsn } from '../../src/records.ts';
import type { ExistingRows } from '../../src/stream/contract.ts';
import { lsnOf, numberOf, parseLsn } from '../../src/stream/lsn.ts';
import { openSource } from '../../src/stream/source.ts';
import { endOfRecords } from '../../src/stream/target.ts';
import { createAuditLog, emptyMemory, silent, until } from '../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

const never = new AbortController().signal;
const whole = { since: null, until: null };
const nowhere: Progress = { resumeLsn: '00000000/00000000' as ResumeLsn, partial: null };

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres({ own: true });
});
afterAll(() => server?.stop());

async function readAll(rows: ExistingRows): Promise<number> {
  let n = 0;
  for await (const batch of rows.batches(nowhere, never)) n += batch.changes.length;
  await rows.close();
  return n;
}

test('the position lies behind a commit that is seen before it is flushed', async () => {
  const options = await createAuditLog(await server.createDatabase());
  const source = await openSource(options, emptyMemory(), silent);
  const [writer] = await queryOn(options.url, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
  process.kill(Number(writer?.pid), 'SIGSTOP');
  let opened = false;
  const opening = (async () => {
    const asynchronous = 'SET synchronous_commit = off; INSERT INTO audit_log (session_id) VALUES ($$seen$$)';
    await queryOn(options.url, asynchronous);
    const [end] = await queryOn(options.url, 'SELECT pg_current_wal_insert_lsn() AS lsn');
    const rows = source.openExisting(whole, never).finally(() => {
      opened = true;
    });
    return { end: parseLsn(end?.lsn ?? ''), rows };
  })();
  const { end, rows } = await opening.catch((error) => {
    process.kill(Number(writer?.pid), 'SIGCONT');
    throw error;
  });
  try {
    // Longer than an asynchronous commit takes where the WAL writer runs.
    const waits = `SELECT FROM pg_stat_activity
      WHERE application_name = 'trajectory-compiler target' AND clock_timestamp() - backend_start > '900 ms'`;
    await until('the wait', async () => opened || (await queryOn(options.url, waits)).length > 0);
    expect(opened).toBe(false);
  } finally {
    process.kill(Number(writer?.pid), 'SIGCONT');
  }
  const existing = await rows;
  expect(existing.seenBefore >= end).toBe(true);
  expect(await readAll(existing)).toBe(1);
  await source.close();
});

test('the signal ends the wait for a flush', async () => {
  const options = await createAuditLog(await server.createDatabase());
  const source = await openSource(options, emptyMemory(), silent);
  const [writer] = await queryOn(options.url, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
  process.kill(Number(writer?.pid), 'SIGSTOP');
  try {
    await queryOn(options.url, 'SET synchronous_commit = off; INSERT INTO audit_log (session_id) VALUES ($$seen$$)');
    await expect(source.openExisting(whole, AbortSignal.timeout(200))).rejects.toThrow();
  } finally {
    process.kill(Number(writer?.pid), 'SIGCONT');
    await source.close();
  }
});

test('the header of a page that is not begun is waited for by nobody', () => {
  const [page, segment] = [8192n, 16n * 2n ** 20n];
  const endOf = (at: bigint) => numberOf(endOfRecords(lsnOf(at) as Lsn, page, segment));
  expect(endOf(3n * page + 24n)).toBe(3n * page);
  expect(endOf(2n * segment + 40n)).toBe(2n * segment);
  // A record that reaches into the page ends there.
  expect(endOf(3n * page + 40n)).toBe(3n * page + 40n);
  expect(endOf(2n * segment + 48n)).toBe(2n * segment + 48n);
});

test('the transaction_timeout of a database does not end the reading', async () => {
  const options = await createAuditLog(await server.createDatabase(), { batchRows: 10 });
  const [known] = await queryOn(options.url, "SELECT 1 AS n FROM pg_settings WHERE name = 'transaction_timeout'");
  await queryOn(options.url, "INSERT INTO audit_log (session_id) SELECT 's' FROM generate_series(1, 200)");
  const database = new URL(options.url).pathname.slice(1);
  if (known !== undefined) await queryOn(options.url, `ALTER DATABASE ${database} SET transaction_timeout = '100ms'`);
  const source = await openSource(options, emptyMemory(), silent);
  const rows = await source.openExisting(whole, never);
  const young = `SELECT FROM pg_stat_activity
    WHERE application_name = 'trajectory-compiler history' AND clock_timestamp() - xact_start < '200 ms'`;
  await until('an old transaction', async () => (await queryOn(options.url, young)).length === 0);
  expect(await readAll(rows)).toBe(200);
  await source.close();
});
