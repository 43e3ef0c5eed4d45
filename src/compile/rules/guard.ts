/** What a pair must not be: answerable from one turn, or from two neighbours. */
import type { SegmentView } from '../compiler.ts';
import type { Candidate } from './candidate.ts';
import { fold, indexOfWord } from './text.ts';

/** Tells whether a candidate needs turns that lie apart, and says nothing that a reader must not see. */
export function guard(view: SegmentView): (candidate: Candidate) => boolean {
  const texts = view.turns.filter((turn) => turn.bearsEvidence).map((turn) => fold(turn.text).toLowerCase());
  return (candidate) => {
    const wanted = [...new Set([...candidate.names, ...candidate.literals].map((value) => fold(value).toLowerCase()))];
    if (wanted.length === 0) return true;
    const held = texts.map((text) => wanted.map((value) => indexOfWord(text, value) >= 0));
    return !held.some((here, i) => {
      const next = held[i + 1];
      return wanted.every((_, w) => here[w] === true || next?.[w] === true);
    });
  };
}
