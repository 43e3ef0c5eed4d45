/** What of a capture's needs the server has already: asked before its administrator is told what to run. */
import type pg from 'pg';
import type { Check } from '../checks.ts';
import { codeOf, messageOf, OperatorError } from '../errors.ts';
import { type AuditTable, describeTable } from '../postgres/audit-table.ts';
import { clientConfig, explainPostgres, openClient, targetOf } from '../postgres/connection.ts';
import { roomChecks } from '../stream/preflight-server.ts';
import { roomFor } from '../stream/preflight-start.ts';
import type { CaptureSettings } from '../stream/provision.ts';
import { verifyPublication } from '../stream/publication.ts';
import { checkServer } from '../stream/server.ts';
import { findSlot } from '../stream/slot.ts';

/** The role that the documentation and deploy/postgres/role.sql make. */
export const usualRole = 'trajectory_compiler';

export interface SetupFacts {
  version: number;
  database: string;
  /** What `doctor` would say of the server's settings, but for what is well. */
  complaints: Check[];
  /** Null where it is still to be created. */
  table: AuditTable | null;
  /** Of the table, whomever it applies to. */
  rowSecurity: boolean;
  /** What is wrong with the publication that is there; null where nothing is. */
  publication: { complaint: string | null } | null;
  slotThere: boolean;
  /** Of the capture. */
  role: RoleFacts;
  /** The role that asked, and whether it could create publication and slot itself. */
  asks: { name: string; mayCreate: boolean };
}

export interface RoleFacts {
  name: string;
  there: boolean;
  superuser: boolean;
  mayReplicate: boolean;
  bypassesRowSecurity: boolean;
  mayConnect: boolean;
  mayUseSchema: boolean;
  mayRead: boolean;
}

/**
 * @param role of the capture; by default the one that asks, unless that is a superuser or owns the table: then the usual one.
 * @throws OperatorError of the connection, `source_column`, `source_table` where the table can't be tailed.
 */
export async function readSetupFacts(
  settings: CaptureSettings,
  { role, createTable }: { role: string | undefined; createTable: boolean },
): Promise<SetupFacts> {
  const client = await openClient(
    clientConfig(settings.url, { purpose: 'init', settings: { statement_timeout: '10s' } }),
  );
  try {
    const { server, checks } = await checkServer(client);
    const table = await describeTable(client, settings).catch((error: unknown) => {
      if (createTable && codeOf(error) === 'source_table' && /no table/.test(messageOf(error))) return null;
      throw error;
    });
    const asks = await readAsking(client, table);
    const { room, wanted } = await roomFor(client, settings, null);
    const slot = await findSlot(client, settings.slot, server.database);
    const said = [...checks, ...roomChecks(room, { ...wanted, slotThere: slot !== null })];
    return {
      version: server.version,
      database: server.database,
      complaints: said.filter(({ name, outcome }) => outcome !== 'ok' && name !== 'source_tls'),
      table,
      rowSecurity: table !== null && (await hasRowSecurity(client, table)),
      publication: table === null ? null : await readPublication(client, table, settings),
      slotThere: slot !== null,
      role: await readRole(client, role ?? (asks.powerful ? usualRole : asks.name), table),
      asks,
    };
  } catch (error) {
    throw explainPostgres(error, settings.url, 'look at the server');
  } finally {
    await client.end().catch(() => {});
  }
}

/** Where the server could not be asked. */
export function roleOf(url: string | null): string {
  const user = url === null ? '' : targetOf(url).user;
  return user === '' || user === 'postgres' ? usualRole : user;
}

async function readPublication(
  client: pg.Client,
  table: AuditTable,
  settings: CaptureSettings,
): Promise<SetupFacts['publication']> {
  try {
    await verifyPublication(client, table, settings);
    return { complaint: null };
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return error.code === 'publication_missing' ? null : { complaint: error.message };
  }
}

async function hasRowSecurity(client: pg.Client, { oid }: AuditTable): Promise<boolean> {
  const { rows } = await client.query('SELECT relrowsecurity::text AS on FROM pg_class WHERE oid = $1::oid', [
    String(oid),
  ]);
  return rows[0]?.on === 'true';
}

/** Who asks. A capture should not run as one that is `powerful`: superuser, creator of roles, or owner of the table. */
async function readAsking(
  client: pg.Client,
  table: AuditTable | null,
): Promise<{ name: string; powerful: boolean; mayCreate: boolean }> {
  const { rows } = await client.query(
    `SELECT json_build_object('name', rolname, 'powerful', rolsuper OR rolcreaterole OR owns, 'mayCreate', rolsuper OR
              (rolreplication AND (owns OR $1::oid IS NULL) AND has_database_privilege(current_database(), 'CREATE')))::text AS asks
       FROM pg_roles r, LATERAL (SELECT coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = $1::oid),
                                                 false) AS owns) o
      WHERE rolname = current_user`,
    [table === null ? null : String(table.oid)],
  );
  return JSON.parse(rows[0].asks) as { name: string; powerful: boolean; mayCreate: boolean };
}

async function readRole(client: pg.Client, name: string, table: AuditTable | null): Promise<RoleFacts> {
  const { rows } = await client.query(
    `SELECT json_build_object(
              'superuser', rolsuper,
              'mayReplicate', rolreplication OR rolsuper,
              'bypassesRowSecurity', rolbypassrls,
              'mayConnect', has_database_privilege(oid, current_database(), 'CONNECT'),
              'mayUseSchema', coalesce((SELECT has_schema_privilege(r.oid, relnamespace, 'USAGE') FROM pg_class WHERE oid = $2::oid), false),
              'mayRead', coalesce(has_table_privilege(r.oid, $2::oid, 'SELECT'), false))::text AS facts
       FROM pg_roles r WHERE rolname = $1`,
    [name, table === null ? null : String(table.oid)],
  );
  const absent = absentRole(name);
  return rows.length === 0 ? absent : { ...absent, there: true, ...(JSON.parse(rows[0].facts) as Partial<RoleFacts>) };
}

/** A role that is still to be created. */
export function absentRole(name: string): RoleFacts {
  return {
    name,
    there: false,
    superuser: false,
    mayReplicate: false,
    bypassesRowSecurity: false,
    mayConnect: false,
    mayUseSchema: false,
    mayRead: false,
  };
}
