/** Gates on need: the answer takes two or more turns that do not simply follow each other. */
import type { Derivation } from '../../records.ts';
import type { DraftPair, RenderedTurn, SegmentView } from '../compiler.ts';
import { contentWords } from '../fold.ts';
import { factsOf, holderOf, holdsAll, mentionsOf, singly, type TurnFacts } from '../mentions.ts';
import { type Candidate, type Refusal, refuse } from './gate.ts';

/** Arguments beyond this are a document that was written. */
const maxCallChars = 2_000;

/** Shorter numbers stand in many turns by chance. */
const minTellingDigits = 4;

/**
 * The cited turns without those that add nothing: a turn is needed if a derivation starts from it, if it says something
 * of question or answer that no other cited turn says, or if it leads from one needed turn to another by a value that
 * both hold.
 */
export function trimSupport({ draft, turns, evidence }: Candidate): RenderedTurn[] {
  const pinned = new Set(draft.derivation?.operands.map(({ turn }) => turn));
  const quotes = new Map<number, string>();
  for (const { turn, quote } of evidence) quotes.set(turn, `${quotes.get(turn) ?? ''} ${quote}`.toLowerCase());
  const said = (turn: RenderedTurn) => `${quotes.get(turn.index)} ${callOf(turn)}`;
  const pair = `${draft.question} ${draft.answer}`;
  const [mentions, words] = [singly(mentionsOf(pair)), contentWords(pair)];
  // Common words stand in any long response: they count only where they are quoted, or say what was called.
  const saysMore = (turn: RenderedTurn, others: readonly TurnFacts[]) =>
    mentions.some((one) => holdsAll(factsOf(turn), one) && !others.some((other) => holdsAll(other, one))) ||
    words.some((word) => said(turn).includes(word) && !others.some(({ lower }) => lower.includes(word)));
  let kept = turns.filter(({ index }) => pinned.has(index) || quotes.has(index));
  // The last first: of two turns that say the same, the earlier is where it was learnt.
  for (const turn of kept.toReversed()) {
    const others = kept.filter((other) => other !== turn);
    const bridge = groupsOf(others).length > groupsOf(kept).length;
    if (!pinned.has(turn.index) && !bridge && !saysMore(turn, others.map(factsOf))) kept = others;
  }
  return kept;
}

/** Agent, tool and arguments, in lower case. */
export function callOf({ turn }: RenderedTurn): string {
  const call = `${turn.agent} ${turn.tool} ${turn.arguments?.slice(0, maxCallChars)}`;
  return `${call} ${call.replace(/[^\p{L}\p{N}]+|(?<=\p{Ll})(?=\p{Lu})/gu, ' ')}`.toLowerCase();
}

/** The turns in groups: those that hold a common value are in one. */
function groupsOf(turns: readonly RenderedTurn[]): RenderedTurn[][] {
  let groups: { values: ReadonlySet<string>; turns: RenderedTurn[] }[] = [];
  for (const turn of turns) {
    const own = valuesOf(turn);
    const joined = groups.filter(({ values }) => [...own].some((value) => values.has(value)));
    const values = new Set([...own, ...joined.flatMap((group) => [...group.values])]);
    groups = groups.filter((group) => !joined.includes(group));
    groups.push({ values, turns: [...joined.flatMap((group) => group.turns), turn] });
  }
  return groups.map((group) => group.turns);
}

const known = new WeakMap<RenderedTurn, ReadonlySet<string>>();

/** Ids, paths and long numbers, in lower case. */
function valuesOf(rendered: RenderedTurn): ReadonlySet<string> {
  let values = known.get(rendered);
  if (values === undefined) {
    const { literals, numbers } = mentionsOf(rendered.text);
    const { tool, agent } = rendered.turn;
    const telling = numbers.filter((number) => number.replace('.', '').length >= minTellingDigits);
    values = new Set(
      [...literals.filter((value) => value !== tool && value !== agent), ...telling].map((value) =>
        value.toLowerCase(),
      ),
    );
    known.set(rendered, values);
  }
  return values;
}

/**
 * Counted over turns that bear evidence: a thought between two turns makes no gap, nor does a turn that is `quoted` too,
 * needed or not.
 */
