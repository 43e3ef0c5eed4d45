/**
 * Trajectory → Compiled: redact, segment, choose, propose, gates, verify. What a segment gave is on disk before it is
 * handed on.
 */
import {
  type Compiled,
  type CompilerVersion,
  compilerKey,
  type ModelCall,
  type QaPair,
  type SegmentOutcome,
  type Trajectory,
  type Verification,
} from '../records.ts';
import { type Assembly, costShare, pairOf, rejectedOf } from './assemble.ts';
import { BudgetRefusal } from './budget/budget.ts';
import type { CallStore, SegmentKey, SegmentResult } from './calls.ts';
import type { Compiler, Proposal, SegmentView } from './compiler.ts';
import type { Coverage } from './coverage/coverage.ts';
import { type Recompute, recomputeShared } from './derivation.ts';
import { digestOf } from './digest.ts';
import { type GateResult, runGates } from './gates/run.ts';
import type { SegmentReason } from './reasons.ts';
import { rebase } from './rebase.ts';
import { type Redactor, redactOrPark } from './redact/redactor.ts';
import { defaultWindowTokens, segmentTrajectory } from './segment.ts';
import type { Verifier } from './verify/verifier.ts';

/**
 * Raised when the gates judge differently: known segments are then judged again, by recorded answers where a model gave
 * them, which costs nothing.
 */
export const gatesVersion = 'gates/2';

/** Two supporting turns with a gap between them need a third. */
const minEvidenceTurns = 3;

export interface CompileStageOptions {
  compiler: Compiler;
  calls: CallStore;
  redactor: Redactor;
  /** Runs the derivations that this compiler's pairs carry; the shared operations where it is not given. */
  recompute?: Recompute;
  /** What a model is sent at once. Rules always see the whole trajectory. */
  windowTokens?: number;
  /** Which segments are compiled; all where it is not given. */
  coverage?: Coverage | null;
  /** Looks at what the gates let through and nothing has proved. */
  verifier?: Verifier | null;
  /** How long a trajectory waits for a day's or a month's money before it is skipped. */
  patienceMs?: number;
  /** Hears how long a step took that was taken and did not fail: for metrics. */
  onStage?: (stage: CompileStep, seconds: number) => void;
  /** Hears what a segment gave, once: what is known, or was recorded by another worker first, is not told. For metrics. */
  onSegment?: (result: SegmentResult) => void;
  now?: () => Date;
}

/** `redact` of a trajectory; the others of a segment. `store` is what keeps its result on disk. */
export type CompileStep = 'redact' | 'propose' | 'gates' | 'verify' | 'store';

export interface CompileStage {
  readonly version: CompilerVersion;
  /**
   * Compiles a trajectory; segments that are known are taken from the call store, unless `force`.
   *
   * @throws BudgetRefusal where a cap of the day or the month is reached; OperatorError `retry` where a model may answer
   * later (finished segments are kept), `stop` where only an operator can help (a refused key, an exhausted quota),
   * `park` where this trajectory alone can't be compiled.
   */
  compileTrajectory(trajectory: Trajectory, signal: AbortSignal, options?: { force?: boolean }): Promise<Compiled>;
}

