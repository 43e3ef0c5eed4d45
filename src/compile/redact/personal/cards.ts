/** Payment card numbers. */
import { luhnHolds } from './checksums.ts';

/** ISO/IEC 7812: issuer ranges in use, with the lengths that their schemes give out. */
const brands: readonly [RegExp, readonly number[]][] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^3(?:0[0-5]|[689])/, [14, 16]],
  [/^(?:6011|64[4-9]|65)/, [16, 19]],
  [/^35(?:2[89]|[3-8])/, [16, 17, 18, 19]],
  [/^(?:1800|2131)/, [15]],
  [/^62/, [16, 17, 18, 19]],
  [/^(?:5018|5019|5020|5038|5[6-8]|6304|67|6390)/, [12, 13, 14, 15, 16, 17, 18, 19]],
];

/** Groupings that stand on cards: fours, and 4-6-5 or 4-6-4 of American Express and Diners Club. */
export const cardShapes = ['4 4 4 4', '4-4-4-4', '4.4.4.4', '4 6 5', '4-6-5', '4 6 4', '4-6-4', '4 4 4 4 3'];
for (let length = 12; length <= 19; length += 1) cardShapes.push(String(length));

/**
 * How sure a number is a card's, by issuer, length and check digit. Lengths that few cards have and many identifiers do
 * need a cue, and so do issuers that are not listed.
 */
export function cardIn(digits: string): 'certain' | 'with cue' | null {
  const known = brands.some(([prefix, lengths]) => lengths.includes(digits.length) && prefix.test(digits));
  if (!luhnHolds(digits)) return null;
  return known && (digits.length === 15 || digits.length === 16) ? 'certain' : 'with cue';
}
