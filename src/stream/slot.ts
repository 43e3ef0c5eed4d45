/** Publication and slot: what init creates, what every start verifies, what teardown drops. */
import type pg from 'pg';
import { exitCodes, type OperatorError, stop } from '../errors.ts';
import { type AuditTable, describeTable, type TableSettings } from '../postgres/audit-table.ts';
import { clientConfig, explainPostgres, openClient } from '../postgres/connection.ts';
import { quoteIdent, quoteLiteral } from '../postgres/quote.ts';
import type { Lsn } from '../records.ts';
import { columnGone } from './columns.ts';
import { parseLsn } from './lsn.ts';

export interface CaptureNames {
  slot: string;
  publication: string;
}

export interface CaptureSettings extends TableSettings, CaptureNames {
  url: string;
  /** Creating a slot waits for the transactions that are open; so long at most. Default 10,000. */
  lockTimeoutMs?: number | undefined;
}

export interface SlotState {
  confirmedFlush: Lsn;
  restartLsn: Lsn;
  active: boolean;
  activePid: number | null;
  /** `reserved`, `extended`, `unreserved` or `lost`. */
  walStatus: string;
  /** Bytes of WAL that the server keeps because of this slot. */
  retainedBytes: number;
}

export interface ServerFacts {
  /** 170010 for 17.10. */
  version: number;
  walWriterDelayMs: number;
  database: string;
}

export interface Capture {
  server: ServerFacts;
  table: AuditTable;
  slot: SlotState;
}

type Queryable = pg.ClientBase | pg.Pool;

const defaultLockTimeoutMs = 10_000;

function configuration(code: string, message: string, cause?: unknown): OperatorError {
  return stop(code, message, { exitCode: exitCodes.configuration, cause });
}

/** The statements of `init`, for an administrator to run where the capture's own role may not. */
export function initSql(
  table: AuditTable,
  { slot, publication, lockTimeoutMs = defaultLockTimeoutMs }: CaptureNames & { lockTimeoutMs?: number | undefined },
  serverVersion: number,
): string[] {
  const list = serverVersion >= 150_000 ? ` (${table.mapping.names.map(quoteIdent).join(', ')})` : '';
  return [
    `SET lock_timeout = '${lockTimeoutMs}ms'`,
    // Before the slot: a slot cannot read what happened before its publication existed.
    `CREATE PUBLICATION ${quoteIdent(publication)} FOR TABLE ${table.sql}${list} WITH (publish = 'insert, truncate', publish_via_partition_root = true)`,
    `SELECT pg_create_logical_replication_slot(${quoteLiteral(slot)}, 'pgoutput')`,
  ];
}

