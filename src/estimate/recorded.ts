/** What recorded calls say about the next ones, and about the estimate that was given before them. */
import { capabilityOf } from '../compile/models/capabilities.ts';
import type { Billing } from '../compile/models/model.ts';
import type { PriceTable } from '../compile/models/prices.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { sizeOf } from './sizes.ts';
import { createPriceOf, googleBilling } from './spending.ts';
import { assumedCompile, assumedVerify, type Measured, measuredCalls, type Range, sumOf } from './tokens.ts';

/** Calls that were made and have tokens, with what they were made for; what a second attempt found known is none. */
const billedCalls = `
  SELECT c.stage, c.provider, c.requested_model AS model, c.service_tier AS serviceTier, c.segment_id AS segmentId,
         c.started_at AS startedAt, c.prompt_tokens AS prompt, coalesce(c.output_tokens, 0) AS output,
         coalesce(c.thinking_tokens, 0) AS thinking, c.cost_usd AS costUsd, s.turns, s.chars
  FROM llm_calls AS c
  JOIN (SELECT id, max(json_extract(metrics, '$.turns')) AS turns, max(json_extract(metrics, '$.chars')) AS chars
        FROM segments GROUP BY id) AS s ON s.id = c.segment_id
  WHERE c.prompt_tokens > 0 AND s.chars > 0`;

/**
 * What a model takes at a stage. Verifying is spread over all segments that were compiled meanwhile: not each of them has
 * pairs to look at.
 *
 * @returns null below {@link measuredCalls}.
 */
export function measuredOf(db: SqliteDatabase, stage: 'compile' | 'verify', model: string): Measured | null {
  const sums = db
    .prepare(
      `SELECT count(*) AS calls, sum(prompt) AS prompt, sum(output) AS output, sum(thinking) AS thinking
       FROM (${billedCalls}) WHERE stage = ? AND model = ?`,
    )
    .get(stage, model) as { calls: number; prompt: number; output: number; thinking: number };
  if (sums.calls < measuredCalls) return null;
  const segments = stage === 'compile' ? compiledBy(db, model) : compiledUnder(db, model);
  const promptChars = segments.reduce((sum, { turns, chars }) => sum + sizeOf(turns, chars).promptChars, 0);
  if (promptChars === 0) return null;
  return {
    calls: sums.calls,
    inputPerChar: sums.prompt / promptChars,
    outputPerSegment: sums.output / segments.length,
    thinkingPerSegment: sums.thinking / segments.length,
  };
}

interface Compiled {
  turns: number;
  chars: number;
}

function compiledBy(db: SqliteDatabase, model: string): Compiled[] {
  const sql = `SELECT DISTINCT segmentId, turns, chars FROM (${billedCalls}) WHERE stage = 'compile' AND model = ?`;
  return db.prepare(sql).all(model) as Compiled[];
}

/** By whichever model, since the first segment that this one verified. */
function compiledUnder(db: SqliteDatabase, verifier: string): Compiled[] {
  const since = db
    .prepare(
      `SELECT min(startedAt) FROM (${billedCalls}) WHERE segmentId IN
       (SELECT segmentId FROM (${billedCalls}) WHERE stage = 'verify' AND model = ?)`,
    )
    .pluck()
    .get(verifier);
  const sql = `SELECT DISTINCT segmentId, turns, chars FROM (${billedCalls}) WHERE stage = 'compile' AND startedAt >= ?`;
  return db.prepare(sql).all(since) as Compiled[];
}

export interface Settled {
  /** That were compiled by calls whose cost is known. */
  segments: number;
  /** What was to be expected of them, by assumption and at the prices of their day. */
  estimatedUsd: Range;
  settledUsd: number;
}

interface Recorded {
  stage: 'compile' | 'verify';
  provider: string;
  model: string;
  serviceTier: string;
  startedAt: string;
  turns: number;
  chars: number;
  costUsd: number | null;
  unknown: number;
}

/** Null where no model was called, or no call has both a price and a cost. */
export function settledAgainstEstimate(
  db: SqliteDatabase,
  options: { prices: PriceTable; windowTokens: number },
): Settled | null {
  const rows = db
    .prepare(
      `SELECT stage, provider, model, serviceTier, min(startedAt) AS startedAt, turns, chars, segmentId,
              sum(costUsd) AS costUsd, count(*) - count(costUsd) AS unknown
       FROM (${billedCalls}) GROUP BY segmentId, stage, model`,
    )
    .all() as (Recorded & { segmentId: string })[];
  const expected: Range[] = [];
  const segments = new Set<string>();
  let settledUsd = 0;
  for (const row of rows) {
    const range = row.unknown > 0 ? null : expectedOf(row, options);
    if (range === null || row.costUsd === null) continue;
    expected.push(range);
    segments.add(row.segmentId);
    settledUsd += row.costUsd;
  }
  return expected.length === 0 ? null : { segments: segments.size, estimatedUsd: sumOf(expected), settledUsd };
}

function expectedOf(
  { stage, provider, model, serviceTier, startedAt, turns, chars }: Recorded,
  { prices, windowTokens }: { prices: PriceTable; windowTokens: number },
): Range | null {
  const size = sizeOf(turns, chars);
  const capability = capabilityOf(model);
  const windowChars = windowTokens * 4;
  const tokens =
    stage === 'compile'
      ? assumedCompile(size, capability)
      : assumedVerify(size, capability, { windowChars, share: { low: 1, high: 1 } });
  return createPriceOf(serviceTier, { prices, at: new Date(startedAt) })(
    { model, billing: billingOf(provider) },
    tokens,
  );
}

/** Only what has list prices was estimated. */
function billingOf(provider: string): Billing {
  if (provider === 'gemini' || provider === 'vertex') return googleBilling;
  return { ...googleBilling, list: { providerId: provider } };
}
