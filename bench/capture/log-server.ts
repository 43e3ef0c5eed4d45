/** A Postgres of the bench's own with an audit log in it, and slots that all read the same WAL. */
import pg from 'pg';
import { createTableSql } from '../../src/postgres/audit-table.ts';
import { startEmbeddedPostgres } from '../../src/postgres/embedded.ts';
import { createCapture } from '../../src/stream/provision.ts';

export const table = 'public.audit_log';
export const publication = 'bench';

/** Agents that write at once; each begins a new session after so many rows. */
const agents = 100;
const rowsPerSession = 40;

export type TransactionRows = 1 | 1000;

/** About 1 KB, or 250 bytes. */
export type RowSize = 'usual' | 'small';

const repeats = { usual: 17, small: 0 };

export interface AuditLog {
  url: string;
  /** Rows in the log. */
  readonly rows: number;
  client: pg.Client;
  /** Adds rows in transactions of this size; all in one where it is null. */
  fill(rows: number, perTransaction: TransactionRows | null, size?: RowSize): Promise<void>;
  /** A slot that begins before the first row. */
  newSlot(): Promise<string>;
  dropSlot(slot: string): Promise<void>;
  /** Where the WAL ends. */
  end(): Promise<string>;
  stop(): Promise<void>;
}

/** Commits reach the disk, and no checkpoint that the rows themselves force falls into a measurement. */
const settings = {
  fsync: 'on',
  shared_buffers: '256MB',
  max_wal_size: '16GB',
  checkpoint_timeout: '30min',
  autovacuum: 'off',
};

export async function startAuditLog(): Promise<AuditLog> {
  const server = await startEmbeddedPostgres({ settings });
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => {});
  await client.connect();
  for (const statement of createTableSql({ table })) await client.query(statement);
  await client.query(rowsSql);
  await createCapture({ url: server.url, table, slot: 'before_the_rows', publication });
  let rows = 0;
  let slots = 0;
  return {
    url: server.url,
    client,
    get rows() {
      return rows;
    },
    fill: async (more, perTransaction, size = 'usual') => {
      // What is in the WAL is the same; only the filling need not wait for the disk.
      await client.query('SET synchronous_commit = off');
      const step = perTransaction === null ? more : 10_000;
      for (let from = rows; from < rows + more; from += step) {
        const to = Math.min(from + step, rows + more);
        await client.query('CALL fill($1, $2, $3, $4)', [from, to - 1, perTransaction ?? more, repeats[size]]);
      }
      rows += more;
      await client.query('VACUUM (ANALYZE) audit_log');
      await client.query('CHECKPOINT');
    },
    newSlot: async () => {
      const slot = `pass_${++slots}`;
      await client.query('SELECT pg_copy_logical_replication_slot($1, $2)', ['before_the_rows', slot]);
      return slot;
    },
    dropSlot: async (slot) => {
      await client.query('SELECT pg_drop_replication_slot($1)', [slot]);
    },
    end: async () => (await client.query('SELECT pg_current_wal_flush_lsn()::text AS lsn')).rows[0].lsn,
    stop: async () => {
      await client.end();
      await server.stop();
    },
  };
}

/** Rows as agents write them: JSON of some depth, numbers that differ, now and then text beyond ASCII. */
const rowsSql = `
CREATE FUNCTION response_of(n bigint, repeats int) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('ok', n % 11 <> 0, 'id', n, 'digest', md5(n::text),
    'note', CASE WHEN n % 10 = 0 THEN 'naïve – 東京 🙂' ELSE 'plain' END,
    'text', repeat(md5((n * 7)::text) || ' "lorem" ', repeats))
$$;
CREATE PROCEDURE fill(first bigint, last bigint, per_transaction int, repeats int) LANGUAGE plpgsql AS $$
BEGIN
  FOR at IN 0 .. (last - first) / per_transaction LOOP
    INSERT INTO audit_log (session_id, agent, tool, arguments, response, cost_usd, duration_ms)
    SELECT format('session-%s-%s', n % ${agents}, n / ${agents * rowsPerSession}), 'agent-' || n % ${agents},
      'search_orders', jsonb_build_object('query', 'order ' || n, 'limit', 10, 'after', md5((n + 1)::text)),
      response_of(n, repeats), 0.00012, n % 1000
    FROM generate_series(first + at * per_transaction, least(last, first + (at + 1) * per_transaction - 1)) n;
    COMMIT;
  END LOOP;
END $$`;
