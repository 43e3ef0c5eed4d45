/** The SQL that prepares a database for the dataset, and applying it: what `migrate` does. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type pg from 'pg';
import type { Config } from './config.ts';
import { exitCodes, messageOf, type OperatorError, retry, stop } from './errors.ts';
import { sqlState } from './postgres/connection.ts';
import { quoteIdent } from './postgres/quote.ts';
import { explainMirror, openMirrorPool } from './sinks/supabase/connection.ts';

export interface MigrateResult {
  schema: string;
  /** Files that were applied now, in their order; empty where everything was there. */
  applied: string[];
}

interface MirrorMigration {
  version: number;
  name: string;
  sql: string;
  sha256: string;
}

// Beside `dist` as it is beside `src`.
const folder = new URL('../deploy/supabase/migrations/', import.meta.url);
const bookkeeping = '000_bookkeeping.sql';

/** Of two that run at once the second waits, and finds everything there. */
const advisoryLock = 7_340_210;

/** @throws OperatorError that says what is in the way; the migrations before it stay applied, it changed nothing. */
export async function migrateMirror(config: Config): Promise<MigrateResult> {
  const url = databaseUrlOf(config);
  const schema = config['supabase.schema'];
  const pool = openMirrorPool(url, { purpose: 'migrate', max: 1 });
  let doing = 'prepare the mirror';
  try {
    const client = await pool.connect();
    try {
      const applied: string[] = [];
      for (const migration of readMigrations()) {
        doing = `apply ${migration.name} to schema ${schema}`;
        if (await applyOnce(client, schema, migration)) applied.push(migration.name);
      }
      return { schema, applied };
    } finally {
      client.release(true);
    }
  } catch (error) {
    throw explainMigration(error, url, schema, doing);
  } finally {
    await pool.end();
  }
}

/** Everything as one script, for whoever applies it by other means. It leaves the same traces, so `migrate` finds it. */
export function migrationScript(schema: string): string {
  const statements = readMigrations().map(({ version, sql, sha256 }) => `${sql}\n${recordSql(version, sha256)};`);
  return [
    'begin;',
    ...(schema === 'public' ? [] : [`create schema if not exists ${quoteIdent(schema)};`]),
    `${searchPathSql(schema)};`,
    readSql(bookkeeping),
    ...statements,
    "notify pgrst, 'reload schema';",
    'commit;',
    '',
  ].join('\n\n');
}

/** True where it was applied, false where it had been. One transaction, and locks for no longer than that. */
async function applyOnce(client: pg.PoolClient, schema: string, migration: MirrorMigration): Promise<boolean> {
  await client.query(`BEGIN; SET LOCAL lock_timeout = '30s'; SET LOCAL client_min_messages = warning`);
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${advisoryLock})`);
    const fresh = await ensureBookkeeping(client, schema);
    const recorded = fresh ? undefined : await recordedHash(client, schema, migration.version);
    if (recorded === undefined) {
      await client.query(migration.sql);
      await client.query(recordSql(migration.version, migration.sha256));
      // PostgREST learns of new tables.
      await client.query(`NOTIFY pgrst, 'reload schema'`);
    } else if (recorded !== migration.sha256) {
      throw stop(
        'migration_changed',
        `${migration.name} was applied to schema ${schema} with another text (SHA-256 ${recorded}, here ${migration.sha256}): use the version of trajectory-compiler that applied it, or a newer one`,
        { exitCode: exitCodes.configuration },
      );
    }
    await client.query('COMMIT');
    return recorded === undefined;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** True where there was none. */
async function ensureBookkeeping(client: pg.PoolClient, schema: string): Promise<boolean> {
  const name = quoteIdent(schema);
  const { rows } = await client.query<{ schema: string | null; books: string | null }>(
    'SELECT to_regnamespace($1)::text AS schema, to_regclass($2)::text AS books',
    [name, `${name}.trajectory_compiler_migrations`],
  );
  if (rows[0]?.schema === null) await client.query(`CREATE SCHEMA ${name}`);
  await client.query(searchPathSql(schema));
  if (rows[0]?.books !== null) return false;
  await client.query(readSql(bookkeeping));
  return true;
}

async function recordedHash(client: pg.PoolClient, schema: string, version: number): Promise<string | undefined> {
  const { rows } = await client.query<{ sha256: string }>(
    `SELECT sha256 FROM ${quoteIdent(schema)}.trajectory_compiler_migrations WHERE version = $1`,
    [version],
  );
  return rows[0]?.sha256;
}

/** Nothing but the schema itself: functions keep this path, and see no table that another schema puts in front. */
function searchPathSql(schema: string): string {
  return `SET LOCAL search_path TO ${quoteIdent(schema)}, pg_temp`;
}

function recordSql(version: number, sha256: string): string {
  return `insert into trajectory_compiler_migrations (version, sha256) values (${version}, '${sha256}')`;
}

function readMigrations(): MirrorMigration[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.sql') && name !== bookkeeping);
  return names.sort().map((name) => {
    const sql = readSql(name);
    const sha256 = createHash('sha256').update(sql).digest('hex');
    return { version: Number.parseInt(name, 10), name, sql, sha256 };
  });
}

function readSql(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8').replaceAll('\r\n', '\n');
}

function databaseUrlOf(config: Config): string {
  const url = config['supabase.databaseUrl'];
  if (url !== null) return url;
  throw stop(
    'no_url',
    "supabase.databaseUrl is not set: tables can only be made over a direct connection, so give the owner's connection string as TC_SUPABASE_DATABASE_URL or --supabase-database-url, or apply what `migrate --print-sql` prints",
    { exitCode: exitCodes.configuration },
  );
}

function explainMigration(error: unknown, url: string, schema: string, doing: string): OperatorError {
  const code = sqlState(error);
  const configuration = { exitCode: exitCodes.configuration, cause: error };
  if (code === '42501') {
    const advice =
      'it takes the owner of the tables and of the schema (postgres on Supabase): give its connection string';
    return stop('sink_permission', `cannot ${doing}: ${messageOf(error)}: ${advice}`, configuration);
  }
  if (code === '55P03') {
    return retry(
      'sink_busy',
      `cannot ${doing}: somebody else holds a lock that it needs: nothing was changed, try again`,
    );
  }
  if (/^(23|P0)/.test(code)) {
    // Without the server's words: a trigger may quote the row.
    const advice = 'a constraint or a trigger of a table that is there already refuses it; nothing was changed';
    return stop(
      'mirror_foreign',
      `cannot ${doing}: SQLSTATE ${code}: ${advice}: mend that, or set supabase.schema to a schema of its own`,
      configuration,
    );
  }
  // Raised by the migrations themselves, or an object that is in their way.
  if (/^(TC001$|42|0A|2B)/.test(code)) {
    const advice = 'nothing was changed: mend that, or set supabase.schema to a schema of its own';
    return stop('mirror_foreign', `cannot ${doing}: ${messageOf(error)}; ${advice}`, configuration);
  }
  return explainMirror(error, url, schema, doing);
}