export function createCompileStage(options: CompileStageOptions): CompileStage {
  const { compiler, calls, redactor, recompute = recomputeShared, now = () => new Date() } = options;
  const { coverage = null, verifier = null, patienceMs = Number.POSITIVE_INFINITY } = options;
  const { onStage = () => {}, onSegment = () => {} } = options;
  const { version } = compiler;
  const windowTokens = version.kind === 'rules' ? null : (options.windowTokens ?? defaultWindowTokens);
  const stored = digestOf(compilerKey(version), gatesVersion);
  const keyOf = ({ segment }: SegmentView): SegmentKey => ({
    sessionId: segment.sessionId,
    fingerprint: segment.fingerprint,
    version: stored,
  });
  const viewsOf = (trajectory: Trajectory) => segmentTrajectory(trajectory, { windowTokens });

  async function timed<T>(step: CompileStep, work: () => T | Promise<T>): Promise<T> {
    const from = performance.now();
    const result = await work();
    onStage(step, (performance.now() - from) / 1000);
    return result;
  }

  async function compileSegment(view: SegmentView, signal: AbortSignal, fresh: boolean): Promise<SegmentResult> {
    if (!fresh && coverage !== null && !isTooShort(view) && !(await coverage.admits(view)))
      return skipped(view, 'coverage');
    try {
      const result = await proposeAndJudge(view, signal, fresh);
      const recorded = await timed('store', () => calls.settle(keyOf(view), result, { replace: fresh }));
      if (recorded === result) onSegment(result);
      // Where another worker was first, its result is the one that both publish.
      return rebase(recorded, view);
    } catch (error) {
      if (isWaitedFor(error)) throw error;
      return skipped(view, 'budget');
    }
  }

  /** All but a cap that no waiting helps against, or that was waited for long enough. */
  function isWaitedFor(error: unknown): boolean {
    if (!(error instanceof BudgetRefusal)) return true;
    const comesBack = error.scope === 'day' || error.scope === 'month';
    return comesBack && now().getTime() - error.since.getTime() < patienceMs;
  }

  async function proposeAndJudge(view: SegmentView, signal: AbortSignal, fresh: boolean): Promise<SegmentResult> {
    const proposal = isTooShort(view)
      ? tooShort
      : await timed('propose', () => compiler.propose(view, signal, { fresh }));
    const gates = await judge(proposal, view);
    const createdAt = now().toISOString();
    const sourceModel = proposal.calls.findLast(({ model }) => model !== null)?.model ?? version.model;
    const scrub = (text: string) => redactor.scrub(text);
    const assembly = { view, version, calls: proposal.calls, sourceModel, createdAt, scrub };
    const { verdicts, calls: verifying } = await verify(gates, assembly, signal, fresh);
    const made = merge(await calls.unsettled(view.segment.id), [...proposal.calls, ...verifying]);
    return resultOf(proposal, gates, verdicts, { ...assembly, calls: made });
  }

  async function judge({ drafts }: Proposal, view: SegmentView): Promise<GateResult> {
    if (drafts.length === 0) return { passed: [], refused: [] };
    return timed('gates', () => runGates(drafts, view, { recompute, leaks: (text) => redactor.leaks(text) }));
  }

  /** Verdicts by pair key, of those pairs that no code has proved and no gate holds back. */
  async function verify(gates: GateResult, assembly: Assembly, signal: AbortSignal, fresh: boolean) {
    const due = gates.passed.map((passed) => pairOf(passed, null, assembly)).filter(isUnverified);
    if (verifier === null || due.length === 0) return { verdicts: new Map<string, Verification>(), calls: [] };
    try {
      const { verdicts, calls: made } = await timed('verify', () =>
        verifier.verify(due, assembly.view, signal, { fresh }),
      );
      return { verdicts: new Map(due.map(({ pairKey }, at) => [pairKey, verdicts[at]!])), calls: made };
    } catch (error) {
      if (isWaitedFor(error)) throw error;
      // What was proposed is paid for: `verify` may look at it with money of another day.
      const unseen: Verification = { status: 'unverified', reason: 'budget' };
      return { verdicts: new Map(due.map(({ pairKey }) => [pairKey, unseen])), calls: [] };
    }
  }

  /** Not recorded: asked for by session it is compiled after all. */
  async function skipped(view: SegmentView, reason: (typeof passedOver)[number]): Promise<SegmentResult> {
    return {
      spec: 'segment_result/1',
      outcome: { segment: view.segment, outcome: 'skipped', reason },
      pairs: [],
      rejected: [],
      calls: await calls.unsettled(view.segment.id),
      compiledAt: now().toISOString(),
    };
  }

  return {
    version,
    async compileTrajectory(original, signal, { force = false } = {}) {
      const { trajectory, counts } = await timed('redact', () => redactOrPark(redactor, original));
      const results: SegmentResult[] = [];
      for (const view of viewsOf(trajectory)) {
        signal.throwIfAborted();
        const known = force ? null : await calls.segment(keyOf(view));
        results.push(known === null ? await compileSegment(view, signal, force) : rebase(known, view));
      }
      // Not before the trajectory is done: what is passed over is passed over again at each attempt.
      for (const result of results) if (isPassedOver(result)) onSegment(result);
      return compiledOf(trajectory, version, results, counts);
    },
  };
}

const isUnverified = ({ verification }: QaPair) => verification.status === 'unverified';

/** Why a segment is left out for now, unrecorded. */
const passedOver = ['coverage', 'budget'] as const satisfies SegmentReason[];

function isPassedOver({ outcome: { reason } }: SegmentResult): boolean {
  return passedOver.some((each) => each === reason);
}

const tooShort: Proposal = { drafts: [], calls: [], malformed: [], emptyReason: 'too_few_turns' };

function isTooShort({ turns }: SegmentView): boolean {
  return turns.filter(({ bearsEvidence }) => bearsEvidence).length < minEvidenceTurns;
}

function resultOf(
  proposal: Proposal,
  gates: GateResult,
  verdicts: ReadonlyMap<string, Verification>,
  assembly: Assembly,
): SegmentResult {
  const share = costShare(assembly.calls, gates.passed.length);
  const pairs = gates.passed.map((passed) => {
    const pair = pairOf(passed, share, assembly);
    return { ...pair, verification: verdicts.get(pair.pairKey) ?? pair.verification };
  });
  return {
    spec: 'segment_result/1',
    outcome: outcomeOf(proposal, pairs.length, assembly.view),
    pairs,
    rejected: rejectedOf(gates, proposal.malformed, assembly),
    calls: [...assembly.calls],
    compiledAt: assembly.createdAt,
  };
}

const outcomeByReason: Partial<Record<string, SegmentOutcome['outcome']>> = {
  no_structure: 'no_structure',
  all_rejected: 'no_structure',
  too_few_turns: 'skipped',
} satisfies Partial<Record<SegmentReason, SegmentOutcome['outcome']>>;

function outcomeOf(proposal: Proposal, pairs: number, { segment }: SegmentView): SegmentOutcome {
  if (pairs > 0) return { segment, outcome: 'compiled', reason: null };
  const proposed = proposal.drafts.length + proposal.malformed.length;
  const reason = proposal.emptyReason ?? (proposed > 0 ? 'all_rejected' : 'no_structure');
  return { segment, outcome: outcomeByReason[reason] ?? 'failed', reason };
}

/** The calls of earlier attempts first; one that is in both lists counts once. */
function merge(earlier: readonly ModelCall[], latest: readonly ModelCall[]): ModelCall[] {
  return [...new Map([...earlier, ...latest].map((call) => [call.id, call])).values()];
}

function compiledOf(
  trajectory: Trajectory,
  compiler: CompilerVersion,
  results: readonly SegmentResult[],
  redactions: Record<string, number>,
): Compiled {
  return {
    spec: 'compiled/1',
    trajectory,
    compiler,
    segments: results.map(({ outcome }) => outcome),
    pairs: results.flatMap(({ pairs }) => pairs),
    rejected: results.flatMap(({ rejected }) => rejected),
    calls: results.flatMap(({ calls }) => calls),
    redactions,
    // Of the segments, not of this moment: a redelivered trajectory gives the same record again.
    compiledAt:
      results
        .map((result) => result.compiledAt)
        .sort()
        .at(-1) ?? '',
  };
}
