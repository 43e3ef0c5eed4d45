/** Pairs drawn from the dataset, each with the turns that support it. */
import { createHash } from 'node:crypto';
import type { Evidence } from '../records.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { turnAt } from './turns.ts';

export interface SampleOptions {
  limit: number;
  qaType?: string;
  agent?: string;
  sessionId?: string;
  /** `proved`, `pass`, …: any of these; without it pairs of any. */
  verification?: readonly string[];
  /** Those too that ask what others of their week ask. */
  duplicates?: boolean;
  /** The same seed draws the same pairs, as long as the dataset does not change. Default 0. */
  seed?: number;
}

export interface SupportingTurn {
  /** Index in the trajectory. */
  turn: number;
  rowKey: string | null;
  agent: string | null;
  tool: string | null;
  /** As the row holds it, JSON text mostly; null too where the turn is not in the dataset, or not yet. */
  arguments: string | null;
  response: string | null;
  quotes: string[];
}

export interface SampledPair {
  id: string;
  sessionId: string | null;
  trajectoryId: string | null;
  part: number | null;
  agent: string | null;
  turnCount: number | null;
  question: string | null;
  answer: string | null;
  qaType: string | null;
  verification: string;
  verificationReason: string | null;
  sourceModel: string | null;
  costUsd: number | null;
  createdAt: string | null;
  /** Key of the pair that it is a duplicate of; null where it is in view. */
  duplicateOf: string | null;
  supportingTurns: SupportingTurn[];
}

interface PairRow extends Omit<SampledPair, 'supportingTurns'> {
  supporting: string | null;
  evidence: string | null;
}

/** Active pairs in an order drawn by the seed. */
export function samplePairs(db: SqliteDatabase, options: SampleOptions): SampledPair[] {
  const keys = draw(matchingKeys(db, options), options.limit, options.seed ?? 0);
  const one = db.prepare(
    `SELECT id, session_id AS sessionId, trajectory_id AS trajectoryId, part, agent, turn_count AS turnCount, question,
            answer, qa_type AS qaType, verification, verification_reason AS verificationReason,
            source_model AS sourceModel, cost_usd AS costUsd, created_at AS createdAt, duplicate_of AS duplicateOf,
            supporting_turns AS supporting, evidence
     FROM qa_pairs WHERE pair_key = ?`,
  );
  return keys.map((key) => {
    const { supporting, evidence, ...pair } = one.get(key) as PairRow;
    return { ...pair, supportingTurns: supportOf(db, pair.trajectoryId, supporting, evidence) };
  });
}

/** What an export takes: what code has proved, or another model found right. */
export const exported = ['proved', 'pass'];

/** As {@link samplePairs}, of what an export takes; `unverified` pairs where there is no such one. */
export function sampleExported(
  db: SqliteDatabase,
  options: Omit<SampleOptions, 'verification'>,
): { pairs: SampledPair[]; verified: boolean } {
  const verified = samplePairs(db, { ...options, verification: exported });
  if (verified.length > 0) return { pairs: verified, verified: true };
  return { pairs: samplePairs(db, { ...options, verification: ['unverified'] }), verified: false };
}

function matchingKeys(db: SqliteDatabase, options: SampleOptions): string[] {
  const { qaType, agent, sessionId, verification, duplicates = false } = options;
  const wanted = Object.entries({ qa_type: qaType, agent, session_id: sessionId }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const conditions = [
    "status = 'active'",
    ...(duplicates ? [] : ['duplicate_of IS NULL']),
    ...(verification === undefined ? [] : ['verification IN (SELECT value FROM json_each(@verification))']),
    ...wanted.map(([column]) => `${column} = @${column}`),
  ];
  return db
    .prepare(`SELECT pair_key FROM qa_pairs WHERE ${conditions.join(' AND ')}`)
    .pluck()
    .all({ ...Object.fromEntries(wanted), verification: JSON.stringify(verification ?? []) }) as string[];
}

/** By hash, not by chance: a pair that is added moves no other. */
function draw(keys: string[], limit: number, seed: number): string[] {
  const ranked = keys.map((key) => ({ key, rank: createHash('sha256').update(`${seed} ${key}`).digest('hex') }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  return ranked.slice(0, limit).map(({ key }) => key);
}

function supportOf(
  db: SqliteDatabase,
  trajectoryId: string | null,
  supporting: string | null,
  evidence: string | null,
): SupportingTurn[] {
  const quotes = listOf(evidence) as Evidence[];
  return listOf(supporting)
    .filter((index): index is number => Number.isInteger(index))
    .map((index) => {
      const turn = trajectoryId === null ? null : turnAt(db, trajectoryId, index);
      return {
        turn: index,
        rowKey: turn?.rowKey ?? null,
        agent: turn?.agent ?? null,
        tool: turn?.tool ?? null,
        arguments: turn?.arguments ?? null,
        response: turn?.response ?? null,
        quotes: quotes.filter((it) => it.turn === index).map(({ quote }) => quote),
      };
    });
}

/** Pairs from before this program may hold another text here. */
function listOf(json: string | null): unknown[] {
  try {
    const value: unknown = JSON.parse(json ?? '[]');
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
