/** Gates on need: the answer takes two or more turns that do not simply follow each other. */
import type { Derivation } from '../../records.ts';
import type { RenderedTurn, SegmentView } from '../compiler.ts';
import { contentWords } from '../fold.ts';
import { factsOf, holdsAll, holdsText, mentionsOf, singly, type TurnFacts } from '../mentions.ts';
import { type Candidate, type Refusal, refuse } from './gate.ts';

/**
 * The cited turns without those that add nothing: a turn is needed if a derivation starts from it, if it says something
 * of question or answer that no other cited turn says, or if it leads from one needed turn to another by a value that
 * both hold.
 */
export function trimSupport({ draft, turns, evidence }: Candidate): RenderedTurn[] {
  const pinned = new Set(draft.derivation?.operands.map(({ turn }) => turn));
  const quotes = new Map<number, string>();
  for (const { turn, quote } of evidence) quotes.set(turn, `${quotes.get(turn) ?? ''} ${quote}`.toLowerCase());
  const pair = `${draft.question} ${draft.answer}`;
  const [mentions, words] = [singly(mentionsOf(pair)), contentWords(pair)];
  // Common words stand in any long response: they count only where they are quoted.
  const saysMore = (turn: RenderedTurn, others: readonly TurnFacts[]) =>
    mentions.some((one) => holdsAll(factsOf(turn), one) && !others.some((other) => holdsAll(other, one))) ||
    words.some((word) => quotes.get(turn.index)?.includes(word) && !others.some(({ lower }) => lower.includes(word)));
  let kept = turns.filter(({ index }) => pinned.has(index) || quotes.has(index));
  // The last first: of two turns that say the same, the earlier is where it was learnt.
  for (const turn of kept.toReversed()) {
    const others = kept.filter((other) => other !== turn);
    const bridge = groupsOf(others) > groupsOf(kept);
    if (!pinned.has(turn.index) && !bridge && !saysMore(turn, others.map(factsOf))) kept = others;
  }
  return kept;
}

/** Into how many groups the turns fall, where turns that hold a common value are in one group. */
function groupsOf(turns: readonly RenderedTurn[]): number {
  const groups: Set<string>[] = [];
  for (const turn of turns) {
    const values = valuesOf(turn);
    const joined = groups.filter((group) => values.some((value) => group.has(value)));
    const merged = new Set([...values, ...joined.flatMap((group) => [...group])]);
    for (const group of joined) groups.splice(groups.indexOf(group), 1);
    groups.push(merged);
  }
  return groups.length;
}

function valuesOf({ text, turn }: RenderedTurn): string[] {
  return mentionsOf(text)
    .literals.filter((value) => value !== turn.tool && value !== turn.agent)
    .map((value) => value.toLowerCase());
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
