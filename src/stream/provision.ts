/** Publication and slot together: what init creates, what every start verifies, what teardown drops. */
import type pg from 'pg';
import { type OperatorError, stop } from '../errors.ts';
import { type AuditTable, describeTable, type TableSettings } from '../postgres/audit-table.ts';
import { clientConfig, explainPostgres, openClient, sqlState } from '../postgres/connection.ts';
import { quoteIdent, quoteLiteral } from '../postgres/quote.ts';
import type { Lsn } from '../records.ts';
import { shortLsn } from './lsn.ts';
import { publicationSql, verifyPublication } from './publication.ts';
import { type ServerFacts, verifyRole, verifyServer } from './server.ts';
import { badSetup, type Queryable } from './setup-faults.ts';
import type { Shard } from './shard.ts';
import {
  createSlot,
  defaultLockTimeoutMs,
  type FoundSlot,
  findSlot,
  readSlot,
  type SlotState,
  slotSql,
  untilVisible,
} from './slot.ts';

export interface CaptureNames {
  slot: string;
  publication: string;
  /** With it the publication has a share of the rows alone. */
  shard?: Shard | undefined;
}

/** What `init` makes of the names. */
export interface CreationSettings extends CaptureNames {
  /** A standby is to keep a copy of the slot. */
  failover?: boolean | undefined;
  /** Creating a slot waits for the transactions that are open; so long at most. Default 10,000. */
  lockTimeoutMs?: number | undefined;
}

export interface CaptureSettings extends TableSettings, CreationSettings {
  url: string;
}

export interface Capture {
  server: ServerFacts;
  table: AuditTable;
  slot: SlotState;
}

/** The statements of `init`, for an administrator to run where the capture's own role may not. */
export function initSql(table: AuditTable, settings: CreationSettings, serverVersion: number): InitSql {
  return {
    lock: `SET lock_timeout = '${settings.lockTimeoutMs ?? defaultLockTimeoutMs}ms'`,
    publication: publicationSql(table, settings, serverVersion),
    slot: slotSql(settings, serverVersion),
  };
}

/** In this order: a slot cannot read what happened before its publication existed. */
export interface InitSql {
  lock: string;
  publication: string;
  slot: string;
}

/**
 * Creates what is missing of publication and slot, and verifies both.
 *
 * @returns what was created; empty where everything was there.
 * @throws OperatorError as {@link verifyCapture}; `publication_missing` where the slot exists without its publication,
 * `slot_waiting`, `slot_limit`, `slot_failover`, `failover_version`, `shard_version`, `shard_column`.
 */
export async function createCapture(settings: CaptureSettings): Promise<{ created: string[]; capture: Capture }> {
  return await withClient(settings.url, 'init', 'create publication and slot', async (client) => {
    const server = await verifyServer(client);
    const table = await describeTable(client, settings);
    const sql = initSql(table, settings, server.version);
    const publicationThere = await exists(client, settings.publication);
    const slot = await findSlot(client, settings.slot, server.database);
    if (slot !== null && !publicationThere) {
      throw badSetup(
        'publication_missing',
        `slot ${settings.slot} exists and publication ${settings.publication} does not, and a slot cannot read what is older than its publication: run teardown, then init`,
      );
    }
    if (slot !== null && settings.failover === true && !slot.failover) throw noFailover(settings.slot);
    await client.query(sql.lock);
    const created: string[] = [];
    if (!publicationThere) {
      await createPublication(client, sql.publication, table);
      created.push(`publication ${settings.publication}`);
    }
    if (slot === null) {
      await createSlot(client, sql.slot, settings);
      created.push(`slot ${settings.slot}`);
    }
    return { created, capture: await verifyCapture(client, settings) };
  });
}

/** A new slot in the place of one that can't be used any more. */
export interface RecreatedSlot {
  /** What commits from here on is streamed; what committed before, every snapshot taken from now on sees in the table. */
  consistentPoint: Lsn;
  /** What was dropped, in words; null where there was no slot. */
  replaced: string | null;
  /** In words, as of {@link createCapture}. */
  created: string[];
  capture: Capture;
}

/**
 * Drops the slot, whatever its position, and creates it anew; creates the publication where there is none. All that can
 * refuse is asked before anything is dropped. May be called again after a failure.
 *
 * @throws OperatorError as {@link createCapture}; `slot_active` while a capture holds the slot.
 */