export function checkGap(
  turns: readonly RenderedTurn[],
  view: SegmentView,
  quoted: readonly { turn: number }[] = [],
): Refusal | null {
  if (turns.length < 2) return refuse('too_few_turns', `${turns.length} of the cited turns is needed`);
  const between = view.turns.filter(
    ({ index, bearsEvidence }) => bearsEvidence && !quoted.some(({ turn }) => turn === index),
  );
  const gap = turns.some((turn, at) => {
    const next = turns[at + 1];
    return next !== undefined && between.some(({ index }) => index > turn.index && index < next.index);
  });
  return gap ? null : refuse('adjacent', turns.map(({ index }) => index).join(', '));
}

/** A turn that is cited but not quoted supports nothing: what is quoted must itself stand apart. */
export function checkQuoted({ turns, evidence }: Candidate, view: SegmentView): Refusal | null {
  const quoted = turns.filter(({ index }) => evidence.some(({ turn }) => turn === index));
  const refusal = checkGap(quoted, view);
  return refusal === null ? null : refuse('thin_evidence', `quotes stand in ${quoted.map(({ index }) => index)}`);
}

const asksByTime =
  /\b(when|first|last|second|next|before|after|then|later|between|during|while|until|earlier|order|change[ds]?|in the end|at the end|how long|how much time)\b/i;

/**
 * The turn with the answer is reached from what the question names: by a value that both hold, by words that one is
 * quoted with and the other holds, or by time, where the question asks by it. A pair without that link cites too little.
 */
export function checkLinked({ draft, turns, evidence }: Candidate): Refusal | null {
  if (draft.derivation !== null || asksByTime.test(draft.question)) return null;
  const asked = singly(mentionsOf(draft.question));
  const isNamed = (turn: RenderedTurn) => asked.some((one) => holdsAll(factsOf(turn), one));
  if (!turns.some(isNamed)) return null;
  const own = contentWords(draft.question);
  const quotes = (turn: RenderedTurn) => evidence.filter((one) => one.turn === turn.index).map(({ quote }) => quote);
  const saysOf = (turn: RenderedTurn, other: RenderedTurn) =>
    contentWords(quotes(turn).join(' ')).some((word) => !own.includes(word) && factsOf(other).lower.includes(word));
  const alone = groupsOf(turns).find(
    (group) =>
      !group.some(isNamed) &&
      !turns.some(
        (other) => !group.includes(other) && group.some((turn) => saysOf(turn, other) || saysOf(other, turn)),
      ),
  );
  return alone === undefined ? null : refuse('unlinked', `turn ${alone.map(({ index }) => index).join(', ')}`);
}

/** That a value stands in one turn is no proof where every turn had to be looked at, or where order is asked. */
function needsMore(derivation: Derivation | null): boolean {
  return derivation !== null && (derivation.scope === 'session' || derivation.op === 'order');
}

/** Looks at every turn of the segment, cited or not: whoever reads that one turn needs no other. */
export function checkSingleTurn({ draft }: Candidate, view: SegmentView): Refusal | null {
  if (needsMore(draft.derivation)) return null;
  const tells = teller(draft);
  const found = view.turns.find((turn) => tells(factsOf(turn)));
  return found === undefined ? null : refuse('single_turn', `turn ${found.index}`);
}

/** Two evidence-bearing turns that follow each other, with whatever stands between them. */
export function checkAdjacentSupport({ draft }: Candidate, view: SegmentView): Refusal | null {
  if (needsMore(draft.derivation)) return null;
  const tells = teller(draft);
  const bearing = view.turns.filter((turn) => turn.bearsEvidence);
  for (const [at, turn] of bearing.entries()) {
    const next = bearing[at + 1];
    if (next === undefined) break;
    if (tells(bothFacts(turn, next))) return refuse('adjacent_support', `turns ${turn.index} and ${next.index}`);
  }
  return null;
}

function teller({ question, answer }: DraftPair): (facts: TurnFacts) => boolean {
  const [holdsAnswer, holdsQuestion] = [holderOf(answer), holderOf(question)];
  return (facts) => holdsAnswer(facts) && holdsQuestion(facts);
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
