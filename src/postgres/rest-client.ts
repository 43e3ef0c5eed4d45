/** Reading a table through PostgREST, as Supabase serves it: one GET at a time, tried again where that helps. */
import { exitCodes, kindOf, OperatorError, stop } from '../errors.ts';
import { backoffMs, pause } from '../lifecycle.ts';
import type { Micros } from '../records.ts';
import type { TableName } from './quote.ts';
import { type Asked, explainNoAnswer, explainRefusal, type Refusal } from './rest-faults.ts';

export interface RestOptions {
  /** Address of the project: `https://abcdefgh.supabase.co`. */
  url: string;
  /** Its secret or service-role key. */
  key: string;
  fetch?: typeof fetch | undefined;
  backoff?: { baseMs: number; maxMs: number };
}

export type RestRow = Record<string, unknown>;
/** Names and values of a query string, in order, not encoded. */
export type Query = [name: string, value: string][];

export interface RestTable {
  /** Host and port. */
  host: string;
  /** @throws OperatorError as {@link explainRefusal} says. */
  get(query: Query): Promise<RestRow[]>;
  /** The server's clock at its first answer, to the second; null before, or where it does not tell. */
  firstAnsweredAt(): Micros | null;
}

const maxAttempts = 4;
const maxMessageCharacters = 300;
const timeoutMs = 60_000;
const maxWaitMs = 30_000;

/** @throws OperatorError `source_url` where the address is none, `source_auth` for a key that row level security binds. */
export function openRestTable(options: RestOptions, { schema, name }: TableName): RestTable {
  const { key, fetch: send = fetch, backoff = { baseMs: 300, maxMs: 5_000 } } = options;
  const base = addressOf(options.url);
  refusePublicKey(key);
  const asked: Asked = { host: base.host, table: `${schema}.${name}` };
  const headers = headersOf(key, schema);
  let firstDate: string | null = null;

  async function getOnce(query: Query): Promise<RestRow[]> {
    const at = new URL(encodeURIComponent(name), base);
    at.search = query.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
    try {
      // A redirect would take the key to another host.
      const response = await send(at, { headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
      const body = await response.text();
      if (!response.ok) throw explainRefusal(refusalOf(response, body), asked);
      firstDate ??= response.headers.get('date');
      return rowsOf(body);
    } catch (error) {
      throw explainNoAnswer(error, asked);
    }
  }

  async function get(query: Query): Promise<RestRow[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await getOnce(query);
      } catch (error) {
        const askedToWait = error instanceof OperatorError ? (error.retryAfterMs ?? 0) : 0;
        const waitMs = Math.max(askedToWait, backoffMs(attempt, backoff));
        if (kindOf(error) !== 'retry' || attempt >= maxAttempts || waitMs > maxWaitMs) throw error;
        await pause(waitMs);
      }
    }
  }

  return {
    host: base.host,
    get,
    firstAnsweredAt: () => (firstDate === null ? null : Date.parse(firstDate) * 1000),
  };
}

function addressOf(url: string): URL {
  // With a user in it no request is sent, and the error would quote the password.
  if (!/^https?:\/\//.test(url) || !URL.canParse(url) || new URL(url).username !== '') {
    throw stop('source_url', 'supabase.url is not a URL of the form https://abcdefgh.supabase.co', {
      exitCode: exitCodes.configuration,
    });
  }
  return new URL('/rest/v1/', url);
}

/** Rows that a policy hides would be missing without a word. */
function refusePublicKey(key: string): void {
  const role = /^sb_publishable_/.test(key) ? 'publishable' : jwtRole(key);
  if (role !== 'publishable' && role !== 'anon') return;
  throw stop(
    'source_auth',
    `supabase.key is the ${role} key, from which row level security may hide rows: set it to the secret key or the service-role key (SUPABASE_SERVICE_ROLE_KEY)`,
    { exitCode: exitCodes.configuration },
  );
}

const jwtPattern = /^[\w-]+\.([\w-]+)\.[\w-]+$/;

function jwtRole(key: string): string | null {
  const payload = jwtPattern.exec(key)?.[1];
  if (payload === undefined) return null;
  try {
    const { role } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { role?: unknown };
    return typeof role === 'string' ? role : null;
  } catch {
    return null;
  }
}

/** True where row level security surely hides nothing from this key. */
export function bypassesPolicies(key: string): boolean {
  return /^sb_secret_/.test(key) || jwtRole(key) === 'service_role';
}

function headersOf(key: string, schema: string): Record<string, string> {
  return {
    accept: 'application/json',
    'accept-profile': schema,
    apikey: key,
    // Keys of the newer form are no tokens, and are refused as such.
    ...(jwtPattern.test(key) ? { authorization: `Bearer ${key}` } : {}),
    // Timestamps read as every other connection here reads them.
    prefer: 'timezone=UTC',
    'user-agent': 'trajectory-compiler',
  };
}

function rowsOf(body: string): RestRow[] {
  const rows = parsed(body);
  // What was read of it is not quoted: it is rows.
  if (!Array.isArray(rows)) throw new Error('the answer was cut off, or is no list of rows');
  return rows as RestRow[];
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function refusalOf(response: Response, body: string): Refusal {
  const { code, message } = Object(parsed(body)) as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, maxMessageCharacters) : '');
  const retryAfterMs = waitAskedFor(response.headers.get('retry-after'));
  return { status: response.status, code: text(code), message: text(message), retryAfterMs };
}

/** Of seconds or a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function waitAskedFor(after: string | null): number | undefined {
  if (after === null) return undefined;
  if (/^\d+$/.test(after)) return Number(after) * 1000;
  const at = Date.parse(after);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
