/** The mirror over PostgREST: the key, the tables, and an upsert of no rows, which writes nothing. */
import { type Check, type Checklist, ok, warning } from '../checks.ts';
import { isPrivateHost } from '../compile/models/private-address.ts';
import { type TableName, tableNames, tables } from '../dataset-tables.ts';
import { exitCodes, OperatorError, retry, stop } from '../errors.ts';
import { notMigrated } from '../sinks/supabase/connection.ts';
import { mirrorVersion } from '../sinks/supabase/mirror.ts';
import { baseOf, causeOf, headersOf } from '../sinks/supabase/rest.ts';
import { judge } from '../sinks/supabase/rest-answer.ts';
import { keyChecks } from './supabase-key.ts';

export interface RestMirror {
  url: string;
  key: string;
  schema: string;
}

const answerWithinMs = 8_000;

export async function examineRestMirror(list: Checklist, mirror: RestMirror, signal: AbortSignal): Promise<void> {
  const base = await list.attempt('sink_url', () => baseOf(mirror.url));
  if (base === null) return;
  const address = new URL(base);
  list.add(addressCheck(address));
  const headers = await list.attempt('sink_key', () => headersOf(mirror));
  if (headers === null) return;
  const aboutKey = keyChecks(mirror.key, address, new Date());
  list.add(...aboutKey);
  if (aboutKey.some(({ outcome }) => outcome === 'failure')) return;
  const ask = createAsk(base, headers, mirror.schema, signal);
  const migrated = await list.attempt(
    'sink_migrated',
    () => readVersion(ask, mirror, address.host),
    (version) => `the tables in schema ${mirror.schema} of ${address.host} are of version ${version}`,
  );
  if (migrated === null) return;
  await list.attempt(
    'sink_writable',
    async () => {
      for (const table of tableNames) await upsertNothing(ask, table);
    },
    () => `${address.host} takes an upsert of no rows into each of ${tableNames.length} tables`,
  );
}

function addressCheck(address: URL): Check {
  const name = 'sink_tls';
  if (address.protocol === 'https:') return ok(name, `what is sent to ${address.host} is encrypted`);
  if (isPrivateHost(address)) return ok(name, `${address.host} is of this machine or its network, and not encrypted`);
  const sentence = `the key and the dataset travel to ${address.host} unencrypted`;
  return warning(name, sentence, `set supabase.url to https://${address.host}`);
}

interface Request {
  method: 'GET' | 'POST';
  table: string;
  query: Record<string, string>;
  body?: string;
}

type Ask = (
  request: Request,
) => Promise<{ status: number; retryAfter: string | null; contentRange: string | null; body: string }>;

function createAsk(base: string, headers: Record<string, string>, schema: string, signal: AbortSignal): Ask {
  const { host } = new URL(base);
  return async ({ method, table, query, body }) => {
    const limit = AbortSignal.timeout(answerWithinMs);
    const target = `${base}/rest/v1/${table}?${new URLSearchParams(query)}`;
    try {
      const limited = AbortSignal.any([signal, limit]);
      const more = body === undefined ? {} : { body };
      const response = await fetch(target, { method, headers, redirect: 'manual', signal: limited, ...more });
      const text = await response.text();
      const { status } = response;
      const answer = { status, retryAfter: response.headers.get('retry-after'), contentRange: null, body: text };
      // What was asked for is not to be judged as an answer to a write.
      if (method === 'POST' || !response.ok) judged(answer, { host, table, schema });
      return answer;
    } catch (error) {
      throw unreachable(error, { host, table, late: limit.aborted });
    }
  };
}

/** @throws OperatorError where the answer is no acceptance. */
function judged(answer: Awaited<ReturnType<Ask>>, at: { host: string; table: string; schema: string }): void {
  const verdict = judge(answer, at);
  if (verdict.kind === 'written') return;
  const why = verdict.kind === 'refused' ? verdict.reason : 'its statement took too long';
  throw stop('sink_refused', `table ${at.table} of ${at.host} can't be written: ${why}`, {
    exitCode: exitCodes.configuration,
  });
}

function unreachable(error: unknown, at: { host: string; table: string; late: boolean }): unknown {
  if (error instanceof OperatorError) return error;
  const why = at.late ? `no answer within ${answerWithinMs / 1000} s` : causeOf(error);
  return retry('sink_unreachable', `cannot reach table ${at.table} of ${at.host}: ${why}: check supabase.url`, {
    exitCode: exitCodes.sourceUnavailable,
  });
}

async function readVersion(ask: Ask, { schema }: RestMirror, host: string): Promise<number> {
  const query = { select: 'version', order: 'version.desc', limit: '1' };
  const { body } = await ask({ method: 'GET', table: 'trajectory_compiler_migrations', query });
  const version = versionIn(body);
  if (version < mirrorVersion) throw notMigrated(schema, `${host} has version ${version} of ${mirrorVersion}`);
  return version;
}

/** 0 where there is none, or no row of it is shown. */
function versionIn(body: string): number {
  try {
    const [row] = JSON.parse(body) as { version?: unknown }[];
    return typeof row?.version === 'number' ? row.version : 0;
  } catch {
    return 0;
  }
}

async function upsertNothing(ask: Ask, table: TableName): Promise<void> {
  const { key, columns } = tables[table];
  const query = { on_conflict: key.join(','), columns: columns.join(',') };
  await ask({ method: 'POST', table, query, body: '[]' });
}
