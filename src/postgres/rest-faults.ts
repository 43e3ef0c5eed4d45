/** What PostgREST or the gateway before it answers in place of rows, in an operator's words. */
import { exitCodes, messageOf, OperatorError, retry, stop } from '../errors.ts';

export interface Refusal {
  status: number;
  /** Of the body where it is PostgREST's; empty where it is a gateway's page. */
  code: string;
  message: string;
  retryAfterMs: number | undefined;
}

/** What was asked, of whom. */
export interface Asked {
  host: string;
  /** `public.audit_log`. */
  table: string;
}

const keySetting = 'supabase.key (SUPABASE_SERVICE_ROLE_KEY)';

/** By PostgREST's code, SQLSTATE or HTTP status: https://docs.postgrest.org/en/v14/references/errors.html */
const refusals: Record<string, [code: string, advice: string]> = {
  PGRST205: ['source_table', 'check postgres.table (TC_POSTGRES_TABLE); a new table is known after a few seconds'],
  '42P01': ['source_table', 'check postgres.table (TC_POSTGRES_TABLE)'],
  PGRST106: ['source_table', 'add the schema to those that the Data API exposes, or check postgres.table'],
  PGRST125: ['source_url', 'check supabase.url: it is the address of the project, without a path'],
  '42703': ['source_column', 'set columns.* to columns that the table has'],
  PGRST204: ['source_column', 'set columns.* to columns that the table has'],
  '42883': ['source_column', 'columns.time and columns.key must be of types that can be sorted'],
  '42501': ['source_permission', `grant the role of ${keySetting} SELECT on the table, or use the service-role key`],
  401: ['source_auth', `check ${keySetting}: it is the secret key or the service-role key of this project`],
  403: ['source_auth', `check ${keySetting}: it is the secret key or the service-role key of this project`],
  404: ['source_url', 'check supabase.url: it is the address of the project, without a path'],
};

const passing = new Set([408, 425, 429]);

export function explainRefusal(
  { status, code, message, retryAfterMs }: Refusal,
  { host, table }: Asked,
): OperatorError {
  const what = `cannot read ${table} through ${host}: ${status}${code === '' ? '' : ` ${code}`}${message === '' ? '' : `: ${message}`}`;
  const refusal = refusals[code] ?? refusals[status];
  if (refusal !== undefined) {
    const [reason, advice] = refusal;
    return stop(reason, `${what}: ${advice}`, { exitCode: exitCodes.configuration });
  }
  if (status >= 500 || passing.has(status)) {
    const advice = code === '57014' ? 'an index on the session column makes it faster' : 'it may pass by itself';
    const more = retryAfterMs === undefined ? {} : { retryAfterMs };
    return retry('source_unreachable', `${what}: ${advice}`, { exitCode: exitCodes.sourceUnavailable, ...more });
  }
  return stop('source_failed', `${what}: the request was not understood`, { exitCode: exitCodes.sourceUnavailable });
}

/** No answer, or half of one. The cause is left out: it may quote the request. */
export function explainNoAnswer(error: unknown, { host, table }: Asked): OperatorError {
  if (error instanceof OperatorError) return error;
  const { cause } = error as { cause?: unknown };
  const said = cause === undefined ? messageOf(error) : messageOf(cause);
  return retry(
    'source_unreachable',
    `cannot read ${table} through ${host}: ${said}: check supabase.url (NEXT_PUBLIC_SUPABASE_URL) and the network`,
    { exitCode: exitCodes.sourceUnavailable },
  );
}
