/** Where the log of the server ends now: behind everything that can be seen. */
import type pg from 'pg';
import { pause } from '../lifecycle.ts';
import { clientConfig, explainPostgres, openClient } from '../postgres/connection.ts';
import { type Lsn, type Micros, microsOf } from '../records.ts';
import { lsnOf, numberOf, parseLsn } from './lsn.ts';

const lookEveryMs = 20;

/**
 * Where `run --once` ends: everything that is committed now lies before `lsn`, and `at` is now, by the server's clock.
 *
 * @throws OperatorError `source_unreachable` and other refusals of the connection.
 */
export async function currentTarget(url: string): Promise<{ lsn: Lsn; at: Micros }> {
  return await onConnection(url, async (client) => {
    const { written, at, walWriterDelayMs } = await readWritten(client);
    // An asynchronous commit can be seen before it is flushed, for up to three delays of the WAL writer; only what is
    // flushed is streamed. What is written and never flushed belongs to no commit.
    const deadline = Date.now() + 3 * walWriterDelayMs + 100;
    for (;;) {
      const flushed = await readFlushed(client);
      if (flushed >= written || Date.now() >= deadline) return { lsn: flushed, at };
      await pause(lookEveryMs);
    }
  });
}

/**
 * A position behind every commit that could be seen when this was called, however late it is flushed: the stream has
 * brought them all when it has passed it. An idle server flushes within seconds.
 *
 * @throws OperatorError as {@link currentTarget}, and where the signal fires first.
 */
export async function flushedTarget(url: string, signal: AbortSignal): Promise<Lsn> {
  return await onConnection(url, async (client) => {
    const { written } = await readWritten(client);
    for (;;) {
      signal.throwIfAborted();
      const flushed = await readFlushed(client);
      if (flushed >= written) return flushed;
      await pause(lookEveryMs, signal);
    }
  });
}

/** Bytes of the header of a page of the log, and of the first page of a segment. */
const pageHeader = 24n;
const segmentHeader = 40n;

/**
 * Where the records end of which the server says that the next one begins at `insert`: behind the header of a new page,
 * where that is next, which is flushed with the next record alone.
 */
export function endOfRecords(insert: Lsn, pageBytes: bigint, segmentBytes: bigint): Lsn {
  const at = numberOf(insert);
  if (at % segmentBytes === segmentHeader) return lsnOf(at - segmentHeader);
  return at % pageBytes === pageHeader ? lsnOf(at - pageHeader) : insert;
}

async function readWritten(client: pg.Client): Promise<{ written: Lsn; at: Micros; walWriterDelayMs: number }> {
  const { rows } = await client.query(
    `SELECT clock_timestamp() AS at, pg_current_wal_insert_lsn() AS insert,
            current_setting('wal_block_size') AS page, pg_size_bytes(current_setting('wal_segment_size')) AS segment,
            (SELECT setting FROM pg_settings WHERE name = 'wal_writer_delay') AS delay`,
  );
  const { insert, page, segment, at, delay } = rows[0];
  const written = endOfRecords(parseLsn(insert), BigInt(page), BigInt(segment));
  return { written, at: microsOf(at) as Micros, walWriterDelayMs: Number(delay) };
}

async function readFlushed(client: pg.Client): Promise<Lsn> {
  return parseLsn((await client.query('SELECT pg_current_wal_flush_lsn() AS lsn')).rows[0].lsn);
}

async function onConnection<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await openClient(clientConfig(url, { purpose: 'target' }));
  try {
    return await work(client);
  } catch (error) {
    throw explainPostgres(error, url, 'read the current position');
  } finally {
    await client.end().catch(() => {});
  }
}
