/** Opening connections to Postgres: pinned text settings, and errors in an operator's words. A leaf. */
import pg from 'pg';
import { exitCodes, messageOf, OperatorError, retry, stop } from '../errors.ts';
import { quoteLiteral } from './quote.ts';

/**
 * Text depends on settings, and a role or database can set them: every connection, the walsender's too, pins them, so
 * that a row reads the same whichever way it came.
 */
export const pinnedSettings = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
} as const;

export interface ConnectOptions {
  /** `trajectory-compiler` and what the connection is for: an operator finds it in pg_stat_activity. */
  purpose: string;
  /** Further settings of the connection, such as `lock_timeout`. */
  settings?: Record<string, string>;
  connectTimeoutMs?: number;
  /** A statement that got no answer for so long fails, and its connection is closed. No limit by default. */
  queryTimeoutMs?: number;
}

const rawText = { getTypeParser: () => (value: string | Buffer) => value.toString() };

/** Where a URL leads, without its password. */
export interface Target {
  host: string;
  port: number;
  database: string;
  user: string;
}

/** @throws OperatorError `source_url` where the text is no Postgres URL. */
export function targetOf(url: string): Target {
  try {
    if (!/^postgres(ql)?:\/\//.test(url)) throw new Error('scheme');
    const client = new pg.Client({ connectionString: url });
    return {
      host: client.host,
      port: client.port,
      database: client.database ?? client.user ?? '',
      user: client.user ?? '',
    };
  } catch {
    // The cause is left out: it quotes the URL, password included.
    throw stop('source_url', 'postgres.url is not a URL of the form postgresql://user:password@host:5432/database', {
      exitCode: exitCodes.configuration,
    });
  }
}

/** The configuration of an ordinary connection. Every value arrives as the text that the server's output function made. */
export function clientConfig(
  url: string,
  { purpose, settings = {}, connectTimeoutMs = 10_000, queryTimeoutMs }: ConnectOptions,
): pg.ClientConfig {
  targetOf(url);
  return {
    connectionString: url,
    application_name: `trajectory-compiler ${purpose}`,
    keepAlive: true,
    connectionTimeoutMillis: connectTimeoutMs,
    types: rawText,
    ...(queryTimeoutMs === undefined ? {} : { query_timeout: queryTimeoutMs }),
    // A pooler speaks for many clients and refuses these; there the pool sets them on each connection.
    ...(isPooler(url) ? {} : { options: optionsText({ ...pinnedSettings, ...settings }) }),
  } as pg.ClientConfig;
}

/** The configuration of a walsender connection. @throws OperatorError `source_pooler` where no walsender can be behind the host. */
export function replicationConfig(url: string, options: ConnectOptions) {
  refusePooler(url);
  return { ...clientConfig(url, options), replication: 'database' } as pg.ClientConfig;
}

function optionsText(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, '\\$&')}`)
    .join(' ');
}

function isPooler(url: string): boolean {
  return targetOf(url).host.endsWith('pooler.supabase.com');
}

function refusePooler(url: string): void {
  const { host, port, user } = targetOf(url);
  // A project has a pooler of its own too, beside the database.
  const own = port === 6543 && isSupabase(host);
  if (!isPooler(url) && !own) return;
  // On the shared one the project is a part of the user's name.
  const project = own ? host.split('.')[1] : (/^[^.]+\.([a-z0-9]+)$/.exec(user)?.[1] ?? '<project>');
  throw stop(
    'source_pooler',
    `${host}:${port} is a connection pooler, which cannot carry the replication protocol: set postgres.url to the direct connection db.${project}.supabase.co:5432 and its user to ${user.split('.')[0]} (IPv6, or IPv4 with the add-on)`,
    { exitCode: exitCodes.configuration },
  );
}

function isSupabase(host: string): boolean {
  return /^db\.[a-z0-9]+\.supabase\.co$/.test(host);
}

/** Opens one connection. @throws OperatorError classified by {@link explainPostgres}. */
export async function openClient(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  // Without a listener a connection that breaks between two queries would end the process; the next query fails anyway.
  client.on('error', () => {});
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw explainPostgres(error, config.connectionString ?? '');
  }
}

/** A small pool that reconnects by itself. Ends with `pool.end()`. */
export function openPool(url: string, options: ConnectOptions, max = 2): pg.Pool {
  const pool = new pg.Pool({ ...clientConfig(url, options), max, allowExitOnIdle: true });
  pool.on('error', () => {});
  // The pool listens to clients that rest in it alone: one that is lost while it works would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  if (isPooler(url)) {
    const all = Object.entries({ ...pinnedSettings, ...options.settings });
    const sql = all.map(([name, value]) => `SET ${name} = ${quoteLiteral(value)}`).join('; ');
    pool.on('connect', (client) => void client.query(sql).catch(() => {}));
  }
  return pool;
}

const unreachable = new Set(
  'ECONNREFUSED ENOTFOUND EAI_AGAIN ETIMEDOUT EHOSTUNREACH ENETUNREACH ECONNRESET EPIPE 57P01 57P02 57P03 53300 08000 08001 08003 08004 08006'.split(
    ' ',
  ),
);

/** What to do about each kind of refusal: code, and the words after what the server said. */
const refusals: Record<string, [code: string, advice: string]> = {
  '28P01': ['source_auth', 'check user and password in postgres.url (TC_POSTGRES_URL)'],
  '28000': ['source_auth', 'check the user in postgres.url (TC_POSTGRES_URL) and the server’s pg_hba.conf'],
  '3D000': ['source_database', 'check the database name in postgres.url (TC_POSTGRES_URL)'],
  '42501': ['source_permission', 'grant the role of postgres.url what is missing, or use another role'],
  '42P01': ['source_table', 'check postgres.table (TC_POSTGRES_TABLE)'],
  '3F000': ['source_table', 'check the schema in postgres.table (TC_POSTGRES_TABLE)'],
};

/** Refused values, statements and program limits, and a limit of the configuration: the same again is refused again. */
const refused = /^(22|42|54)...$|^53400$/;

/**
 * Classifies what a connection or a statement threw. Never holds a password: `pg` puts none into its errors, and the
 * URL is taken apart first.
 */
export function explainPostgres(error: unknown, url: string, doing = 'connect'): OperatorError {
  if (error instanceof OperatorError) return error;
  const { host, port, database, user } = targetOf(url);
  const where = `${user}@${host}:${port}/${database}`;
  const code = sqlState(error);
  const said = saidBy(error);
  const refusal = refusals[code];
  if (refusal !== undefined) {
    return stop(refusal[0], `cannot ${doing} at ${where}: ${said}: ${refusal[1]}`, {
      exitCode: exitCodes.configuration,
      cause: error,
    });
  }
  if (refused.test(code)) return stop('source_refused', `cannot ${doing} at ${where}: ${said}`, { cause: error });
  if (/does not support SSL|certificate|self.signed|SSL connection|CERT|ALTNAME/i.test(`${said} ${code}`)) {
    return stop('source_tls', `cannot ${doing} at ${where}: ${said}: check sslmode and sslrootcert in postgres.url`, {
      exitCode: exitCodes.configuration,
      cause: error,
    });
  }
  if (/password must be a string/.test(said)) {
    return stop(
      'source_auth',
      `cannot ${doing} at ${where}: the server asks for a password: add it to postgres.url (TC_POSTGRES_URL)`,
      { exitCode: exitCodes.configuration },
    );
  }
  // The direct host has an IPv6 address alone: without IPv6 there is no such name, or no way to it.
  if (isSupabase(host) && /^(ENOTFOUND|ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|EAI_AGAIN)$/.test(code)) {
    return retry(
      'source_unreachable',
      `cannot ${doing} at ${where}: ${said}: the direct connection of a Supabase project is reached over IPv6 only: give this host IPv6, or the project the IPv4 add-on; a pooler carries no replication`,
      { exitCode: exitCodes.sourceUnavailable, cause: error },
    );
  }
  if (unreachable.has(code) || /terminated|timeout|not queryable|connection error/i.test(said)) {
    return retry(
      'source_unreachable',
      `cannot ${doing} at ${where}: ${said}: check that the server runs and postgres.url (TC_POSTGRES_URL) names it`,
      { exitCode: exitCodes.sourceUnavailable, cause: error },
    );
  }
  return retry('source_failed', `cannot ${doing} at ${where}: ${said}`, { cause: error });
}

/** The five characters of SQLSTATE, or Node's code of a socket error; empty where there is none. */
export function sqlState(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string') return code;
  // A host with several addresses fails with an AggregateError.
  if (error instanceof AggregateError) return sqlState(error.errors[0]);
  return '';
}

function saidBy(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  const hint = (error as { hint?: unknown } | null)?.hint;
  return typeof hint === 'string' ? `${messageOf(error)} (${hint})` : messageOf(error);
}
