/** The dataset in numbers. What is superseded is counted as such and nowhere else; unknown cost is never 0. */
import type { SqliteDatabase } from '../sqlite.ts';

export type Counts = Record<string, number>;

export interface ModelUse {
  /** The model that answered, else the one that was asked. */
  model: string;
  stage: string;
  calls: number;
  /** Of them, without a usable answer. */
  failed: number;
  promptTokens: number;
  cachedTokens: number;
  outputTokens: number;
  thinkingTokens: number;
  /** Sum of the calls whose cost is known; null where it is of none. */
  costUsd: number | null;
  unknownCostCalls: number;
}

export interface DayOfWork {
  /** UTC, `2026-03-02`; null for pairs from before this program that have no date. */
  day: string | null;
  pairs: number;
  calls: number;
  costUsd: number | null;
  unknownCosts: number;
}

export interface DatasetStats {
  /** In force and in view: without those that ask what others of their agent and week ask. */
  pairs: number;
  rejected: number;
  sessions: number;
  agents: string[];
  trajectories: number;
  trajectoriesWithPairs: number;
  turns: number;
  /** In force and not in view. */
  duplicates: number;
  pairsByType: Counts;
  pairsByVerification: Counts;
  pairsByStatus: Counts;
  rejectionsByReason: Counts;
  segments: { outcome: string; reason: string | null; segments: number }[];
  models: ModelUse[];
  days: DayOfWork[];
  /** Of all calls, and of pairs that were here before this program. Null where there is cost and all of it is unknown. */
  costUsd: number | null;
  costPerPairUsd: number | null;
  /** Calls, and pairs from before, that are missing in `costUsd`. */
  unknownCosts: number;
}

export interface DatasetTotals {
  /** In force and in view. */
  pairs: number;
  rejected: number;
  costUsd: number | null;
  unknownCosts: number;
}

// Everything that was paid for, once: calls, and pairs whose calls are not recorded.
const expenses = `
  SELECT substr(started_at, 1, 10) AS day, cost_usd, 1 AS calls FROM llm_calls
  UNION ALL SELECT substr(created_at, 1, 10), cost_usd, 0 FROM qa_pairs WHERE segment_id IS NULL`;

export const inView = "status = 'active' AND duplicate_of IS NULL";

export function datasetTotals(db: SqliteDatabase): DatasetTotals {
  const count = (table: string, where: string) =>
    db.prepare(`SELECT count(*) FROM ${table} WHERE ${where}`).pluck().get() as number;
  const spent = db
    .prepare(`SELECT count(*) AS items, sum(cost_usd) AS usd, count(*) - count(cost_usd) AS unknown FROM (${expenses})`)
    .get() as { items: number; usd: number | null; unknown: number };
  return {
    pairs: count('qa_pairs', inView),
    rejected: count('rejections', "status = 'active'"),
    costUsd: spent.items === 0 ? 0 : spent.usd,
    unknownCosts: spent.unknown,
  };
}

/** Those with most pairs first. */
export function busiestAgents(db: SqliteDatabase, most: number): string[] {
  return db
    .prepare('SELECT agent FROM qa_pairs WHERE agent IS NOT NULL GROUP BY agent ORDER BY count(*) DESC, agent LIMIT ?')
    .pluck()
    .all(most) as string[];
}

export function datasetStats(db: SqliteDatabase): DatasetStats {
  // One state of the file for all queries, however busily it is written.
  return db.transaction((): DatasetStats => {
    const totals = datasetTotals(db);
    return {
      ...totals,
      ...extent(db),
      pairsByType: countBy(db, 'qa_pairs', 'qa_type', inView),
      pairsByVerification: countBy(db, 'qa_pairs', 'verification', inView),
      pairsByStatus: countBy(db, 'qa_pairs', 'status', 'true'),
      rejectionsByReason: countBy(db, 'rejections', 'reason'),
      segments: segmentOutcomes(db),
      models: modelUses(db),
      days: daysOfWork(db),
      costPerPairUsd: totals.costUsd === null || totals.pairs === 0 ? null : totals.costUsd / totals.pairs,
    };
  })();
}

function extent(db: SqliteDatabase) {
  const row = db
    .prepare(
      `SELECT (SELECT count(*) FROM sessions) + (SELECT count(DISTINCT session_id) FROM qa_pairs p
                WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.session_id = p.session_id)) AS sessions,
              (SELECT count(*) FROM trajectories) AS trajectories,
              (SELECT coalesce(sum(turn_count), 0) FROM trajectories) AS turns,
              (SELECT count(DISTINCT trajectory_id) FROM qa_pairs WHERE status = 'active') AS trajectoriesWithPairs,
              (SELECT count(*) FROM qa_pairs WHERE status = 'active' AND duplicate_of IS NOT NULL) AS duplicates`,
    )
    .get() as Pick<DatasetStats, 'sessions' | 'trajectories' | 'turns' | 'trajectoriesWithPairs' | 'duplicates'>;
  const agents = db
    .prepare(
      `SELECT value FROM sessions, json_each(agents)
       UNION SELECT agent FROM qa_pairs WHERE agent IS NOT NULL ORDER BY 1`,
    )
    .pluck()
    .all() as string[];
  return { ...row, agents };
}

function countBy(db: SqliteDatabase, table: string, column: string, where = "status = 'active'"): Counts {
  const rows = db
    .prepare(
      `SELECT coalesce(${column}, 'unknown'), count(*) FROM ${table} WHERE ${where} GROUP BY 1 ORDER BY 2 DESC, 1`,
    )
    .raw()
    .all() as [string, number][];
  return Object.fromEntries(rows);
}

function segmentOutcomes(db: SqliteDatabase): DatasetStats['segments'] {
  return db
    .prepare(
      `SELECT outcome, reason, count(*) AS segments FROM segments WHERE status = 'active'
       GROUP BY outcome, reason ORDER BY segments DESC, outcome, reason`,
    )
    .all() as DatasetStats['segments'];
}

function modelUses(db: SqliteDatabase): ModelUse[] {
  return db
    .prepare(
      `SELECT coalesce(model, requested_model) AS model, stage, count(*) AS calls,
              count(*) FILTER (WHERE outcome NOT IN ('ok', 'reused')) AS failed,
              coalesce(sum(prompt_tokens), 0) AS promptTokens, coalesce(sum(cached_tokens), 0) AS cachedTokens,
              coalesce(sum(output_tokens), 0) AS outputTokens, coalesce(sum(thinking_tokens), 0) AS thinkingTokens,
              sum(cost_usd) AS costUsd, count(*) - count(cost_usd) AS unknownCostCalls
       FROM llm_calls GROUP BY 1, 2 ORDER BY costUsd DESC, 1, 2`,
    )
    .all() as ModelUse[];
}

function daysOfWork(db: SqliteDatabase): DayOfWork[] {
  return db
    .prepare(
      `SELECT day, sum(pairs) AS pairs, sum(calls) AS calls,
              CASE WHEN sum(items) = 0 THEN 0 ELSE sum(usd) END AS costUsd, sum(unknown) AS unknownCosts
       FROM (SELECT day, 0 AS pairs, sum(calls) AS calls, count(*) AS items, sum(cost_usd) AS usd,
                    count(*) - count(cost_usd) AS unknown FROM (${expenses}) GROUP BY day
             UNION ALL
             SELECT substr(created_at, 1, 10), count(*), 0, 0, NULL, 0 FROM qa_pairs WHERE ${inView} GROUP BY 1)
       GROUP BY day ORDER BY day`,
    )
    .all() as DayOfWork[];
}
