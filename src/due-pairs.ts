/** Pairs of the dataset that are due to be looked at again, as the records they were written from. */
import { type QaPair, qaPairSchema, type Segment, segmentSchema } from './records.ts';
import type { SqliteDatabase } from './sqlite.ts';

export interface DueOptions {
  /** ISO 8601, UTC: pairs compiled at or after it. */
  since: string;
  /** Pairs at most, the newest. */
  limit: number;
  /** Every pair that is not proved, whatever looked at it before. */
  all: boolean;
  /** Versions whose verdicts stand: those of the gates and of the verifier as they are now. */
  versions: readonly string[];
}

export interface DuePair {
  pair: QaPair;
  segment: Segment;
  /** What kind of compiler wrote it: by that its derivation is recomputed and its turns were cut into segments. */
  kind: 'rules' | 'llm';
}

type PairRow = Record<string, string | number | null>;

const standing = `verification NOT IN ('unverified', 'error') AND verdict_version IN (SELECT value FROM json_each(@versions))`;

/**
 * Newest first: those that are in force and without a verdict, with an error for one, or with a verdict of another
 * version. Not those that were in the file before this program: their turns are not known.
 */
export function duePairs(db: SqliteDatabase, { since, limit, all, versions }: DueOptions): DuePair[] {
  const rows = db
    .prepare(
      `SELECT p.*, s.first_turn, s.last_turn, s.fingerprint, s.topic, s.metrics, s.share_seen
       FROM qa_pairs AS p JOIN segments AS s ON s.id = p.segment_id AND s.compiler_version = p.compiler_version
       WHERE p.status = 'active' AND p.created_at >= @since
         AND (coalesce(NOT (${standing}), 1)${all ? " OR p.verification <> 'proved'" : ''})
       ORDER BY p.created_at DESC, p.pair_key LIMIT @limit`,
    )
    // To the second: what stands behind it is written with three digits or with six.
    .all({ since: since.slice(0, 19), limit, versions: JSON.stringify(versions) }) as PairRow[];
  return rows.map(dueOf);
}

function dueOf(row: PairRow): DuePair {
  const kind = String(row.compiler_version).startsWith('rules ') ? 'rules' : 'llm';
  return { pair: pairOf(row), segment: segmentOf(row), kind };
}

function pairOf(row: PairRow): QaPair {
  const json = (cell: string | number | null | undefined) => (cell == null ? null : JSON.parse(String(cell)));
  return qaPairSchema.parse({
    spec: 'qa_pair/1',
    pairKey: row.pair_key,
    segmentId: row.segment_id,
    trajectoryId: row.trajectory_id,
    sessionId: row.session_id,
    part: row.part,
    agent: row.agent,
    turnCount: row.turn_count,
    question: row.question,
    answer: row.answer,
    supportingTurns: json(row.supporting_turns),
    evidence: json(row.evidence),
    qaType: row.qa_type,
    derivation: json(row.derivation),
    verification: {
      status: row.verification,
      reason: row.verification_reason,
      ...(row.verdict_version === null ? {} : { version: row.verdict_version }),
      ...(row.verified_at === null ? {} : { at: row.verified_at }),
      ...(row.same_family === null ? {} : { sameFamily: row.same_family === 1 }),
    },
    portable: row.portable === 1,
    sourceModel: row.source_model,
    requestedModel: row.requested_model,
    promptVersion: row.prompt_version,
    costUsd: row.cost_usd,
    rawExtraction: row.raw_extraction,
    createdAt: row.created_at,
  });
}

function segmentOf(row: PairRow): Segment {
  return segmentSchema.parse({
    id: row.segment_id,
    trajectoryId: row.trajectory_id,
    sessionId: row.session_id,
    firstTurn: row.first_turn,
    lastTurn: row.last_turn,
    fingerprint: row.fingerprint,
    topic: row.topic,
    metrics: JSON.parse(String(row.metrics)),
    shareSeen: row.share_seen,
  });
}

/** In the order of each key's first pair. */
export function groupedBy(due: readonly DuePair[], keyOf: (due: DuePair) => string): Map<string, DuePair[]> {
  const groups = new Map<string, DuePair[]>();
  for (const one of due) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return groups;
}
