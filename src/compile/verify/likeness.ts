/** Whether two answers say the same, as far as code can tell. */
import { contentWords, normalise } from '../fold.ts';
import { mentionsOf } from '../mentions.ts';

/** `unclear` is left to a reader: the same can be said in other words, and the same words can say something else. */
export type Likeness = 'same' | 'different' | 'unclear';

/** Of answers to one question. */
export function likenessOf(expected: string, given: string): Likeness {
  if (normalise(expected) === normalise(given)) return 'same';
  const [said, told] = [exactValues(expected), exactValues(given)];
  if (said.join('\0') === told.join('\0')) {
    if (areNames(expected, given)) return sharesWord(expected, given) ? 'unclear' : 'different';
    return sameWords(expected, given, said.length > 0) ? 'same' : 'unclear';
  }
  // "0.55 kg" and "550 g", "3 minutes" and "180 s" are for a reader: only the value may differ.
  const bothExact = said.length > 0 && told.length > 0;
  return bothExact && frameOf(expected, said) === frameOf(given, told) ? 'different' : 'unclear';
}

/** Ids, numbers, dates and times, each kind in the order in which it is said: of two swapped values none is the other. */
function exactValues(text: string): string[] {
  const { literals, numbers, dates } = mentionsOf(text);
  return [...literals.map((literal) => literal.toLowerCase()), ...numbers, ...dates];
}

const negation = /\b(no|not|never|none|nothing|nobody|without|neither|nor)\b|n[’']t\b/i;

/** One says nothing that the other does not say too. */
function sameWords(a: string, b: string, hasValues: boolean): boolean {
  if (negation.test(a) !== negation.test(b)) return false;
  const [left, right] = [contentWords(a), contentWords(b)];
  if (!hasValues && (left.length === 0 || right.length === 0)) return false;
  return left.every((word) => right.includes(word)) || right.every((word) => left.includes(word));
}

/** What stands around the values. */
function frameOf(text: string, values: readonly string[]): string {
  let rest = normalise(text);
  for (const value of values) rest = rest.replace(value, ' ');
  return normalise(rest.replace(/\d[\d,.:]*/g, ' '));
}

const namePattern = /^(\p{Lu}[\p{L}'’.-]*)( \p{Lu}[\p{L}'’.-]*){0,4}$/u;

function areNames(a: string, b: string): boolean {
  return namePattern.test(a.trim()) && namePattern.test(b.trim());
}

function sharesWord(a: string, b: string): boolean {
  const words = normalise(b).split(' ');
  return normalise(a)
    .split(' ')
    .some((word) => words.includes(word));
}