export function teardownSql({ slot, publication }: CaptureNames): string[] {
  return [
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(slot)}`,
    `DROP PUBLICATION IF EXISTS ${quoteIdent(publication)}`,
  ];
}

/**
 * Creates what is missing of publication and slot, and verifies both.
 *
 * @returns what was created; empty where everything was there.
 * @throws OperatorError as {@link verifyCapture}; `publication_missing` where the slot exists without its publication.
 */
export async function createCapture(settings: CaptureSettings): Promise<{ created: string[]; capture: Capture }> {
  return await withClient(settings.url, 'init', 'create publication and slot', async (client) => {
    const server = await verifyServer(client);
    const table = await describeTable(client, settings);
    const publicationThere = await exists(client, 'pg_publication', 'pubname', settings.publication);
    const slotThere = await exists(client, 'pg_replication_slots', 'slot_name', settings.slot);
    if (slotThere && !publicationThere) {
      throw configuration(
        'publication_missing',
        `slot ${settings.slot} exists and publication ${settings.publication} does not, and a slot cannot read what is older than its publication: run teardown, then init`,
      );
    }
    const [lock, publication, slot] = initSql(table, settings, server.version) as [string, string, string];
    await client.query(lock);
    const created: string[] = [];
    if (!publicationThere) {
      await client.query(publication);
      created.push(`publication ${settings.publication}`);
    }
    if (!slotThere) {
      await createSlot(client, slot, settings);
      created.push(`slot ${settings.slot}`);
    }
    return { created, capture: await verifyCapture(client, settings) };
  });
}

async function createSlot(client: pg.Client, sql: string, { slot, lockTimeoutMs }: CaptureSettings): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === '55P03') {
      throw stop(
        'slot_waiting',
        `slot ${slot} could not be created within ${lockTimeoutMs ?? defaultLockTimeoutMs} ms: the server waits for transactions that were open before; end the long ones (pg_stat_activity, pg_prepared_xacts) and run init again`,
        { cause: error },
      );
    }
    if (code === '53400') {
      throw configuration(
        'slot_limit',
        'all replication slots are in use: raise max_replication_slots or drop an abandoned one',
        error,
      );
    }
    throw error;
  }
}

/** Drops slot and publication where they exist. @throws OperatorError `slot_active` while a capture holds the slot. */
export async function dropCapture(settings: CaptureNames & { url: string }): Promise<{ dropped: string[] }> {
  return await withClient(settings.url, 'teardown', 'drop publication and slot', async (client) => {
    const dropped: string[] = [];
    const [dropSlot, dropPublication] = teardownSql(settings) as [string, string];
    const { rows } = await client.query('SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1', [
      settings.slot,
    ]);
    const pid = rows[0]?.active_pid;
    if (pid != null) {
      throw stop(
        'slot_active',
        `slot ${settings.slot} is in use by the server process with pid ${pid}: stop the capture first`,
      );
    }
    const slot = await client.query(dropSlot);
    if ((slot.rowCount ?? 0) > 0) dropped.push(`slot ${settings.slot}`);
    if (await exists(client, 'pg_publication', 'pubname', settings.publication)) {
      await client.query(dropPublication);
      dropped.push(`publication ${settings.publication}`);
    }
    return { dropped };
  });
}

/**
 * Everything that must be so before a stream is trusted, in the order in which it would fail.
 *
 * @throws OperatorError `server_version`, `wal_level`, `source_permission`, `source_table`, `source_column`,
 * `publication_missing`, `publication_incomplete`, `slot_missing`, `slot_foreign`, `slot_lost`.
 */
export async function verifyCapture(client: Queryable, settings: TableSettings & CaptureNames): Promise<Capture> {
  const server = await verifyServer(client);
  await verifyRole(client);
  const table = await describeTable(client, settings);
  await verifyPublication(client, table, settings.publication);
  const slot = await readSlot(client, settings.slot, server.database);
  return { server, table, slot };
}

async function verifyServer(client: Queryable): Promise<ServerFacts> {
  const { rows } = await client.query(
    `SELECT current_setting('server_version_num') AS version, current_setting('wal_level') AS wal_level,
            pg_is_in_recovery()::text AS standby, current_database() AS database,
            (SELECT setting FROM pg_settings WHERE name = 'wal_writer_delay') AS delay`,
  );
  const { version, wal_level, standby, database, delay } = rows[0] as Record<string, string>;
  if (Number(version) < 140_000) {
    throw configuration(
      'server_version',
      `the server is PostgreSQL ${Math.floor(Number(version) / 10_000)}: 14 or later is needed`,
    );
  }
  if (wal_level !== 'logical') {
    throw configuration(
      'wal_level',
      `wal_level is ${wal_level}: ALTER SYSTEM SET wal_level = 'logical', then restart the server`,
    );
  }
  if (standby === 'true') {
    throw configuration('source_standby', 'the server is a standby: set postgres.url to the primary');
  }
  return { version: Number(version), walWriterDelayMs: Number(delay), database: database ?? '' };
}

async function verifyRole(client: Queryable): Promise<void> {
  const { rows } = await client.query(
    `SELECT rolname AS name, (rolreplication OR rolsuper OR EXISTS (SELECT FROM pg_roles g
              WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'MEMBER')))::text AS may
       FROM pg_roles r WHERE rolname = current_user`,
  );
  if (rows[0]?.may === 'true') return;
  const name = rows[0]?.name ?? 'of postgres.url';
  throw configuration(
    'source_permission',
    `role ${name} may not replicate: ALTER ROLE ${quoteIdent(name)} REPLICATION`,
  );
}

/**
 * The publication streams every insert into the table, with every column that is read.
 *
 * @throws OperatorError `publication_missing`, `publication_incomplete`, `source_column`.
 */
export async function verifyPublication(client: Queryable, table: AuditTable, publication: string): Promise<void> {
  const found = await client.query(
    'SELECT pubinsert::text AS insert, pubviaroot::text AS viaroot FROM pg_publication WHERE pubname = $1',
    [publication],
  );
  if (found.rows.length === 0) {
    throw configuration(
      'publication_missing',
      `no publication ${publication}: run init (teardown first where the slot exists)`,
    );
  }
  const incomplete = (what: string, sql: string) =>
    configuration(
      'publication_incomplete',
      `publication ${publication} ${what}: ${sql}; rows inserted meanwhile are not in the stream (run --from beginning into a fresh data directory reads them)`,
    );
  const name = quoteIdent(publication);
  const { rows } = await client.query(
    "SELECT to_jsonb(t)->>'rowfilter' AS filter, to_jsonb(t)->>'attnames' AS columns FROM pg_publication_tables t WHERE pubname = $1 AND schemaname = $2 AND tablename = $3",
    [publication, table.schema, table.name],
  );
  const member = rows[0] as { filter: string | null; columns: string | null } | undefined;
  const { insert, viaroot } = found.rows[0];
  if (table.partitioned && viaroot !== 'true') {
    throw incomplete(
      `does not publish via the root of ${table.sql}`,
      `ALTER PUBLICATION ${name} SET (publish_via_partition_root = true)`,
    );
  }
  if (member === undefined)
    throw incomplete(`does not contain ${table.sql}`, `ALTER PUBLICATION ${name} ADD TABLE ${table.sql}`);
  if (insert !== 'true')
    throw incomplete('does not publish inserts', `ALTER PUBLICATION ${name} SET (publish = 'insert, truncate')`);
  if (member.filter !== null)
    throw incomplete(`filters the rows of ${table.sql}`, `ALTER PUBLICATION ${name} SET TABLE ${table.sql}`);
  const published = member.columns === null ? null : (JSON.parse(member.columns) as string[]);
  const missing = published === null ? [] : table.mapping.names.filter((column) => !published.includes(column));
  if (missing.length > 0) {
    const { rows: there } = await client.query(
      'SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped',
      [String(table.oid)],
    );
    const gone = missing.filter((column) => !there.some(({ name }) => name === column));
    if (gone.length > 0)
      throw columnGone(
        table,
        gone,
        there.map(({ name }) => name),
      );
    const all = table.mapping.names.map(quoteIdent).join(', ');
    throw incomplete(
      `leaves out column ${missing.join(', ')} of ${table.sql}`,
      `ALTER PUBLICATION ${name} SET TABLE ${table.sql} (${all})`,
    );
  }
}

/** Without parameters, which a walsender knows nothing of. @throws OperatorError `slot_missing`, `slot_foreign`, `slot_lost`. */
export async function readSlot(client: Queryable, name: string, database: string): Promise<SlotState> {
  const { rows } = await client.query(
    `SELECT plugin, database, temporary::text, active::text, active_pid, wal_status, restart_lsn, confirmed_flush_lsn,
            pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn) AS retained
       FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(name)}`,
  );
  const slot = rows[0] as Record<string, string | null> | undefined;
  if (slot === undefined) {
    throw configuration(
      'slot_missing',
      `no replication slot ${name}: run init; where there was one, the rows since it was dropped are only in the table (run --from beginning into a fresh data directory)`,
    );
  }
  if (slot.plugin !== 'pgoutput' || slot.database !== database) {
    const what = slot.plugin === null ? 'a physical slot' : `of plugin ${slot.plugin} in database ${slot.database}`;
    throw configuration(
      'slot_foreign',
      `slot ${name} is ${what}, not of pgoutput in ${database}: set postgres.slot to another name`,
    );
  }
  if (slot.wal_status === 'lost' || slot.confirmed_flush_lsn === null || slot.restart_lsn === null) {
    throw stop(
      'slot_lost',
      `slot ${name} was invalidated: the server removed WAL that it still needed (max_slot_wal_keep_size), and rows since ${slot.confirmed_flush_lsn ?? 'then'} are only in the table; run teardown, init, then run --from beginning into a fresh data directory`,
    );
  }
  return {
    confirmedFlush: parseLsn(slot.confirmed_flush_lsn as string),
    restartLsn: parseLsn(slot.restart_lsn as string),
    active: slot.active === 'true',
    activePid: slot.active_pid == null ? null : Number(slot.active_pid),
    walStatus: slot.wal_status ?? 'reserved',
    retainedBytes: Number(slot.retained ?? 0),
  };
}

async function exists(client: Queryable, catalog: string, column: string, name: string): Promise<boolean> {
  const { rows } = await client.query(`SELECT FROM ${catalog} WHERE ${column} = $1`, [name]);
  return rows.length > 0;
}

async function withClient<T>(
  url: string,
  purpose: string,
  doing: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(clientConfig(url, { purpose }));
  try {
    return await work(client);
  } catch (error) {
    throw explainPostgres(error, url, doing);
  } finally {
    await client.end().catch(() => {});
  }
}
