/** Publication and slot together: what init creates, what every start verifies, what teardown drops. */
import type pg from 'pg';
import { stop } from '../errors.ts';
import { type AuditTable, describeTable, type TableSettings } from '../postgres/audit-table.ts';
import { clientConfig, explainPostgres, openClient } from '../postgres/connection.ts';
import { quoteIdent, quoteLiteral } from '../postgres/quote.ts';
import { publicationSql, verifyPublication } from './publication.ts';
import { type ServerFacts, verifyRole, verifyServer } from './server.ts';
import { badSetup, type Queryable } from './setup-faults.ts';
import { createSlot, defaultLockTimeoutMs, readSlot, type SlotState, slotSql } from './slot.ts';

export interface CaptureNames {
  slot: string;
  publication: string;
}

export interface CaptureSettings extends TableSettings, CaptureNames {
  url: string;
  /** Creating a slot waits for the transactions that are open; so long at most. Default 10,000. */
  lockTimeoutMs?: number | undefined;
}

export interface Capture {
  server: ServerFacts;
  table: AuditTable;
  slot: SlotState;
}

/** The statements of `init`, for an administrator to run where the capture's own role may not. */
export function initSql(
  table: AuditTable,
  { slot, publication, lockTimeoutMs = defaultLockTimeoutMs }: CaptureNames & { lockTimeoutMs?: number | undefined },
  serverVersion: number,
): string[] {
  return [
    `SET lock_timeout = '${lockTimeoutMs}ms'`,
    // Before the slot: a slot cannot read what happened before its publication existed.
    publicationSql(table, publication, serverVersion),
    slotSql(slot),
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
      throw badSetup(
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
