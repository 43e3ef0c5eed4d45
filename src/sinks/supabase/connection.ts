/** Connections to the mirror's database, and its errors in an operator's words. */
import pg from 'pg';
import { exitCodes, messageOf, OperatorError, retry, stop } from '../../errors.ts';
import { sqlState, type Target, targetOf } from '../../postgres/connection.ts';

const setting = 'supabase.databaseUrl (TC_SUPABASE_DATABASE_URL)';

/** @throws OperatorError `sink_url` where the text is no Postgres URL. */
export function openMirrorPool(
  url: string,
  { purpose, max, queryTimeoutMs }: { purpose: string; max: number; queryTimeoutMs?: number },
): pg.Pool {
  mirrorTarget(url);
  // No settings at the start of the connection: a pooler refuses them. Nothing that is written depends on any.
  const pool = new pg.Pool({
    connectionString: url,
    application_name: `trajectory-compiler ${purpose}`,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
    ...(queryTimeoutMs === undefined ? {} : { query_timeout: queryTimeoutMs }),
    max,
    allowExitOnIdle: true,
  });
  pool.on('error', () => {});
  // The pool listens to clients that rest in it alone: one that is lost while it works would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

function mirrorTarget(url: string): Target {
  try {
    return targetOf(url);
  } catch {
    // The cause names another setting.
    throw stop('sink_url', `${setting} is not a URL of the form postgresql://user:password@host:5432/database`, {
      exitCode: exitCodes.configuration,
    });
  }
}

export function notMigrated(schema: string, missing: string): OperatorError {
  return stop(
    'sink_not_migrated',
    `the dataset's tables are not in schema ${schema} of the mirror, or are those of an older version (${missing}): run \`trajectory-compiler migrate\` with its owner's connection string in ${setting}, or set supabase.schema to where they are`,
    { exitCode: exitCodes.configuration },
  );
}

// Data, constraints, a view's check, limits of a size, and whatever a trigger of the owner's raises, which may be any code
// that is not the server's own.
const refusesRows = /^(?!0|2[58BDF]|3|4[02]|5[35-8]|F0|HV|XX)(?=.*\d)[0-9A-Z]{5}$/;

/** Why a row is not taken, without its contents; null where the error is about something else. */
export function refusalOf(code: string, names: { constraint?: string; column?: string }): string | null {
  if (!refusesRows.test(code)) return null;
  if (names.constraint !== undefined) return `constraint ${names.constraint}, SQLSTATE ${code}`;
  if (names.column !== undefined) return `column ${names.column}, SQLSTATE ${code}`;
  return `SQLSTATE ${code}`;
}

/** @returns null where the error is not about the tables. */
export function alteredBy(code: string, schema: string): OperatorError | null {
  if (!code.startsWith('42') || code === '42501') return null;
  return stop(
    'sink_altered',
    `a table of schema ${schema} of the mirror can't be written as the migrations made it (SQLSTATE ${code}): undo what was changed there, or set supabase.schema to a schema of its own and run \`trajectory-compiler migrate\``,
    { exitCode: exitCodes.configuration },
  );
}

const missingObject = new Set(['42P01', '42703', '42P10', '3F000', '42883']);

/** Classifies what a connection or a statement threw. Of the server's words only those that quote no row are taken. */
export function explainMirror(error: unknown, url: string, schema: string, doing: string): OperatorError {
  if (error instanceof OperatorError) return error;
  const { host, port, database, user } = mirrorTarget(url);
  const at = `cannot ${doing} at ${user}@${host}:${port}/${database}`;
  const code = sqlState(error);
  const said = error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : messageOf(error);
  const configuration = { exitCode: exitCodes.configuration, cause: error };
  if (missingObject.has(code)) return notMigrated(schema, said);
  if (/^28/.test(code) || /password must be a string/.test(said)) {
    return stop('sink_auth', `${at}: ${said}: check user and password in ${setting}`, configuration);
  }
  if (code === '3D000') return stop('sink_database', `${at}: ${said}: check the database in ${setting}`, configuration);
  if (code === '42501') {
    const advice = `grant the role what is missing (deploy/supabase/role.sql), or name another one in ${setting}`;
    return stop('sink_permission', `${at}: ${said}: ${advice}`, configuration);
  }
  if (/does not support SSL|certificate|self.signed|SSL connection|CERT|ALTNAME/i.test(`${said} ${code}`)) {
    return stop('sink_tls', `${at}: ${said}: check sslmode and sslrootcert in ${setting}`, configuration);
  }
  const altered = alteredBy(code, schema);
  if (altered !== null) return altered;
  if (/^(?!EPIPE|08|25|40|53|55|57)[0-9A-Z]{5}$/.test(code)) {
    return retry('sink_failed', `${at}: SQLSTATE ${code}: the log of its server says more`);
  }
  return retry('sink_unreachable', `${at}: ${said}: check that the server runs and ${setting} names it`, {
    exitCode: exitCodes.sourceUnavailable,
    cause: error,
  });
}
