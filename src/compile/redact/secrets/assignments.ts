/** Where the value of a name stands: `key=value`, `"key": "value"`, `key => 'value'`, `<key>value</key>`, `--key value`. */
import type { Writing } from './values.ts';

export interface Value {
  from: number;
  to: number;
  writing: Writing;
}

/** A longer value is looked at so far, and masked so far. */
const maxLength = 512;
const maxSpaces = 8;

/** A list of names and values: `{"name": "DB_PASSWORD", "value": "…"}`, `<add key="…" value="…"/>`. */
const valueMember = /\s{0,20},?\s{0,40}\\{0,3}["']?value\\{0,3}["']?\s?[:=]\s?/y;
const typeAnnotation = /(?:string|str|String|&str)\s?=\s?/y;
const stringPrefix = /[bBrRuUfFL@]{1,2}(?=["'])/y;
const xmlText = /[^<>\n]{1,512}(?=<\/)/y;

const space = 32;
const tab = 9;
const backslash = 92;
const equals = 61;
const colon = 58;
const greater = 62;
const less = 60;
const comma = 44;
const bracketClose = 93;
const bracketOpen = 91;
const parenthesisOpen = 40;

const isQuote = (code: number) => code === 34 || code === 39 || code === 96;

/** @param from where the name begins @param to where it ends; null where nothing is given to it */
export function valueAfter(text: string, from: number, to: number): Value | null {
  let at = pastClosingQuote(text, to);
  const quotedName = at > to;
  if (text.charCodeAt(at) === bracketClose) at++;
  const sign = pastSpaces(text, at);
  const code = text.charCodeAt(sign);
  if (code === greater && text.charCodeAt(from - 1) === less) return matchOf(xmlText, text, sign + 1);
  if (quotedName && (code === comma || text.startsWith('value', sign))) return namedValue(text, at);
  if (code !== equals && code !== colon) return null;
  const begin = pastSign(text, sign);
  if (begin === null || (code === colon && text.charCodeAt(from - 1) === colon)) return null;
  if (sign === to && closesQuote(text, from, begin)) return null;
  const value = pastSpaces(text, begin);
  const tight = code === equals && sign === to && value === begin;
  return valueAt(text, afterPrefix(text, value), tight ? 'assigned' : 'bare', from);
}

/** `"the password:"`: the quote behind the sign ends what began before the name. */
function closesQuote(text: string, from: number, at: number): boolean {
  const code = text.charCodeAt(at);
  if (!isQuote(code)) return false;
  const before = text.slice(Math.max(0, from - 40), from);
  const open = before.lastIndexOf(text[at]!);
  return open >= 0 && /^[\w\s.?&-]*$/.test(before.slice(open + 1));
}

/** `=`, `:`, `:=`, `=>`; `==` and `===` as well, for what something is compared with. Null for `::`. */
function pastSign(text: string, at: number): number | null {
  const next = text.charCodeAt(at + 1);
  if (text.charCodeAt(at) === colon) return next === colon ? null : at + (next === equals ? 2 : 1);
  let end = at + 1;
  while (end < at + 3 && (text.charCodeAt(end) === equals || text.charCodeAt(end) === greater)) end++;
  return end;
}

function namedValue(text: string, at: number): Value | null {
  valueMember.lastIndex = at;
  return valueMember.test(text) ? valueAt(text, valueMember.lastIndex, 'bare', at) : null;
}

function matchOf(pattern: RegExp, text: string, from: number): Value | null {
  pattern.lastIndex = from;
  return pattern.test(text) ? { from, to: pattern.lastIndex, writing: 'quoted' } : null;
}

function afterPrefix(text: string, at: number): number {
  typeAnnotation.lastIndex = at;
  const begin = typeAnnotation.test(text) ? typeAnnotation.lastIndex : at;
  stringPrefix.lastIndex = begin;
  return stringPrefix.test(text) ? stringPrefix.lastIndex : begin;
}

export function valueAt(text: string, at: number, writing: Writing, nameAt = at): Value | null {
  const quote = pastBackslashes(text, at);
  if (isQuote(text.charCodeAt(quote))) return quotedAt(text, quote, quote > at);
  const wide = writing === 'assigned' && beginsLine(text, nameAt);
  let to = at;
  const limit = Math.min(text.length, at + maxLength);
  while (to < limit && !(wide ? endsLineValue : endsValue)(text, to)) to++;
  const stop = text.charCodeAt(to);
  if (stop === parenthesisOpen || stop === bracketOpen) return null;
  while (to > at && '.:?…'.includes(text[to - 1]!)) to--;
  // `sk-...` shows where a secret would stand.
  if (text.startsWith('..', to) || text[to] === '…') return null;
  return to > at ? { from: at, to, writing: wide ? 'line' : writing } : null;
}

function quotedAt(text: string, quote: number, escaped: boolean): Value | null {
  const code = text.charCodeAt(quote);
  const from = quote + 1;
  const limit = Math.min(text.length, from + maxLength);
  let to = from;
  while (to < limit && text.charCodeAt(to) !== code) to += !escaped && text.charCodeAt(to) === backslash ? 2 : 1;
  to = Math.min(to, limit);
  while (escaped && to > from && text.charCodeAt(to - 1) === backslash) to--;
  const lineBreak = text.slice(from, to).search(/[\r\n]/);
  // A quote that closes on another line opened something else.
  if (lineBreak >= 0) return null;
  return to > from ? { from, to, writing: 'quoted' } : null;
}

const endsBare = new Set(Array.from(' \t\r\n\v\f\u00a0,;"\'`<>(){}[]|&\\⟦⟧', (character) => character.charCodeAt(0)));
const endsWide = new Set(Array.from(' \t\r\n\v\f\u00a0"\'`\\⟦⟧', (character) => character.charCodeAt(0)));
const endsValue = (text: string, at: number) => endsBare.has(text.charCodeAt(at));
const endsLineValue = (text: string, at: number) => endsWide.has(text.charCodeAt(at));

/** As in a file of environment variables, where nothing but white space ends a value. */
function beginsLine(text: string, at: number): boolean {
  if (at === 0) return true;
  const before = text.slice(Math.max(0, at - 10), at);
  return /(?:^|\n|\\n)(?:export |ENV |set )?$|(?:^| )-e $/.test(before) && /[A-Z]/.test(text[at]!);
}

function pastClosingQuote(text: string, at: number): number {
  const quote = pastBackslashes(text, at);
  return isQuote(text.charCodeAt(quote)) ? quote + 1 : at;
}

function pastBackslashes(text: string, at: number): number {
  let end = at;
  while (end < at + 4 && text.charCodeAt(end) === backslash) end++;
  return end;
}

export function pastSpaces(text: string, at: number): number {
  let end = at;
  while (end < at + maxSpaces && (text.charCodeAt(end) === space || text.charCodeAt(end) === tab)) end++;
  return end;
}