export async function recreateSlot(settings: CaptureSettings): Promise<RecreatedSlot> {
  return await withClient(settings.url, 'recover', 'create a new slot', async (client) => {
    const server = await verifyServer(client);
    await verifyRole(client);
    const table = await describeTable(client, settings);
    const sql = initSql(table, settings, server.version);
    const old = await findSlot(client, settings.slot, server.database);
    if (old !== null) refuseActive(settings.slot, old);
    await client.query(sql.lock);
    const created: string[] = [];
    if (await exists(client, settings.publication)) {
      await verifyPublication(client, table, settings);
    } else {
      await createPublication(client, sql.publication, table);
      created.push(`publication ${settings.publication}`);
    }
    if (old !== null) await dropSlot(client, settings.slot);
    const consistentPoint = await createSlot(client, sql.slot, settings);
    await untilVisible(client, settings);
    created.push(`slot ${settings.slot}`);
    const replaced = old === null ? null : describeSlot(settings.slot, old);
    return { consistentPoint, replaced, created, capture: await verifyCapture(client, settings) };
  });
}

function describeSlot(slot: string, { walStatus, confirmedFlush, invalidation }: FoundSlot): string {
  const at = confirmedFlush === null ? 'without a position' : `at ${shortLsn(confirmedFlush)}`;
  const lost = walStatus === 'lost' ? `, lost${invalidation === null ? '' : ` (${invalidation})`}` : '';
  return `slot ${slot} ${at}${lost}`;
}

/**
 * Drops slot and publication where they exist. All that can refuse is asked before anything is dropped.
 *
 * @throws OperatorError `slot_active` while a capture holds the slot, `slot_foreign`, `source_permission`.
 */
export async function dropCapture(settings: CaptureNames & { url: string }): Promise<{ dropped: string[] }> {
  return await withClient(settings.url, 'teardown', 'drop publication and slot', async (client) => {
    const { rows } = await client.query('SELECT current_database() AS database');
    const slot = await findSlot(client, settings.slot, rows[0].database);
    if (slot !== null) refuseActive(settings.slot, slot);
    const publicationThere = await mayDrop(client, settings.publication);
    const dropped: string[] = [];
    if (slot !== null) {
      await dropSlot(client, settings.slot);
      dropped.push(`slot ${settings.slot}`);
    }
    if (publicationThere) {
      await client.query(`DROP PUBLICATION ${quoteIdent(settings.publication)}`);
      dropped.push(`publication ${settings.publication}`);
    }
    return { dropped };
  });
}

function refuseActive(slot: string, { active, activePid }: Pick<FoundSlot, 'active' | 'activePid'>): void {
  if (!active) return;
  throw slotActive(slot, activePid === null ? '' : ` by the server process with pid ${activePid}`);
}

function slotActive(slot: string, by: string, cause?: unknown): OperatorError {
  return stop('slot_active', `slot ${slot} is in use${by}: stop the capture first`, { cause });
}

async function dropSlot(client: pg.Client, slot: string): Promise<void> {
  try {
    await client.query(`SELECT pg_drop_replication_slot(${quoteLiteral(slot)})`);
  } catch (error) {
    // A capture took it after it was looked at.
    if (sqlState(error) === '55006') throw slotActive(slot, '', error);
    throw error;
  }
}

/** Whether there is one. @throws OperatorError `source_permission` where there is, and it is somebody else's. */
async function mayDrop(client: pg.Client, publication: string): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT pg_get_userbyid(pubowner) AS owner, pg_has_role(pubowner, 'USAGE')::text AS may, current_user AS role
       FROM pg_publication WHERE pubname = $1`,
    [publication],
  );
  const found = rows[0] as { owner: string; may: string; role: string } | undefined;
  if (found === undefined) return false;
  if (found.may === 'true') return true;
  throw badSetup(
    'source_permission',
    `role ${found.role} may not drop publication ${publication} of ${found.owner}, so nothing was dropped: run teardown as ${found.owner}, or DROP PUBLICATION ${quoteIdent(publication)} as that role and then teardown`,
  );
}

async function createPublication(client: pg.Client, sql: string, { sql: name, mapping }: AuditTable): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    const { detail } = error as { detail?: string };
    if (sqlState(error) !== '0A000' || detail === undefined) throw error;
    throw badSetup(
      'shard_column',
      `the server takes no row filter on column ${mapping.names[mapping.at.sessionId]} of ${name}: ${detail} capture.shard needs another column, or none`,
      error,
    );
  }
}

function noFailover(slot: string): OperatorError {
  return badSetup(
    'slot_failover',
    `slot ${slot} exists and no standby keeps a copy of it: over a replication connection, while no capture runs, ALTER_REPLICATION_SLOT ${quoteIdent(slot)} (FAILOVER true), or set postgres.failoverSlot to off`,
  );
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
  await verifyPublication(client, table, settings);
  const slot = await readSlot(client, settings.slot, server.database);
  return { server, table, slot };
}

async function exists(client: Queryable, publication: string): Promise<boolean> {
  const { rows } = await client.query('SELECT FROM pg_publication WHERE pubname = $1', [publication]);
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
