/** Lines of postal addresses: a street with its number, what stands behind it in the house, the place with its code. */
import { cue } from './cues.ts';
import type { Reading } from './reading.ts';

const name = "\\p{Lu}[\\p{L}\\p{M}.'’-]{0,30}";
const ordinal = '\\d{1,3}(?:st|nd|rd|th)';
const longestBefore = 64;

/** A house's number and the street's name, at the end of what stands before the street's type. */
const numberBefore = new RegExp(
  `(?<![\\w.,:$£€#/+-])\\d{1,5}[A-Za-z]?(?:[-/]\\d{1,4})?,? (?:(?:${name}|${ordinal}|\\d{1,5}|of|de|the) ){0,4}$`,
  'u',
);
const nameBefore = new RegExp(`(?<![\\p{L}\\p{M}])(?:${name} ){1,2}$`, 'u');
const numberBehind = / \d{1,4}[A-Za-z]?(?![\w.:%-]|,\d| [A-Z]?[a-z]+s\b)/y;

const room = /(?:,?[ \n]{1,2}(?:apt|apartment|suite|ste|unit|flat|floor|room)\.?[ ]?#?[\w-]{1,6}){1,2}|,? #\d{1,5}/iy;
const place = new RegExp(
  `(?:,?[ \\n]{1,3}${name}(?: ${name}){0,3}){0,2},?[ \\n]{1,3}(?:(?:[A-Z]{2},?[ ]{1,2})?\\d{5}(?:-\\d{4})?|[A-Z]{1,2}\\d[A-Z\\d]? ?\\d[A-Z]{2})(?!\\w)`,
  'uy',
);

/** Things whose names end like a street's. */
const noStreet =
  /(?:Google|Hard|Flash|Disk|USB|Thumb|External|Internal|Network|Shared|My|Test) Drive$|(?:Supreme|High|Tennis|Food|District|Federal|Crown|Appeals) Court$|Wall Street$/;

/** `from` and `to` are of the street's type. Returns where the reading goes on. */
export function readStreet(reading: Reading, from: number, to: number, weak: boolean): number {
  const { text } = reading;
  if (text.charCodeAt(from - 1) !== 32 || !/\p{Lu}/u.test(text.charAt(from))) return to;
  const before = text.slice(Math.max(0, from - longestBefore), from);
  const numbered = numberBefore.exec(before)?.[0];
  const alone = /^\d+[A-Za-z]?,? $/.test(numbered ?? '');
  const end = text.charAt(to) === '.' ? to + 1 : to;
  if (
    numbered !== undefined &&
    !noStreet.test(numbered + text.slice(from, to)) &&
    (!alone || /^(?:Broadway|Highway)$/.test(text.slice(from, to)))
  ) {
    const behind = endOf(reading, end);
    const sure =
      !weak || behind > end || reading.near(cue.address, from, 60) || reading.isAll(from - numbered.length, to);
    return sure ? note(reading, from - numbered.length, behind) : to;
  }
  return weak ? to : readNumberBehind(reading, before, from, to);
}

/** `Dalton Street 123`. A type that is shortened, or that other things have as well, is not enough for that. */
function readNumberBehind(reading: Reading, before: string, from: number, to: number): number {
  if (!/^(?:Street|Road|Avenue|Lane|Boulevard)$/.test(reading.text.slice(from, to))) return to;
  const number = reading.match(numberBehind, to);
  const named = number === null ? undefined : nameBefore.exec(before)?.[0];
  if (named === undefined || number === null || noStreet.test(named + reading.text.slice(from, to))) return to;
  return note(reading, from - named.length, endOf(reading, to + number.length));
}

/** With the room in the house and, where its code ends it, the place. */
function endOf(reading: Reading, end: number): number {
  const inHouse = end + (reading.match(room, end)?.length ?? 0);
  return inHouse + (reading.match(place, inHouse)?.length ?? 0);
}

function note(reading: Reading, from: number, to: number): number {
  reading.add('ADDRESS', from, to, false);
  return to;
}

const streetFirst = new RegExp(
  `(?:Rue|Via|Calle|Rua|Avenida|Viale|Piazza)(?: (?:de|dei|del|della|la|las|le|du|des|di|da|do|dos)){0,2}(?: ${name}){1,3},? \\d{1,5}(?![\\w.])`,
  'uy',
);
/** USPS, Publication 28 section 225: military and diplomatic addresses; section 28: boxes. */
const box = /(?:PSC|Unit) \d{1,5},? Box \d{1,5}(?:[\s,]{1,3}(?:APO|FPO|DPO),? [A-Z]{2},? \d{5})?/iy;
const postBox = /Box \d{1,6}/iy;

/** `Rue de Virton 38`, at its first word. Returns where the reading goes on. */
export function readStreetFirst(reading: Reading, from: number, to: number): number {
  const found = reading.match(streetFirst, from);
  return found === null ? to : note(reading, from, endOf(reading, from + found.length));
}

/** `PSC 3294, Box 9168`, `PO Box 186`. Returns where the reading goes on. */
export function readBox(reading: Reading, from: number, to: number): number {
  const found = reading.match(box, from);
  if (found !== null) return note(reading, from, from + found.length);
  const post = /\bP\.? ?O\.? $/i.exec(reading.text.slice(Math.max(0, from - 6), from))?.[0];
  const numbered = post === undefined ? null : reading.match(postBox, from);
  return numbered === null ? to : note(reading, from - post!.length, endOf(reading, from + numbered.length));
}

const afterCue = /(?: (?:is|at|to|on|correct)){0,2}:? (?=\d)/y;
const line = new RegExp(`\\d{1,5}[A-Za-z]?(?:,? (?:${name}|\\d{1,5}\\.?|de|del|of|la|u\\.)){1,9}`, 'uy');

/** `lives at 92597 Jahu 80, Liiva`: behind such words a number with names is an address of whatever country. */
export function readAddressAfter(reading: Reading, to: number): number {
  const gap = reading.match(afterCue, to);
  const found = gap === null ? null : reading.match(line, to + gap.length);
  if (found === null || !/\p{Lu}\p{Ll}/u.test(found)) return to;
  const from = to + gap!.length;
  return note(reading, from, endOf(reading, from + found.replace(/\.$/, '').length));
}
