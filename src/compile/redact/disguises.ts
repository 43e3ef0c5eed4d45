/**
 * What a text says to whoever reads it as a URL, as HTML or on a screen: `jane%40example.com`, `jane&#64;example.com`,
 * digits of full width, invisible characters within a number. Every place leads back to the text.
 */

import { lastUpTo } from './escapes.ts';

export interface Undisguised {
  readonly value: string;
  /** Where the character at `index` of the value begins in the text; the text's length for the end. */
  rawAt(index: number): number;
}

export interface Part {
  from: number;
  to: number;
}

/** Most texts have none of them, and searches for single signs are what costs least. */
function mayBeDisguised(text: string): boolean {
  return (
    text.includes('%') ||
    text.includes('&') ||
    text.includes('\\x') ||
    text.includes('=\n') ||
    text.includes('=\r') ||
    /[\u00a0-\uffff]/.test(text)
  );
}

const disguise =
  /%(?<percent>[2-7][\da-f]|0[9ad])|&#(?<decimal>\d{2,3});|&#x(?<hex>[2-7][\da-f]);|&(?<entity>amp|lt|gt|quot|apos|commat|nbsp|period|colon|plus|lowbar|hyphen);|\\x(?<byte>[2-7][\da-f])|(?<soft>=\r?\n)|(?<sign>[\u00a0\u00ad\u0660-\u0669\u06f0-\u06f9\u2000-\u2013\u202a-\u202f\u205f-\u2064\u2212\u3000\ufeff\uff01-\uff5e])/gi;

const entities: Partial<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  commat: '@',
  nbsp: ' ',
  period: '.',
  colon: ':',
  plus: '+',
  lowbar: '_',
  hyphen: '-',
};

/** Null where nothing is disguised. Linear in the length of the text. */
export function undisguised(text: string): (Undisguised & { changed: Part[] }) | null {
  if (!mayBeDisguised(text)) return null;
  const parts: string[] = [];
  /** Behind each disguise: where its value ends, and by how much the text is ahead from there on. */
  const ends: number[] = [];
  const ahead: number[] = [];
  let copied = 0;
  let difference = 0;
  for (const { 0: written, index, groups } of text.matchAll(disguise)) {
    const meant = meaningOf(groups!);
    if (meant === null || !hides(meant, text, index, index + written.length)) continue;
    parts.push(text.slice(copied, index), meant);
    copied = index + written.length;
    difference += written.length - meant.length;
    ends.push(copied - difference);
    ahead.push(difference);
  }
  if (copied === 0) return null;
  const value = parts.join('') + text.slice(copied);
  const rawAt = (index: number) => index + (ahead[lastUpTo(ends, index)] ?? 0);
  return { value, rawAt, changed: around(ends, value) };
}

/** Blanks and dashes of print are everywhere; they hide something within numbers. A line is cut within words. */
function hides(meant: string, text: string, from: number, to: number): boolean {
  if (meant === '') return isInWord(text.charCodeAt(from - 1)) && isInWord(text.charCodeAt(to));
  if (to - from > 1 || (meant !== ' ' && meant !== '-')) return true;
  return isDigit(text.charCodeAt(from - 1)) || isDigit(text.charCodeAt(to));
}

const isDigit = (code: number) => (code >= 48 && code <= 57) || code >= 0x660;
/** Anything but blanks, brackets, quotes: signs of addresses and numbers too. */
const isInWord = (code: number) => code > 32 && !'()[]{}<>"\'`,;'.includes(String.fromCharCode(code));

/** On both sides of a disguise: addresses, numbers, and the words that say what they are. */
const reach = 100;
/** How much further a word goes on at most. */
const wordReach = 200;

/** What of a value reads otherwise than before, in whole words where they are short. */
function around(places: readonly number[], value: string): Part[] {
  const parts: Part[] = [];
  for (const place of places) {
    const last = parts.at(-1);
    if (last !== undefined && place - reach <= last.to) last.to = place + reach;
    else parts.push({ from: place - reach, to: place + reach });
  }
  return parts.map(({ from, to }) => ({ from: wordStart(value, from), to: wordEnd(value, to) }));
}

function wordStart(value: string, from: number): number {
  let at = Math.max(0, from);
  for (const least = Math.max(0, at - wordReach); at > least && !isSpace(value.charCodeAt(at - 1)); ) at--;
  return at;
}

function wordEnd(value: string, to: number): number {
  let at = Math.min(value.length, to);
  for (const most = Math.min(value.length, at + wordReach); at < most && !isSpace(value.charCodeAt(at)); ) at++;
  return at;
}

const isSpace = (code: number) => code === 32 || (code >= 9 && code <= 13);

function meaningOf(found: Partial<Record<string, string>>): string | null {
  const { percent, decimal, hex, entity, byte, sign } = found;
  const code = percent ?? hex ?? byte;
  if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
  if (decimal !== undefined) return Number(decimal) < 32 || Number(decimal) > 126 ? null : fromCode(Number(decimal));
  if (entity !== undefined) return entities[entity.toLowerCase()] ?? null;
  return sign === undefined ? '' : plainSign(sign.charCodeAt(0));
}

/** Spaces, hyphens, digits and letters as a keyboard has them; nothing for what nobody sees. */
function plainSign(code: number): string {
  if (code >= 0xff01 && code <= 0xff5e) return fromCode(code - 0xfee0);
  if (code >= 0x0660 && code <= 0x06f9) return fromCode((code & 0xf) + 48);
  if (code === 0x2212 || (code >= 0x2010 && code <= 0x2013)) return '-';
  const isBlank = code === 0xa0 || (code >= 0x2000 && code <= 0x200a) || code === 0x202f;
  return isBlank || code === 0x205f || code === 0x3000 ? ' ' : '';
}

const fromCode = (code: number) => String.fromCharCode(code);
