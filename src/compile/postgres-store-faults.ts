/** What the server of a store refuses, in an operator's words: what will pass by itself, and what will not. */
import { exitCodes, messageOf, OperatorError, retry, stop } from '../errors.ts';
import { sqlState, targetOf } from '../postgres/connection.ts';
import { quoteIdent } from '../postgres/quote.ts';

/** How errors call a store. */
export interface StoreWords {
  /** As it follows "the". */
  name: string;
  /** Begins the codes of its errors. */
  code: string;
  /** Where its URL comes from. */
  setting: string;
  /** What a role needs on its tables. */
  rights: string;
  /** What starting again costs, as it follows "start again:". */
  loss: string;
}

/** @throws OperatorError `…_url` where the text is no Postgres URL. It is not quoted: it may hold a password. */
export function refuseOtherUrls(url: string, { code, setting }: StoreWords): void {
  try {
    targetOf(url);
  } catch {
    throw stop(`${code}_url`, `${setting} is not a URL of the form postgresql://user:password@host:5432/database`, {
      exitCode: exitCodes.configuration,
    });
  }
}

function refusalsOf({ setting, loss }: StoreWords): Record<string, [reason: string, advice: string]> {
  return {
    '28P01': ['auth', `check user and password in ${setting}`],
    '28000': ['auth', `check the user in ${setting} and the server’s pg_hba.conf`],
    '3D000': ['database', `check the database name in ${setting}`],
    '3F000': ['schema', `restore the schema from a backup, or start again: ${loss}`],
    '42P01': [
      'schema',
      `restore the table from a backup, or drop the schema trajectory_compiler and start again: ${loss}`,
    ],
  };
}

/**
 * `retry` is the rule: what was to be recorded has been paid for. `…_unreachable` concerns every message alike, `…_failed`
 * perhaps this one alone.
 */
export function explainStore(
  error: unknown,
  { url, doing, words }: { url: string; doing: string; words: StoreWords },
): OperatorError {
  if (error instanceof OperatorError) return error;
  const { host, port, database, user } = targetOf(url);
  const { name, setting } = words;
  const what = `cannot ${doing} the ${name} at ${user}@${host}:${port}/${database}: ${messageOf(error)}`;
  const code = sqlState(error);
  const refuse = (reason: string, advice: string) =>
    stop(`${words.code}_${reason}`, `${what}: ${advice}`, { exitCode: exitCodes.configuration, cause: error });
  if (code === '42501') return refuse('permission', grantsFor(user, database, words));
  const refusal = refusalsOf(words)[code];
  if (refusal !== undefined) return refuse(...refusal);
  if (/password must be a string/.test(messageOf(error)))
    return refuse('auth', `the server asks for a password: add it to ${setting}`);
  if (/support SSL|certificate|self.signed|CERT|ALTNAME/i.test(`${messageOf(error)} ${code}`))
    return refuse('tls', `check sslmode and sslrootcert in ${setting}`);
  if (/^(?!EPIPE|08|25|40|53|55|57)[0-9A-Z]{5}$/.test(code))
    return retry(`${words.code}_failed`, `${what} (SQLSTATE ${code})`, { cause: error });
  const advice = `check that the server runs and ${setting} names it`;
  return retry(`${words.code}_unreachable`, `${what}: ${advice}`, { cause: error });
}

function grantsFor(user: string, database: string, { rights }: StoreWords): string {
  const role = quoteIdent(user);
  return [
    'let an owner of the database run',
    `CREATE SCHEMA IF NOT EXISTS trajectory_compiler AUTHORIZATION ${role};`,
    `or, where ${quoteIdent(database)} has the schema already,`,
    `GRANT USAGE, CREATE ON SCHEMA trajectory_compiler TO ${role};`,
    `GRANT ${rights} ON ALL TABLES IN SCHEMA trajectory_compiler TO ${role};`,
  ].join(' ');
}
