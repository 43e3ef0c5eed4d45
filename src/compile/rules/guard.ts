/** What a pair must not be: answerable from one turn, or from two neighbours. */
import type { SegmentView } from '../compiler.ts';
import type { Candidate } from './candidate.ts';
import { fold, indexOfWord } from './text.ts';

/** How far behind its label a value may stand. */
const labelReachChars = 60;

/** Tells whether a candidate needs turns that lie apart. */
export function guard(view: SegmentView): (candidate: Candidate) => boolean {
  const texts = view.turns.filter((turn) => turn.bearsEvidence).map((turn) => fold(turn.text).toLowerCase());
  return ({ needs }) => {
    if (needs.length === 0) return true;
    const wanted = needs.map(({ value, near }) => [fold(value).toLowerCase(), near?.toLowerCase() ?? null] as const);
    const held = texts.map((text) => wanted.map(([value, near]) => says(text, value, near)));
    return !held.some((here, i) => wanted.every((_, w) => here[w] === true || held[i + 1]?.[w] === true));
  };
}

function says(text: string, value: string, near: string | null): boolean {
  for (let at = indexOfWord(text, value); at >= 0; at = indexOfWord(text, value, at + 1)) {
    if (near === null || text.slice(Math.max(0, at - labelReachChars - near.length), at).includes(near)) return true;
  }
  return false;
}
