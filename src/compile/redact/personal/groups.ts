/** Numbers as people write them: groups of digits with one separator, or brackets, between two of them. */

import { isDigit } from './characters.ts';

/** The first groups of a row, one, two and so on, each with all before it. */
export interface Groups {
  /** Where the first group begins. */
  from: number;
  /** Where each group ends. */
  ends: number[];
  /** Up to each group, lengths and separators: `(020) 7946` is `3) 4`, `4111 1111` is `4 4`, `07700900123` is `11`. */
  shapes: string[];
  /** Up to each group, the digits alone. */
  digits: string[];
}

const most = 8;
/** More digits than this in one group are no number that anybody writes or types. */
const longestGroup = 19;

/** The groups from a digit on. Null where the first is too long for a number. */
export function groupsFrom(text: string, from: number): Groups | null {
  const found: Groups = { from, ends: [], shapes: [], digits: [] };
  let shape = '';
  let digits = '';
  let at = from;
  while (at !== -1 && found.ends.length < most) {
    let to = at;
    while (to - at <= longestGroup && isDigit(text.charCodeAt(to))) to += 1;
    if (to - at > longestGroup) break;
    shape += to - at;
    digits += text.slice(at, to);
    found.ends.push(to);
    found.shapes.push(shape);
    found.digits.push(digits);
    at = nextGroup(text, to);
    if (at !== -1) shape += separator(text, to, at);
  }
  return found.ends.length === 0 ? null : found;
}

/** A closing bracket, one separator, an opening bracket: each of them or none, but not nothing. */
function nextGroup(text: string, end: number): number {
  let at = end;
  if (text.charCodeAt(at) === 41) at += 1;
  if (isSeparator(text.charCodeAt(at))) at += 1;
  if (text.charCodeAt(at) === 40) at += 1;
  return at > end && isDigit(text.charCodeAt(at)) ? at : -1;
}

/** Every kind of space and hyphen is the plain one. */
function separator(text: string, from: number, to: number): string {
  return text.slice(from, to).replace('\u00a0', ' ').replace('\u2011', '-');
}

/** Space, hyphen, dot, slash, and the space and the hyphen that do not break. */
function isSeparator(code: number): boolean {
  return code === 32 || (code >= 45 && code <= 47) || code === 0xa0 || code === 0x2011;
}
