/** Of pairs that ask the same of one segment, the first stays. */
import type { DraftPair } from '../compiler.ts';
import { contentWords, normalise } from '../fold.ts';
import { mentionsOf } from '../mentions.ts';
import { excerpt, type Refusal, refuse } from './gate.ts';

/** Share of words that two questions have in common, from which on they are one. */
const sameQuestion = 0.8;
/** The same, where the answers are equal too. */
const sameAnswer = 0.6;

export function checkDuplicate(draft: DraftPair, earlier: readonly DraftPair[]): Refusal | null {
  const same = earlier.find((other) => asksTheSame(draft, other));
  return same === undefined ? null : refuse('near_duplicate', excerpt(same.question, 200));
}

function asksTheSame(a: DraftPair, b: DraftPair): boolean {
  if (normalise(a.question) === normalise(b.question)) return true;
  // "… for #W1?" and "… for #W2?" share their words and ask different things.
  if (keyOf(a.question) !== keyOf(b.question)) return false;
  const threshold = normalise(a.answer) === normalise(b.answer) ? sameAnswer : sameQuestion;
  return overlap(contentWords(a.question), contentWords(b.question)) >= threshold;
}

function keyOf(question: string): string {
  const { literals, numbers, dates, names } = mentionsOf(question);
  return [...literals, ...numbers, ...dates, ...names].sort().join('\0');
}

function overlap(a: readonly string[], b: readonly string[]): number {
  const all = new Set([...a, ...b]);
  if (all.size === 0) return 1;
  return a.filter((word) => b.includes(word)).length / all.size;
}
