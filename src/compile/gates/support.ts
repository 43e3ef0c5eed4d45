/** Gates on need: the answer takes two or more turns that do not simply follow each other. */
import type { Derivation } from '../../records.ts';
import type { RenderedTurn, SegmentView } from '../compiler.ts';
import { contentWords } from '../fold.ts';
import { factsOf, holdsText, mentionsOf, standsIn, type TurnFacts, textFacts } from '../mentions.ts';
import { type Candidate, type Refusal, refuse } from './gate.ts';

/**
 * The cited turns without those that add nothing: a turn is needed if a derivation starts from it, or if its quotes say
 * something of question or answer that no other cited turn says.
 */
export function trimSupport({ draft, turns, evidence }: Candidate): RenderedTurn[] {
  const pinned = new Set(draft.derivation?.operands.map(({ turn }) => turn));
  const quotes = new Map<number, string>();
  for (const { turn, quote } of evidence) quotes.set(turn, `${quotes.get(turn) ?? ''} ${quote}`);
  let kept = turns.filter(({ index }) => pinned.has(index) || quotes.has(index));
  const items = itemsOf(`${draft.question} ${draft.answer}`);
  // The last first: of two turns that say the same, the earlier is where it was learnt.
  for (const turn of kept.toReversed()) {
    if (pinned.has(turn.index)) continue;
    const quoted = (quotes.get(turn.index) ?? '').toLowerCase();
    const others = kept.filter((other) => other !== turn).map((other) => factsOf(other).lower);
    const adds = items.some((item) => holdsItem(quoted, item) && !others.some((other) => holdsItem(other, item)));
    if (!adds) kept = kept.filter((other) => other !== turn);
  }
  return kept;
}

/** Words are stems, so parts of words count; digits only by themselves. */
function holdsItem(text: string, item: string): boolean {
  return /\d/.test(item) ? standsIn(text, item) : text.includes(item);
}

function itemsOf(text: string): string[] {
  const { literals, names } = mentionsOf(text);
  const digits = text.match(/\d[\d.,:]*\d|\d/g) ?? [];
  return [...new Set([...literals, ...names, ...digits, ...contentWords(text)].map((item) => item.toLowerCase()))];
}

/** Counted over turns that bear evidence: a thought between two turns makes no gap. */
export function checkGap(turns: readonly RenderedTurn[], view: SegmentView): Refusal | null {
  if (turns.length < 2) return refuse('too_few_turns', `${turns.length} of the cited turns is needed`);
  const gap = turns.some((turn, at) => {
    const next = turns[at + 1];
    return next !== undefined && bearingBetween(view, turn.index, next.index) > 0;
  });
  return gap ? null : refuse('adjacent', turns.map(({ index }) => index).join(', '));
}

function bearingBetween({ turns }: SegmentView, after: number, before: number): number {
  return turns.filter(({ index, bearsEvidence }) => bearsEvidence && index > after && index < before).length;
}

/** That a value stands in one turn is no proof where every turn had to be looked at, or where order is asked. */
function needsMore(derivation: Derivation | null): boolean {
  return derivation !== null && (derivation.scope === 'session' || derivation.op === 'order');
}

/** Looks at every turn of the segment, cited or not: whoever reads that one turn needs no other. */
export function checkSingleTurn({ draft }: Candidate, view: SegmentView): Refusal | null {
  if (needsMore(draft.derivation)) return null;
  const found = view.turns.find((turn) => tells(factsOf(turn), draft));
  return found === undefined ? null : refuse('single_turn', `turn ${found.index}`);
}

/** Two evidence-bearing turns that follow each other, with whatever stands between them. */
export function checkAdjacentSupport({ draft }: Candidate, view: SegmentView): Refusal | null {
  if (needsMore(draft.derivation)) return null;
  const bearing = view.turns.filter((turn) => turn.bearsEvidence);
  for (const [at, turn] of bearing.entries()) {
    const next = bearing[at + 1];
    if (next === undefined) break;
    if (tells(bothFacts(turn, next), draft)) return refuse('adjacent_support', `turns ${turn.index} and ${next.index}`);
  }
  return null;
}

function tells(facts: TurnFacts, { question, answer }: { question: string; answer: string }): boolean {
  return holdsText(facts, answer) && holdsText(facts, question);
}

function bothFacts(a: RenderedTurn, b: RenderedTurn): TurnFacts {
  const [left, right] = [factsOf(a), factsOf(b)];
  return {
    folded: '',
    lower: `${left.lower}\n${right.lower}`,
    numbers: new Set([...left.numbers, ...right.numbers]),
    dates: new Set([...left.dates, ...right.dates]),
  };
}

/** For tests and callers that hold plain text. */
export function textTells(text: string, pair: { question: string; answer: string }): boolean {
  return tells(textFacts(text), pair);
}
