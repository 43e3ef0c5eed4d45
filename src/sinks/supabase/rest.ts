/** The mirror over PostgREST: each table's rows in pieces, each piece a transaction, segments last. */
import { tables } from '../../dataset-tables.ts';
import { exitCodes, kindOf, OperatorError, retry, stop } from '../../errors.ts';
import { type BackoffOptions, backoffMs, pause } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import { sqlState } from '../../postgres/connection.ts';
import type { Sink } from '../sink.ts';
import { isolate } from './isolate.ts';
import { addEffect, type Mirror, type MirrorWrite, noEffect, sinkOver } from './mirror.ts';
import { judge, type Verdict } from './rest-answer.ts';
import { type EncodedRow, type EncodedRows, encodeRows, jsonArray, piecesOf } from './row-json.ts';

export interface SupabaseSinkOptions {
  /** Of the project, such as `https://abcdefgh.supabase.co`. */
  url: string;
  /** A secret key, or the older service-role key. */
  key: string;
  schema: string;
  log: Logger;
  fetch?: typeof fetch;
  /** Of one request. */
  timeoutMs?: number;
  /** Between the few quick attempts at one request; after them the message waits its turn. */
  backoff?: BackoffOptions;
}

const maxPieceRows = 500;
const maxPieceBytes = 1024 * 1024;
const quickAttempts = 3;

/** @throws OperatorError `sink_url` or `sink_key` where these can not be meant. Nothing is sent before the first message. */
export async function openSupabaseSink(options: SupabaseSinkOptions): Promise<Sink> {
  return sinkOver(openSupabaseMirror(options), options.log);
}

/** @throws OperatorError as {@link openSupabaseSink} does. */
export function openSupabaseMirror(options: SupabaseSinkOptions): Mirror {
  const post = preparePost(options);
  return {
    async write(batches, signal) {
      const done: MirrorWrite = { refused: [], effect: noEffect() };
      for (const batch of batches.filter(({ rows }) => rows.length > 0).map(encodeRows)) {
        for (const piece of piecesOf(batch.rows, maxPieceRows, maxPieceBytes)) {
          const refused = await isolate(piece, async (rows) => {
            const verdict = await post(batch, rows, signal);
            if (verdict.kind === 'refused') return verdict.reason;
            addEffect(done.effect, rows.length, verdict.rows);
            return null;
          });
          done.refused.push(...refused.map(({ row, reason }) => ({ table: batch.table, key: row.key, reason })));
        }
      }
      return done;
    },
    async close() {},
  };
}

type Settled = Exclude<Verdict, { kind: 'too_slow' }>;
type Post = (batch: EncodedRows, rows: readonly EncodedRow[], signal: AbortSignal) => Promise<Settled>;

function preparePost(options: SupabaseSinkOptions): Post {
  const { schema, fetch: send = fetch, timeoutMs = 30_000, backoff = { baseMs: 250, maxMs: 2_000 } } = options;
  const base = baseOf(options.url);
  const headers = headersOf(options);
  const { host } = new URL(base);

  async function once({ table, columns }: EncodedRows, body: string, signal: AbortSignal): Promise<Verdict> {
    const query = new URLSearchParams({ on_conflict: tables[table].key.join(','), columns: columns.join(',') });
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    signal.throwIfAborted();
    try {
      const target = `${base}/rest/v1/${table}?${query}`;
      const response = await send(target, { method: 'POST', headers, body, redirect: 'manual', signal: limited });
      const { status, headers: told } = response;
      const answer = { status, retryAfter: told.get('retry-after'), contentRange: told.get('content-range') };
      return judge({ ...answer, body: await response.text() }, { host, table, schema });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof OperatorError) throw error;
      const why = limited.aborted ? `no answer within ${timeoutMs} ms` : causeOf(error);
      throw retry('sink_unreachable', `cannot write table ${table} of ${host}: ${why}: check supabase.url`, {
        exitCode: exitCodes.sourceUnavailable,
      });
    }
  }

  return async (batch, rows, signal) => {
    const body = jsonArray(rows);
    for (let attempt = 1; ; attempt++) {
      try {
        const verdict = await once(batch, body, signal);
        if (verdict.kind !== 'too_slow') return verdict;
        if (rows.length > 1) return { kind: 'refused', reason: 'too slow' };
        throw retry('sink_unavailable', `cannot write table ${batch.table} of ${host}: its statement took too long`);
      } catch (error) {
        const asked = error instanceof OperatorError && error.retryAfterMs !== undefined;
        if (kindOf(error) !== 'retry' || asked || attempt === quickAttempts || signal.aborted) throw error;
        await pause(backoffMs(attempt, backoff), signal);
        signal.throwIfAborted();
      }
    }
  };
}

/** Without a path: what is copied from the dashboard may have that of the API. */
export function baseOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '') {
    return `${parsed.origin}${parsed.pathname.replace(/\/+$/, '').replace(/\/rest\/v1$/, '')}`;
  }
  throw stop('sink_url', 'supabase.url (TC_SUPABASE_URL) is not a URL such as https://abcdefgh.supabase.co', {
    exitCode: exitCodes.configuration,
  });
}

/** A secret key is no JWT and is refused as one; the keys before it are asked for both ways. */
export function headersOf({ key, schema }: Pick<SupabaseSinkOptions, 'key' | 'schema'>): Record<string, string> {
  if (!/^[\x21-\x7e]+$/.test(key) || key.startsWith('sb_publishable_')) {
    const fault = key.startsWith('sb_publishable_') ? 'is a publishable key, which may write nothing' : 'is no key';
    throw stop('sink_key', `supabase.key (TC_SUPABASE_KEY) ${fault}: give a secret key or the service-role key`, {
      exitCode: exitCodes.configuration,
    });
  }
  return {
    apikey: key,
    ...(key.split('.').length === 3 ? { authorization: `Bearer ${key}` } : {}),
    'content-type': 'application/json',
    // The count is of the rows that were inserted or updated, not of the table.
    prefer: 'resolution=merge-duplicates,return=minimal,missing=default,count=exact',
    // One like a browser's is refused together with a secret key.
    'user-agent': 'trajectory-compiler',
    ...(schema === 'public' ? {} : { 'content-profile': schema, 'accept-profile': schema }),
  };
}

export function causeOf(error: unknown): string {
  const code = sqlState((error as { cause?: unknown } | null)?.cause);
  return code === '' ? 'the connection failed' : code;
}
