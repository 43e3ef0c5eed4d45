/** From what passed or failed the gates to the records of the dataset. */
import {
  type CompilerVersion,
  compilerKey,
  type ModelCall,
  type QaPair,
  type RejectedPair,
  type Verification,
} from '../records.ts';
import type { DraftPair, Proposal, SegmentView } from './compiler.ts';
import { digestOf } from './digest.ts';
import { normalise } from './fold.ts';
import { holdsPlaceholder } from './gates/form.ts';
import type { GateResult, PassedPair } from './gates/run.ts';

export interface Assembly {
  view: SegmentView;
  version: CompilerVersion;
  /** Every call that was made for the segment. */
  calls: readonly ModelCall[];
  /** The model that answered, else the requested one. */
  sourceModel: string;
  createdAt: string;
  /** Text of a model as it may be stored. */
  scrub: (text: string) => string;
}

export function pairOf(passed: PassedPair, share: number | null, assembly: Assembly): QaPair {
  const { draft } = passed;
  const { view, version, sourceModel, createdAt } = assembly;
  const { trajectory, segment } = view;
  return {
    spec: 'qa_pair/1',
    pairKey: digestOf('pair', segment.sessionId, segment.fingerprint, compilerKey(version), normalise(draft.question)),
    segmentId: segment.id,
    trajectoryId: trajectory.id,
    sessionId: trajectory.sessionId,
    part: trajectory.part,
    agent: actingAgent(view),
    turnCount: trajectory.turns.length,
    question: draft.question.trim().toWellFormed(),
    answer: draft.answer.trim().toWellFormed(),
    supportingTurns: passed.supportingTurns,
    evidence: passed.evidence,
    qaType: draft.qaType,
    derivation: draft.derivation,
    verification: verificationOf(passed, version),
    portable: !holdsPlaceholder(draft.question + draft.answer),
    sourceModel,
    requestedModel: version.model,
    promptVersion: version.promptVersion,
    costUsd: share,
    rawExtraction: assembly.scrub(draft.raw),
    createdAt,
  };
}

/** Only rules know that a pair is true by construction; what a model says stays unverified until another looks at it. */
function verificationOf({ held, recomputed }: PassedPair, { kind }: CompilerVersion): Verification {
  if (held !== null) return { status: 'held', reason: held };
  return { status: kind === 'rules' && recomputed ? 'proved' : 'unverified', reason: null };
}

export function rejectedOf(gates: GateResult, malformed: Proposal['malformed'], assembly: Assembly): RejectedPair[] {
  const seen = new Map<string, number>();
  const { scrub } = assembly;
  const rejected = (raw: string, reason: string, detail: string, draft?: DraftPair): RejectedPair => {
    // The same text proposed twice is two proposals.
    const nth = seen.get(raw) ?? 0;
    seen.set(raw, nth + 1);
    return {
      key: digestOf('rejected', assembly.view.segment.id, compilerKey(assembly.version), raw, String(nth)),
      segmentId: assembly.view.segment.id,
      reason,
      detail: scrub(detail.toWellFormed()),
      question: draft === undefined ? null : scrub(draft.question.toWellFormed()),
      answer: draft === undefined ? null : scrub(draft.answer.toWellFormed()),
      rawExtraction: scrub(raw),
    };
  };
  return [
    ...malformed.map(({ raw, detail }) => rejected(raw, 'schema', detail)),
    ...gates.refused.map(({ draft, reason, detail }) => rejected(draft.raw, reason, detail, draft)),
  ];
}

/** What each of `count` pairs cost; null where any call's cost is unknown, 0 where there was no call. */
export function costShare(calls: readonly ModelCall[], count: number): number | null {
  let sum = 0;
  for (const { costUsd } of calls) {
    if (costUsd === null) return null;
    sum += costUsd;
  }
  return sum / Math.max(1, count);
}

const userPattern = /(^|[._-])(user|human|customer)$/i;

/** The agent that did most of it: in many logs the user's words are rows of their own. */
export function actingAgent({ trajectory }: SegmentView): string | null {
  const counts = new Map<string, number>();
  for (const { agent, tool } of trajectory.turns) {
    if (agent !== null && !userPattern.test(tool ?? '')) counts.set(agent, (counts.get(agent) ?? 0) + 1);
  }
  const [first] = [...counts].sort((a, b) => b[1] - a[1]);
  return first?.[0] ?? trajectory.agents[0] ?? null;
}
