/** The ways in which a pair is made wrong. */
import type { DraftPair, RenderedTurn, SegmentView } from '../../src/compile/compiler.ts';
import { fold } from '../../src/compile/fold.ts';
import { statesIn } from '../../src/compile/gates/states.ts';
import { type Mentions, mentionsOf, normalNumber, standsIn } from '../../src/compile/mentions.ts';
import { sameValue } from '../../src/compile/rules/text.ts';
import { createView } from '../../src/compile/segment.ts';
import { isOverSession, type Mutate, none, withAnswer } from './pair.ts';
import type { Random } from './random.ts';

/** Each turn in turn is no longer cited, quoted, nor derived from. */
const supportDropped: Mutate = ({ view, draft, origin }) => {
  const mutants = none();
  for (const turn of draft.supportingTurns) {
    if (isOverSession(origin)) mutants.leftTrue += 1;
    else mutants.wrong.push({ view, draft: withoutTurn(draft, turn) });
  }
  return mutants;
};

function withoutTurn(draft: DraftPair, turn: number): DraftPair {
  const { derivation } = draft;
  return {
    ...draft,
    supportingTurns: draft.supportingTurns.filter((one) => one !== turn),
    evidence: draft.evidence.filter((one) => one.turn !== turn),
    derivation: derivation && { ...derivation, operands: derivation.operands.filter((one) => one.turn !== turn) },
  };
}

/** Each turn in turn is exchanged for another one, of the same tool where there is one, quoted by a line of its own. */
const supportSwapped: Mutate = ({ view, draft, origin }, random) => {
  const mutants = none();
  for (const turn of draft.supportingTurns) {
    const other = otherTurn(view, draft, turn, random);
    if (other === undefined) continue;
    const values = origin.operands.filter((one) => one.turn === turn).map(({ value }) => value);
    const line = random.pick(linesOf(other));
    if (line === undefined) continue;
    // Another turn that says the same is as good a support.
    const says = values.every((value) => standsIn(fold(other.text), fold(value)));
    if (says || isOverSession(origin)) mutants.leftTrue += 1;
    else mutants.wrong.push({ view, draft: withTurn(draft, turn, other.index, line) });
  }
  return mutants;
};

function otherTurn(view: SegmentView, draft: DraftPair, index: number, random: Random): RenderedTurn | undefined {
  const tool = view.turns.find((turn) => turn.index === index)?.turn.tool;
  const others = view.turns.filter((turn) => turn.bearsEvidence && !draft.supportingTurns.includes(turn.index));
  const alike = others.filter((turn) => turn.turn.tool === tool);
  return random.pick(alike.length > 0 ? alike : others);
}

function linesOf({ text }: RenderedTurn): string[] {
  return text.split('\n').filter((line) => fold(line).length >= 8 && fold(line).length <= 300);
}

function withTurn(draft: DraftPair, from: number, to: number, quote: string): DraftPair {
  const { derivation } = draft;
  const moved = (turn: number) => (turn === from ? to : turn);
  return {
    ...draft,
    supportingTurns: draft.supportingTurns.map(moved).sort((a, b) => a - b),
    evidence: draft.evidence.map((one) => (one.turn === from ? { turn: to, quote } : one)),
    derivation: derivation && {
      ...derivation,
      operands: derivation.operands.map((one) => ({ ...one, turn: moved(one.turn) })),
    },
  };
}

/** Values to put in are many enough in the beginning of a long response. */
const maxCharsLookedAt = 20_000;

