/** What the server must be before anything is streamed from it. */

import { quoteIdent } from '../postgres/quote.ts';
import { badSetup, type Queryable } from './setup-faults.ts';

export interface ServerFacts {
  /** 170010 for 17.10. */
  version: number;
  walWriterDelayMs: number;
  database: string;
}

/** @throws OperatorError `server_version`, `wal_level`, `source_standby`. */
export async function verifyServer(client: Queryable): Promise<ServerFacts> {
  const { rows } = await client.query(
    `SELECT current_setting('server_version_num') AS version, current_setting('wal_level') AS wal_level,
            pg_is_in_recovery()::text AS standby, current_database() AS database,
            (SELECT setting FROM pg_settings WHERE name = 'wal_writer_delay') AS delay`,
  );
  const { version, wal_level, standby, database, delay } = rows[0] as Record<string, string>;
  if (Number(version) < 140_000) {
    throw badSetup(
      'server_version',
      `the server is PostgreSQL ${Math.floor(Number(version) / 10_000)}: 14 or later is needed`,
    );
  }
  if (wal_level !== 'logical') {
    throw badSetup(
      'wal_level',
      `wal_level is ${wal_level}: ALTER SYSTEM SET wal_level = 'logical', then restart the server`,
    );
  }
  if (standby === 'true') {
    throw badSetup('source_standby', 'the server is a standby: set postgres.url to the primary');
  }
  return { version: Number(version), walWriterDelayMs: Number(delay), database: database ?? '' };
}

/** @throws OperatorError `source_permission`. */
export async function verifyRole(client: Queryable): Promise<void> {
  const { rows } = await client.query(
    `SELECT rolname AS name, (rolreplication OR rolsuper OR EXISTS (SELECT FROM pg_roles g
              WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'MEMBER')))::text AS may
       FROM pg_roles r WHERE rolname = current_user`,
  );
  if (rows[0]?.may === 'true') return;
  const name = rows[0]?.name ?? 'of postgres.url';
  throw badSetup('source_permission', `role ${name} may not replicate: ALTER ROLE ${quoteIdent(name)} REPLICATION`);
}
