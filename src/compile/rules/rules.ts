/** The compiler without a model: pairs that are true by construction, each with a derivation that code recomputes. */
import type { CompilerVersion } from '../../records.ts';
import type { Compiler, Proposal, SegmentView } from '../compiler.ts';
import { callsOf } from './call.ts';
import type { Candidate } from './candidate.ts';
import { checksIn } from './check.ts';
import { choose } from './choose.ts';
import { aroundAction } from './families/around-action.ts';
import { beforeAfter } from './families/before-after.ts';
import { bridge } from './families/bridge.ts';
import { count } from './families/count.ts';
import { difference } from './families/difference.ts';
import { duration } from './families/duration.ts';
import { exclusion } from './families/exclusion.ts';
import { handoff } from './families/handoff.ts';
import { intervention } from './families/intervention.ts';
import { narrated } from './families/narrated.ts';
import { order } from './families/order.ts';
import { recordChange } from './families/record-change.ts';
import { recordSet } from './families/record-set.ts';
import { recovery } from './families/recovery.ts';
import { shellRecovery } from './families/shell-recovery.ts';
import { thingsIn } from './things.ts';

/** Raised when a family, a template or a guard changes what is proposed: segments are then compiled anew. */
export const rulesVersion = 'rules/2';

export interface RulesOptions {
  /** Pairs a segment at most, 1 to 5. */
  maxPairs?: number;
  /** Name of the redaction policy that the turns went through, a part of the compiler's version. */
  redaction?: string;
}

export function createRulesCompiler(options: RulesOptions = {}): Compiler {
  const { maxPairs = 5, redaction = 'off' } = options;
  const version: CompilerVersion = {
    kind: 'rules',
    tier: 'rules',
    model: 'rules',
    promptVersion: rulesVersion,
    redaction,
  };
  return { version, propose: async (view) => propose(view, maxPairs) };
}

function propose(view: SegmentView, maxPairs: number): Proposal {
  const drafts = choose(candidatesOf(view), view, maxPairs);
  return { drafts, calls: [], malformed: [], emptyReason: drafts.length === 0 ? 'no_structure' : null };
}

/** Every question that the families find, before the choice. */
export function candidatesOf(view: SegmentView): Candidate[] {
  const calls = callsOf(view);
  const checks = checksIn(calls);
  const things = thingsIn(calls);
  return [
    ...intervention(calls, checks),
    ...aroundAction(calls, checks),
    ...recovery(calls),
    ...shellRecovery(calls),
    ...recordChange(calls, things),
    ...recordSet(calls, things),
    ...difference(checks),
    ...bridge(calls, things),
    ...exclusion(calls, view),
    ...beforeAfter(checks),
    ...handoff(calls, view),
    ...narrated(calls, view),
    ...count(calls, view),
    ...order(calls),
    ...duration(checks),
  ];
}
