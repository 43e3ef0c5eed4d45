/** What the server must be before anything is streamed from it. */

import { type Check, failure, ok, refuse, warning } from '../checks.ts';
import { quoteIdent } from '../postgres/quote.ts';
import { badSetup, type Queryable } from './setup-faults.ts';

export interface ServerFacts {
  /** 170010 for 17.10. */
  version: number;
  walWriterDelayMs: number;
  database: string;
}

interface ServerRow extends ServerFacts {
  walLevel: string;
  standby: boolean;
}

/** @throws OperatorError `server_version`, `wal_level`, `source_standby`. */
export async function verifyServer(client: Queryable): Promise<ServerFacts> {
  const { server, checks } = await checkServer(client);
  refuse(checks);
  return server;
}

/** The same as a list. */
export async function checkServer(client: Queryable): Promise<{ server: ServerFacts; checks: Check[] }> {
  const { rows } = await client.query(
    `SELECT current_setting('server_version_num') AS version, current_setting('wal_level') AS wal_level,
            pg_is_in_recovery()::text AS standby, current_database() AS database,
            (SELECT setting FROM pg_settings WHERE name = 'wal_writer_delay') AS delay`,
  );
  const { version, wal_level, standby, database, delay } = rows[0] as Record<string, string>;
  const server = { version: Number(version), walWriterDelayMs: Number(delay), database: database ?? '' };
  return { server, checks: serverChecks({ ...server, walLevel: wal_level ?? '', standby: standby === 'true' }) };
}

function serverChecks({ version, walLevel, standby }: ServerRow): Check[] {
  return [
    versionCheck(version),
    walLevel === 'logical'
      ? ok('wal_level', 'wal_level is logical')
      : failure(
          'wal_level',
          `wal_level is ${walLevel}`,
          "ALTER SYSTEM SET wal_level = 'logical', then restart the server",
        ),
    standby
      ? failure('source_standby', 'the server is a standby', 'set postgres.url to the primary')
      : ok('source_standby', 'the server is a primary'),
  ];
}

function versionCheck(version: number): Check {
  const name = `PostgreSQL ${Math.floor(version / 10_000)}`;
  if (version < 140_000) return failure('server_version', `the server is ${name}`, '14 or later is needed');
  if (version < 150_000) {
    return warning(
      'server_version',
      `the server is ${name}, whose publications send every column, read or not`,
      'PostgreSQL 15 or later sends the columns that are read',
    );
  }
  return ok('server_version', `the server is ${name}`);
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
