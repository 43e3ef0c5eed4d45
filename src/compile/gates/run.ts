/** All gates that need no model, in order of what they cost. They may only refuse. */
import type { Evidence } from '../../records.ts';
import type { DraftPair, SegmentView } from '../compiler.ts';
import { type Recompute, recomputeShared } from '../derivation.ts';
import type { HeldReason } from '../reasons.ts';
import { checkAnswer } from './answer.ts';
import { checkForm, checkGivenAway, checkLabels, checkLeaks, checkPlaceholders, citedTurns } from './form.ts';
import type { Candidate, GateContext, Refusal } from './gate.ts';
import { checkDerivation, checkGrounding } from './grounding.ts';
import { checkQuestion } from './question.ts';
import { findQuotes } from './quotes.ts';
import { checkDuplicate } from './same-question.ts';
import { checkAskedStates, checkBothTold, checkOtherStates, checkStale } from './stale.ts';
import { checkAdjacentSupport, checkGap, checkLinked, checkQuoted, checkSingleTurn, trimSupport } from './support.ts';
import { heldBack } from './trust.ts';

export interface GateOptions {
  /** Runs derivations again; the shared operations where it is not given. */
  recompute?: Recompute;
  /** Kinds of personal data or secrets that stand in a text for certain; none where it is not given. */
  leaks?: (text: string) => string[];
}

/** A draft that passed, with what the gates found out about it. */
export interface PassedPair {
  draft: DraftPair;
  /** The turns that are needed, ascending. */
  supportingTurns: number[];
  /** Of these turns, with row keys and offsets. */
  evidence: Evidence[];
  /** The answer's derivation was run again and agreed. */
  recomputed: boolean;
  held: HeldReason | null;
}

export interface GateResult {
  passed: PassedPair[];
  refused: (Refusal & { draft: DraftPair })[];
}

export function runGates(drafts: readonly DraftPair[], view: SegmentView, options: GateOptions = {}): GateResult {
  const context: GateContext = {
    view,
    recompute: options.recompute ?? recomputeShared,
    leaks: options.leaks ?? (() => []),
  };
  const result: GateResult = { passed: [], refused: [] };
  for (const draft of drafts) {
    const verdict = judge(draft, context, result.passed);
    if ('reason' in verdict) result.refused.push({ ...verdict, draft });
    else result.passed.push(verdict);
  }
  return result;
}

function judge(draft: DraftPair, context: GateContext, earlier: readonly PassedPair[]): PassedPair | Refusal {
  const { view } = context;
  const malformed = checkForm(draft);
  if (malformed !== null) return malformed;
  const unredacted = checkLeaks(draft, context);
  if (unredacted !== null) return unredacted;
  const turns = citedTurns(draft, view);
  if ('reason' in turns) return turns;
  const evidence = findQuotes(draft, turns);
  if ('reason' in evidence) return evidence;
  const cited: Candidate = { draft, turns, evidence, recomputed: false };
  const untrue =
    checkAnswer(draft) ??
    checkLabels(draft, turns) ??
    checkPlaceholders(draft, view) ??
    checkDerivation(cited, context) ??
    checkGrounding(cited) ??
    checkQuestion(cited, context) ??
    checkAskedStates(cited, context) ??
    checkStale(cited, context) ??
    checkOtherStates(cited, context) ??
    checkBothTold(cited, context) ??
    checkGivenAway(draft);
  if (untrue !== null) return untrue;
  const needed = trimmed(cited);
  const easy =
    checkGap(needed.turns, view, evidence) ??
    checkQuoted(needed, view) ??
    checkLinked(needed) ??
    checkSingleTurn(needed, view) ??
    checkAdjacentSupport(needed, view) ??
    checkDuplicate(
      draft,
      earlier.map((pair) => pair.draft),
    );
  return easy ?? passedPair(needed);
}

function trimmed(candidate: Candidate): Candidate {
  const turns = trimSupport(candidate);
  const needed = new Set(turns.map(({ index }) => index));
  return {
    ...candidate,
    turns,
    evidence: candidate.evidence.filter(({ turn }) => needed.has(turn)),
    recomputed: candidate.draft.derivation !== null,
  };
}

function passedPair(candidate: Candidate): PassedPair {
  const { draft, turns, evidence, recomputed } = candidate;
  return {
    draft,
    supportingTurns: turns.map(({ index }) => index),
    evidence: evidence.toSorted((a, b) => a.turn - b.turn || a.offset - b.offset),
    recomputed,
    held: heldBack(candidate),
  };
}
