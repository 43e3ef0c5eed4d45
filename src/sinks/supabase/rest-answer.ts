/** What PostgREST's answers to an upsert mean. https://docs.postgrest.org/en/stable/references/errors.html */
import { exitCodes, retry, stop } from '../../errors.ts';
import { alteredBy, notMigrated, refusalOf } from './connection.ts';

export interface Answer {
  status: number;
  retryAfter: string | null;
  contentRange: string | null;
  body: string;
}

export interface Asked {
  /** Without credentials. */
  host: string;
  table: string;
  schema: string;
}

export type Verdict =
  /** How many of the rows were not there already, as they are or newer; null where the answer does not say. */
  | { kind: 'written'; rows: number | null }
  /** A row of these, or all of them together (413): in halves it shows. */
  | { kind: 'refused'; reason: string }
  /** Fewer at once may do. */
  | { kind: 'too_slow' };

const missing = new Set(['PGRST202', 'PGRST204', 'PGRST205', '42P01', '42703', '42P10']);
const longestRetryAfterMs = 3_600_000;

/** @throws OperatorError where it is no matter of the rows: `stop` for key, address and schema, `retry` for the rest. */
export function judge({ status, retryAfter, contentRange, body }: Answer, { host, table, schema }: Asked): Verdict {
  const at = `cannot write table ${table} of ${host}`;
  const configuration = { exitCode: exitCodes.configuration };
  if (status >= 200 && status < 300) {
    if (body.trim() === '') return { kind: 'written', rows: countIn(contentRange) };
    throw retry('sink_answer', `${at}: HTTP ${status} came with a body that nobody asked for: check supabase.url`);
  }
  if (status >= 300 && status < 400) {
    throw stop(
      'sink_url',
      `${at}: HTTP ${status} leads elsewhere: set supabase.url to the project itself`,
      configuration,
    );
  }
  const { code, message } = problemIn(body);
  const refusal = refusalOf(code, namesIn(code, message));
  if (refusal !== null) return { kind: 'refused', reason: refusal };
  if (code === '57014') return { kind: 'too_slow' };
  if (code === 'PGRST106' || status === 406) {
    const advice = `expose schema ${schema} in the API settings of the project, or set supabase.schema`;
    throw stop(
      'sink_schema',
      `${at}: schema ${schema} can not be reached (${code || status}): ${advice}`,
      configuration,
    );
  }
  if (status === 404 && code === '') throw stop('sink_url', `${at}: HTTP 404: check supabase.url`, configuration);
  if (missing.has(code) || status === 404) throw notMigrated(schema, `table ${table} of ${host}: ${code || status}`);
  const altered = alteredBy(code, schema);
  if (altered !== null) throw altered;
  if (status === 401 || status === 403) {
    const grant = code === '42501' ? ', or grant its role what is missing' : '';
    const advice = `set supabase.key (TC_SUPABASE_KEY) to a secret key or the service-role key of this project${grant}`;
    throw stop('sink_auth', `${at}: HTTP ${status}${code === '' ? '' : ` (${code})`}: ${advice}`, configuration);
  }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const retryAfterMs = parseRetryAfter(retryAfter);
    throw retry('sink_unavailable', `${at}: HTTP ${status}${code === '' ? '' : ` (${code})`}`, {
      exitCode: exitCodes.sourceUnavailable,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  return { kind: 'refused', reason: `HTTP ${status}${code === '' ? '' : `, ${code}`}` };
}

// A star for no range of rows, then the count that was asked for.
function countIn(contentRange: string | null): number | null {
  const count = /^\*\/(\d+)$/.exec(contentRange ?? '')?.[1];
  return count === undefined ? null : Number(count);
}

/** Half an answer, or one of a proxy, tells nothing. */
function problemIn(body: string): { code: string; message: string } {
  try {
    const { code, message } = JSON.parse(body) as { code?: unknown; message?: unknown };
    return { code: typeof code === 'string' ? code : '', message: typeof message === 'string' ? message : '' };
  } catch {
    return { code: '', message: '' };
  }
}

/** In messages about constraints the server quotes names only; values stand in its details. */
function namesIn(code: string, message: string): { constraint?: string; column?: string } {
  if (!code.startsWith('23')) return {};
  const constraint = /constraint "([^"]+)"/.exec(message)?.[1];
  const column = /column "([^"]+)"/.exec(message)?.[1];
  return { ...(constraint === undefined ? {} : { constraint }), ...(column === undefined ? {} : { column }) };
}

/** Seconds or a date. */
function parseRetryAfter(text: string | null): number | undefined {
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.min(longestRetryAfterMs, Math.max(0, ms)) : undefined;
}