/** Each number of the answer: a digit off, ten times, and another number that stands in a cited turn. */
const numberAltered: Mutate = ({ view, draft, origin }, random) => {
  const mutants = none();
  const numbers = draft.answer.match(/(?<![\p{L}\p{N}_.,#/:-])\d+(?:\.\d+)?(?![\p{L}\p{N}_/:-]|[.,]\d)/gu) ?? [];
  for (const number of new Set(numbers)) {
    const last = Number(number.at(-1));
    const others = citedNumbers(view, draft).filter((one) => one !== normalNumber(number));
    const altered = [number.slice(0, -1) + String((last + 1) % 10), `${number}0`, random.pick(others)];
    for (const to of altered) {
      if (to === undefined || normalNumber(to) === normalNumber(number)) continue;
      // 17.4 s are "17 seconds" as well as "18 seconds".
      const isRounding = origin.op === 'duration' && Math.abs(Number(to) - Number(number)) <= 1;
      if (isRounding) mutants.leftTrue += 1;
      else mutants.wrong.push({ view, draft: withAnswer(draft, number, to) });
    }
  }
  return mutants;
};

const known = new WeakMap<RenderedTurn, Mentions>();

function mentionsIn(turn: RenderedTurn): Mentions {
  const mentions = known.get(turn) ?? mentionsOf(turn.text.slice(0, maxCharsLookedAt));
  known.set(turn, mentions);
  return mentions;
}

function citedNumbers(view: SegmentView, { supportingTurns }: DraftPair): string[] {
  const cited = view.turns.filter(({ index }) => supportingTurns.includes(index));
  return [...new Set(cited.flatMap((turn) => mentionsIn(turn).numbers))];
}

/** `ON` and `No` are states, not names: they are altered below. */
const minNameChars = 3;

/** Each id, path and name of the answer: a letter off, and another one of its form that stands in the segment. */
const nameAltered: Mutate = ({ view, draft }, random) => {
  const mutants = none();
  const { literals, names } = mentionsOf(draft.answer);
  for (const name of [...literals, ...names].filter((one) => one.length >= minNameChars)) {
    const others = alikeIn(view, name).filter((one) => !standsIn(draft.answer, one));
    for (const to of [misspelt(name, random), random.pick(others)]) {
      const changed = to === undefined ? draft : withAnswer(draft, name, to);
      if (changed.answer.toLowerCase() !== draft.answer.toLowerCase()) mutants.wrong.push({ view, draft: changed });
    }
  }
  return mutants;
};

function misspelt(name: string, random: Random): string {
  const letters = [...name.matchAll(/[\p{L}\p{N}]/gu)].map(({ index }) => index);
  const at = random.pick(letters) ?? 0;
  const other = random.pick([...'bcdfghjklmnpqrstvwxz'].filter((letter) => letter !== name[at]?.toLowerCase()))!;
  const isCapital = /\p{Lu}/u.test(name[at] ?? '');
  return name.slice(0, at) + (isCapital ? other.toUpperCase() : other) + name.slice(at + 1);
}

/** Ids that begin alike, names that begin with a capital. */
function alikeIn(view: SegmentView, name: string): string[] {
  const found = new Set<string>();
  for (const turn of view.turns) {
    const { literals, names } = mentionsIn(turn);
    for (const one of [...literals, ...names])
      if (one !== name && one[0] === name[0] && one.length >= minNameChars) found.add(one);
  }
  return [...found];
}

/** A value of the answer becomes the one that the same thing had at another time: alone, and with the turn that says so. */
const valueSuperseded: Mutate = ({ view, draft }) => {
  const mutants = none();
  const states = statesIn(view);
  for (const { turn, quote } of draft.evidence) {
    const told = states.find(
      (one) => one.turn === turn && standsIn(fold(quote), one.value) && standsIn(draft.answer, one.value),
    );
    if (told === undefined) continue;
    const other = states.findLast(
      (one) =>
        one.thing === told.thing && one.key === told.key && one.turn !== turn && !sameValue(one.value, told.value),
    );
    const line =
      other &&
      linesOf(view.turns.find(({ index }) => index === other.turn)!).find((one) => standsIn(fold(one), other.value));
    if (other === undefined || line === undefined) continue;
    const changed = withAnswer(draft, told.value, other.value);
    if (changed.answer === draft.answer) continue;
    mutants.wrong.push({ view, draft: changed });
    if (!draft.supportingTurns.includes(other.turn))
      mutants.wrong.push({ view, draft: withTurn(changed, turn, other.turn, line) });
  }
  return mutants;
};

/** The turns between those that are cited are taken out of the session. */
const madeAdjacent: Mutate = ({ view, draft }) => {
  const [first, last] = [draft.supportingTurns[0]!, draft.supportingTurns.at(-1)!];
  const kept = view.turns.filter(({ index }) => index < first || index > last || draft.supportingTurns.includes(index));
  const rank = new Map(kept.map(({ index }, at) => [index, at]));
  const shorter = createView({ ...view.trajectory, turns: kept.map(({ turn }) => turn) });
  return { wrong: [{ view: shorter, draft: renumbered(draft, rank) }], leftTrue: 0 };
};

function renumbered(draft: DraftPair, rank: ReadonlyMap<number, number>): DraftPair {
  const moved = (turn: number) => rank.get(turn) ?? turn;
  const { derivation } = draft;
  return {
    ...draft,
    supportingTurns: draft.supportingTurns.map(moved),
    evidence: draft.evidence.map((one) => ({ ...one, turn: moved(one.turn) })),
    derivation: derivation && {
      ...derivation,
      operands: derivation.operands.map((one) => ({ ...one, turn: moved(one.turn) })),
    },
  };
}

export const mutations: Record<string, Mutate> = {
  'support dropped': supportDropped,
  'support swapped': supportSwapped,
  'number altered': numberAltered,
  'name altered': nameAltered,
  'superseded value put in': valueSuperseded,
  'turns made adjacent': madeAdjacent,
};
