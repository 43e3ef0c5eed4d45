/** Which pairs are duplicates, written to the mirror beside its messages: no message says so. */
import { exitCodes, OperatorError, retry } from '../../errors.ts';
import { quoteIdent } from '../../postgres/quote.ts';
import { explainMirror, openMirrorPool } from './connection.ts';
import { baseOf, causeOf, headersOf } from './rest.ts';
import { judge } from './rest-answer.ts';

export interface PairMark {
  pairKey: string;
  duplicateOf: string | null;
}

export interface DuplicateMirror {
  /**
   * Marks those of the pairs that are there, and resolves with them. Any number of times with the same result.
   *
   * @throws OperatorError as the sink does.
   */
  mark<T extends PairMark>(marks: readonly T[], signal: AbortSignal): Promise<T[]>;
  close(): Promise<void>;
}

/** Over a connection to its database. @throws OperatorError `sink_url`. */
export function openPostgresDuplicates({ url, schema }: { url: string; schema: string }): DuplicateMirror {
  const pool = openMirrorPool(url, { purpose: 'duplicates', max: 1, queryTimeoutMs: 120_000 });
  const table = `${quoteIdent(schema)}.qa_pairs`;
  return {
    async mark(marks, signal) {
      signal.throwIfAborted();
      try {
        const { rows } = await pool.query<{ pair_key: string }>(
          `UPDATE ${table} AS p SET duplicate_of = m."duplicateOf"
           FROM json_to_recordset($1::json) AS m ("pairKey" text, "duplicateOf" text)
           WHERE p.pair_key = m."pairKey" RETURNING p.pair_key`,
          [JSON.stringify(marks)],
        );
        return heldOf(marks, rows);
      } catch (error) {
        throw explainMirror(error, url, schema, 'mark duplicates');
      }
    },
    close: () => pool.end(),
  };
}

export interface RestDuplicatesOptions {
  url: string;
  key: string;
  schema: string;
  fetch?: typeof fetch;
  /** Of one request. */
  timeoutMs?: number;
}

/** Keys stand in the address, whose length gateways limit to about 8 KiB. */
const maxKeys = 50;

/** Over PostgREST. @throws OperatorError `sink_url`, `sink_key`. */
export function openRestDuplicates(options: RestDuplicatesOptions): DuplicateMirror {
  const { schema, fetch: send = fetch, timeoutMs = 30_000 } = options;
  const base = baseOf(options.url);
  const { host } = new URL(base);
  const headers = { ...headersOf(options), prefer: 'return=representation' };
  const asked = { host, table: 'qa_pairs', schema };

  async function patch(marks: readonly PairMark[], signal: AbortSignal): Promise<{ pair_key: string }[]> {
    const keys = marks.map(({ pairKey }) => `"${pairKey.replace(/["\\]/g, '\\$&')}"`);
    const query = new URLSearchParams({ pair_key: `in.(${keys.join(',')})`, select: 'pair_key' });
    const body = JSON.stringify({ duplicate_of: marks[0]?.duplicateOf ?? null });
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    signal.throwIfAborted();
    try {
      const target = `${base}/rest/v1/qa_pairs?${query}`;
      const response = await send(target, { method: 'PATCH', headers, body, redirect: 'manual', signal: limited });
      const text = await response.text();
      if (response.ok) return JSON.parse(text) as { pair_key: string }[];
      const { status, headers: told } = response;
      const answer = { status, retryAfter: told.get('retry-after'), contentRange: null, body: text };
      throw retry('sink_failed', `${host} did not mark duplicates: ${JSON.stringify(judge(answer, asked))}`);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof OperatorError) throw error;
      const why = limited.aborted ? `no answer within ${timeoutMs} ms` : causeOf(error);
      throw retry('sink_unreachable', `cannot mark duplicates at ${host}: ${why}: check supabase.url`, {
        exitCode: exitCodes.sourceUnavailable,
      });
    }
  }

  return {
    async mark(marks, signal) {
      const rows: { pair_key: string }[] = [];
      for (const piece of piecesOf(marks)) rows.push(...(await patch(piece, signal)));
      return heldOf(marks, rows);
    },
    async close() {},
  };
}

/** A request gives all its pairs the same mark. */
function piecesOf(marks: readonly PairMark[]): PairMark[][] {
  const groups = new Map<string | null, PairMark[]>();
  for (const mark of marks) groups.set(mark.duplicateOf, [...(groups.get(mark.duplicateOf) ?? []), mark]);
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / maxKeys) }, (_, nth) =>
      group.slice(nth * maxKeys, (nth + 1) * maxKeys),
    ),
  );
}

function heldOf<T extends PairMark>(marks: readonly T[], rows: readonly { pair_key: string }[]): T[] {
  const held = new Set(rows.map(({ pair_key }) => pair_key));
  return marks.filter(({ pairKey }) => held.has(pairKey));
}
