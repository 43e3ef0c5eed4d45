/** A question that a family proposes, with everything that the choice, the draft and the recomputation need. */
import type { Derivation, Operand, QaType } from '../../records.ts';
import type { DraftPair } from '../compiler.ts';
import type { Call } from './call.ts';
import { quoteOf } from './text.ts';

export type Family =
  | 'intervention'
  | 'before_after'
  | 'bridge'
  | 'recovery'
  | 'difference'
  | 'count'
  | 'duration'
  | 'exclusion'
  | 'order';

/** A value that the answer rests on, and where it is to be quoted. */
export interface Support {
  call: Call;
  operand: Operand;
  /** The key or label that stands near the value. */
  hint: string | null;
}

export interface Candidate {
  family: Family;
  qaType: QaType;
  question: string;
  answer: string;
  support: Support[];
  derivation: Derivation;
  /** What the question is about (a check, a record): at most two pairs of a segment share it. */
  subject: string;
  /** Higher is asked first. */
  worth: number;
  /**
   * What a reader must find to give the answer, where the gates do not look (derivations over the whole session): no
   * turn and no two neighbours may hold all of it. `near` is the label that a value must follow to count.
   */
  needs: { value: string; near: string | null }[];
}

export function support(
  call: Call,
  field: Operand['field'],
  path: string | null,
  value: string,
  hint: string | null = null,
): Support {
  return { call, operand: { turn: call.index, field, path, value }, hint };
}

/** The pair, or null where a value cannot be quoted from the rendering. */
export function draftOf(candidate: Candidate): DraftPair | null {
  const evidence: DraftPair['evidence'] = [];
  for (const { call, operand, hint } of candidate.support) {
    const value = operand.field === 'time' ? call.tool : operand.value;
    const quote = quoteOf(call.turn.text, value, hint);
    if (quote === null) return null;
    if (!evidence.some((one) => one.turn === call.index && one.quote === quote))
      evidence.push({ turn: call.index, quote });
  }
  const { question, answer, qaType, derivation, family } = candidate;
  const supportingTurns = [...new Set(evidence.map((one) => one.turn))].sort((a, b) => a - b);
  const raw = JSON.stringify({
    family,
    question,
    answer,
    qa_type: qaType,
    supporting_turns: supportingTurns,
    evidence,
    derivation,
  });
  return { question, answer, qaType, supportingTurns, evidence, derivation, raw };
}

export function derivation(
  op: Derivation['op'],
  supports: readonly Support[],
  result: string,
  params: Record<string, string> = {},
  scope: Derivation['scope'] = 'operands',
): Derivation {
  return { op, operands: supports.map((one) => one.operand), scope, result, params };
}
