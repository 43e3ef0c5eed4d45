/** A pair that the gates accept, and what is done to one to see whether they still do. */
import type { DraftPair, SegmentView } from '../../src/compile/compiler.ts';
import type { Derivation } from '../../src/records.ts';
import type { Random } from './random.ts';

export interface Pair {
  view: SegmentView;
  draft: DraftPair;
  /** As the rules wrote it, or without its derivation, as a model writes most of its pairs. */
  kind: 'rules' | 'plain';
  /** What the rules derived the answer by: tells what a change of the pair leaves true. */
  origin: Derivation;
}

/** What one change of a pair gives: pairs that are wrong now, and how many changes left the pair as true as it was. */
export interface Mutants {
  wrong: { view: SegmentView; draft: DraftPair }[];
  leftTrue: number;
}

export type Mutate = (pair: Pair, random: Random) => Mutants;

export function none(): Mutants {
  return { wrong: [], leftTrue: 0 };
}

/** Checked over every turn of the session: which of the turns are cited changes nothing about its truth. */
export function isOverSession({ op }: Derivation): boolean {
  return op === 'count' || op === 'exclusion';
}

/** The draft with other text for `from` in its answer, and in what its derivation claims. */
export function withAnswer(draft: DraftPair, from: string, to: string): DraftPair {
  const { derivation } = draft;
  const answer = replaceWord(draft.answer, from, to);
  const result = derivation === null ? '' : replaceWord(derivation.result, from, to);
  return { ...draft, answer, derivation: derivation === null ? null : { ...derivation, result } };
}

/** The first place where it stands as a word. */
export function replaceWord(text: string, from: string, to: string): string {
  const isWord = (char: string | undefined) => char !== undefined && /[\p{L}\p{N}_]/u.test(char);
  for (let at = text.indexOf(from); at !== -1; at = text.indexOf(from, at + 1)) {
    const inside = (isWord(from[0]) && isWord(text[at - 1])) || (isWord(from.at(-1)) && isWord(text[at + from.length]));
    if (!inside) return text.slice(0, at) + to + text.slice(at + from.length);
  }
  return text;
}
