/** Where a run that takes in only what is committed now has to end. */
import { pause } from '../lifecycle.ts';
import { clientConfig, explainPostgres, openClient } from '../postgres/connection.ts';
import { type Lsn, type Micros, microsOf } from '../records.ts';
import { parseLsn } from './lsn.ts';

/**
 * Where `run --once` ends: everything that is committed now lies before `lsn`, and `at` is now, by the server's clock.
 *
 * @throws OperatorError `source_unreachable` and other refusals of the connection.
 */
export async function currentTarget(url: string): Promise<{ lsn: Lsn; at: Micros }> {
  const client = await openClient(clientConfig(url, { purpose: 'target' }));
  try {
    const { rows } = await client.query(
      `SELECT clock_timestamp() AS at, pg_current_wal_insert_lsn() AS written,
              (SELECT setting FROM pg_settings WHERE name = 'wal_writer_delay') AS delay`,
    );
    const written = parseLsn(rows[0].written);
    // An asynchronous commit can be seen before it is flushed, for up to three delays of the WAL writer; only what is
    // flushed is streamed. What is written and never flushed belongs to no commit.
    const deadline = Date.now() + 3 * Number(rows[0].delay) + 100;
    for (;;) {
      const flushed = parseLsn((await client.query('SELECT pg_current_wal_flush_lsn() AS lsn')).rows[0].lsn);
      if (flushed >= written || Date.now() >= deadline) return { lsn: flushed, at: microsOf(rows[0].at) as Micros };
      await pause(20);
    }
  } catch (error) {
    throw explainPostgres(error, url, 'read the current position');
  } finally {
    await client.end().catch(() => {});
  }
}
