/** What the call store's server refuses, in an operator's words: what will pass by itself, and what will not. */
import { exitCodes, messageOf, OperatorError, retry, stop } from '../errors.ts';
import { sqlState, targetOf } from '../postgres/connection.ts';
import { quoteIdent } from '../postgres/quote.ts';

const setting = 'calls.url (TC_CALLS_URL)';

/** @throws OperatorError `calls_url` where the text is no Postgres URL. It is not quoted: it may hold a password. */
export function refuseOtherUrls(url: string): void {
  try {
    targetOf(url);
  } catch {
    throw stop('calls_url', `${setting} is not a URL of the form postgresql://user:password@host:5432/database`, {
      exitCode: exitCodes.configuration,
    });
  }
}

const refusals: Record<string, [code: string, advice: string]> = {
  '28P01': ['calls_auth', `check user and password in ${setting}`],
  '28000': ['calls_auth', `check the user in ${setting} and the server’s pg_hba.conf`],
  '3D000': ['calls_database', `check the database name in ${setting}`],
  '3F000': ['calls_schema', 'restore the schema from a backup, or start again: answers are then asked for again'],
  '42P01': [
    'calls_schema',
    'restore the table from a backup, or drop the schema trajectory_compiler and start again: answers are then asked for again',
  ],
};

/**
 * `retry` is the rule: what was to be recorded has been paid for. `calls_unreachable` concerns every message alike,
 * `calls_failed` perhaps this one alone.
 */
export function explainCalls(error: unknown, url: string, doing: string): OperatorError {
  if (error instanceof OperatorError) return error;
  const { host, port, database, user } = targetOf(url);
  const what = `cannot ${doing} the call store at ${user}@${host}:${port}/${database}: ${messageOf(error)}`;
  const code = sqlState(error);
  const refuse = (reason: string, advice: string) =>
    stop(reason, `${what}: ${advice}`, { exitCode: exitCodes.configuration, cause: error });
  if (code === '42501') return refuse('calls_permission', grantsFor(user, database));
  const refusal = refusals[code];
  if (refusal !== undefined) return refuse(...refusal);
  if (/password must be a string/.test(messageOf(error)))
    return refuse('calls_auth', `the server asks for a password: add it to ${setting}`);
  if (/support SSL|certificate|self.signed|CERT|ALTNAME/i.test(`${messageOf(error)} ${code}`))
    return refuse('calls_tls', `check sslmode and sslrootcert in ${setting}`);
  if (/^(?!EPIPE|08|25|40|53|55|57)[0-9A-Z]{5}$/.test(code))
    return retry('calls_failed', `${what} (SQLSTATE ${code})`, { cause: error });
  return retry('calls_unreachable', `${what}: check that the server runs and ${setting} names it`, { cause: error });
}

function grantsFor(user: string, database: string): string {
  const role = quoteIdent(user);
  return [
    'let an owner of the database run',
    `CREATE SCHEMA IF NOT EXISTS trajectory_compiler AUTHORIZATION ${role};`,
    `or, where ${quoteIdent(database)} has the schema already,`,
    `GRANT USAGE, CREATE ON SCHEMA trajectory_compiler TO ${role};`,
    `GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA trajectory_compiler TO ${role};`,
  ].join(' ');
}
