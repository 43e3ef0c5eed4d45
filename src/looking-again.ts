/** Pairs of one stored trajectory before the gates of today, then before the verifier. */
import { gatesVersion } from './compile/compile.ts';
import type { DraftPair, SegmentView } from './compile/compiler.ts';
import { recomputeShared } from './compile/derivation.ts';
import { type PassedPair, runGates } from './compile/gates/run.ts';
import { recompute } from './compile/rules/recompute.ts';
import { createView, segmentTrajectory } from './compile/segment.ts';
import type { Verdicts, Verifier } from './compile/verify/verifier.ts';
import { type DuePair, groupedBy } from './due-pairs.ts';
import type { ModelCall, QaPair, Trajectory, Verification, Verified } from './records.ts';

export interface Judges {
  /** Null where no model is configured to verify: the gates look alone. */
  verifier: Verifier | null;
  /** Kinds of personal data or secrets that stand in a text for certain. */
  leaks: (text: string) => string[];
  /** What a model is sent at once. */
  windowTokens: number;
  now?: () => Date;
}

/**
 * The pairs that have a new verdict, and the calls that it took; a pair of which nothing new can be said is not among
 * them. What a gate refuses now is no longer asked about.
 *
 * @throws OperatorError as the verifier does.
 */
export async function lookAgain(
  trajectory: Trajectory,
  due: readonly DuePair[],
  judges: Judges,
  signal: AbortSignal,
): Promise<Verified> {
  const { now = () => new Date() } = judges;
  const pairs: QaPair[] = [];
  const calls: ModelCall[] = [];
  for (const ofSegment of groupedBy(due, ({ segment, kind }) => `${kind} ${segment.id}`).values()) {
    const view = viewOf(trajectory, ofSegment[0]!, judges.windowTokens);
    const open: QaPair[] = [];
    for (const { pair, kind } of ofSegment) {
      const verification = gateVerdict(pair, kind, view, { ...judges, at: now().toISOString() });
      if (verification === 'open') open.push(pair);
      else pairs.push({ ...pair, verification });
    }
    const asked = await ask(open, view, judges, signal);
    pairs.push(...asked.pairs);
    calls.push(...asked.calls);
  }
  const { id, sessionId } = trajectory;
  return { spec: 'verified/1', trajectoryId: id, sessionId, pairs, calls, verifiedAt: now().toISOString() };
}

/** `open`: the gates neither refuse nor prove it. */
function gateVerdict(
  pair: QaPair,
  kind: DuePair['kind'],
  view: SegmentView,
  { leaks, at }: Pick<Judges, 'leaks'> & { at: string },
): Verification | 'open' {
  // One by one: which of two that ask the same is kept was decided when they were compiled.
  const options = { recompute: kind === 'rules' ? recompute : recomputeShared, leaks };
  const { passed, refused } = runGates([draftOf(pair)], view, options);
  const told = { version: gatesVersion, at };
  const [refusal] = refused;
  if (refusal !== undefined) return { status: 'fail', reason: refusal.reason, ...told };
  const { held, recomputed } = passed[0] as PassedPair;
  if (held !== null) return { status: 'held', reason: held, ...told };
  return kind === 'rules' && recomputed ? { status: 'proved', reason: null, ...told } : 'open';
}

async function ask(open: readonly QaPair[], view: SegmentView, judges: Judges, signal: AbortSignal) {
  if (open.length === 0) return { pairs: [], calls: [] };
  if (judges.verifier === null) return { pairs: open.filter(wasGated).map(withoutVerdict(judges)), calls: [] };
  const known = await judges.verifier.verify(open, view, signal);
  const { verdicts, calls } = isKnownError(known)
    ? await judges.verifier.verify(open, view, signal, { fresh: true })
    : known;
  return { pairs: open.map((pair, at) => ({ ...pair, verification: verdicts[at]! })), calls };
}

/** An answer that could not be used is recorded as any other: it is asked for anew, or it would never be another. */
function isKnownError({ verdicts, calls }: Verdicts): boolean {
  const isKnown = calls.length > 0 && calls.every(({ outcome }) => outcome === 'reused');
  return isKnown && verdicts.some(({ status }) => status === 'error');
}

/** What a gate of before refused or held passes now; a model's verdict stands though no model can be asked. */
function wasGated({ verification: { status, version } }: QaPair): boolean {
  return (status === 'fail' || status === 'held') && (version === undefined || version.startsWith('gates/'));
}

function withoutVerdict({ now = () => new Date() }: Judges): (pair: QaPair) => QaPair {
  const at = now().toISOString();
  return (pair) => ({ ...pair, verification: { status: 'unverified', reason: null, version: gatesVersion, at } });
}

function draftOf(pair: QaPair): DraftPair {
  const { question, answer, qaType, supportingTurns, evidence, derivation } = pair;
  return { question, answer, qaType, supportingTurns, evidence, derivation, raw: pair.rawExtraction };
}

/** As it was compiled; where windows are cut otherwise by now, the same turns, whole. */
function viewOf(trajectory: Trajectory, { segment, kind }: DuePair, windowTokens: number): SegmentView {
  const views = segmentTrajectory(trajectory, { windowTokens: kind === 'rules' ? null : windowTokens });
  const same = views.find((view) => view.segment.id === segment.id);
  if (same !== undefined) return same;
  const turns = createView(trajectory).turns.slice(segment.firstTurn, segment.lastTurn + 1);
  return { trajectory, segment, turns };
}
