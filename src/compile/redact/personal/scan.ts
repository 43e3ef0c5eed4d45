/**
 * One pass over a text, word by word. What a word is made of decides who looks at it: cues are remembered, numbers and
 * marks are handed to their detectors. Each place is visited once, and each detector looks a bounded way around it.
 */
import { readAddressAfter, readBox, readStreet, readStreetFirst } from './addresses.ts';
import { classes, colon, digit, isDigit, otherLetter, underscore, wordBits } from './characters.ts';
import { cue, cuesOf } from './cues.ts';
import { readDateOfBirth } from './dates.ts';
import { readKeyed } from './keyed.ts';
import { readMark, readSpacedMark } from './marks.ts';
import { readNameAfter, readNameBefore } from './names.ts';
import { readColons, readMac } from './network.ts';
import { readNumber } from './numbers.ts';
import type { Reading } from './reading.ts';

export function scan(reading: Reading): void {
  const { text } = reading;
  let at = 0;
  let wordFrom = 0;
  let wordTo = 0;
  while (at < text.length) {
    let made = classes[text.charCodeAt(at)]!;
    if ((made & wordBits) === 0) {
      at = made === colon ? readColon(reading, at, wordFrom, wordTo) : at + 1;
      continue;
    }
    wordFrom = at;
    wordTo = at + 1;
    for (; wordTo < text.length; wordTo += 1) {
      const bit = classes[text.charCodeAt(wordTo)]!;
      if ((bit & wordBits) === 0) break;
      made |= bit;
    }
    at = readWord(reading, wordFrom, wordTo, made);
  }
}

/** A key may stand before the sign, with its closing quote; an address of a network around it. */
function readColon(reading: Reading, at: number, wordFrom: number, wordTo: number): number {
  const { text } = reading;
  if (wordTo > wordFrom && at - wordTo <= 3 && isQuoted(text, wordTo, at)) {
    const end = readKeyed(reading, wordFrom, wordTo, at);
    if (end !== at + 1) return end;
  }
  if (text.charCodeAt(at) !== 58) return at + 1;
  const next = text.charCodeAt(at + 1);
  return next === 58 || isHex(next) ? readColons(reading, at) : at + 1;
}

/** Nothing but quotes, backslashes and spaces. */
function isQuoted(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const code = text.charCodeAt(at);
    if (code !== 34 && code !== 39 && code !== 92 && code !== 32) return false;
  }
  return true;
}

function isHex(code: number): boolean {
  return isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);
}

/** Returns where the reading goes on. */
function readWord(reading: Reading, from: number, to: number, made: number): number {
  const length = to - from;
  if ((length === 2 || length === 4) && isMacSign(reading.text, length, to)) {
    const end = readMac(reading, from, to);
    if (end !== from) return end;
  }
  if (made === digit) return readNumber(reading, from, to);
  if ((made & digit) !== 0) return (made & (underscore | otherLetter)) === 0 ? readMark(reading, from, to, made) : to;
  const says = cuesOf(reading.text, from, to);
  if (says !== 0) {
    const end = readCue(reading, from, to, says);
    if (end !== to) return end;
  }
  const spaced =
    (length === 2 || length === 3) && reading.text.charCodeAt(to) === 32 && isDigit(reading.text.charCodeAt(to + 1));
  return spaced ? readSpacedMark(reading, from, to) : to;
}

/** A hyphen behind two and behind two more, or a dot behind four and behind four more. */
function isMacSign(text: string, length: number, to: number): boolean {
  const sign = length === 2 ? 45 : 46;
  return text.charCodeAt(to) === sign && text.charCodeAt(to + 1 + length) === sign;
}

type Reader = (reading: Reading, from: number, to: number, says: number) => number;

/** Who reads around a cue word, in turn; whoever finds something has it. */
const readers: readonly [number, Reader][] = [
  [cue.street | cue.weakStreet, (reading, from, to, says) => readStreet(reading, from, to, (says & cue.street) === 0)],
  [cue.streetFirst, readStreetFirst],
  [cue.box, readBox],
  [cue.address, (reading, _, to) => readAddressAfter(reading, to)],
  [cue.month, readDateOfBirth],
  [cue.title | cue.greeting | cue.name | cue.self | cue.person | cue.thanks, readNameAfter],
];

const acting = readers.reduce((all, [says]) => all | says, 0);

/** Remembers what the word says, and reads what it says of the words around it. Returns where the reading goes on. */
function readCue(reading: Reading, from: number, to: number, says: number): number {
  reading.noteCue(says, to);
  if ((says & acting) === 0) return to;
  if (says & cue.lives) readNameBefore(reading, from);
  const before = reading.found.length;
  for (const [bits, read] of readers) {
    if ((says & bits) === 0) continue;
    const end = read(reading, from, to, says);
    if (reading.found.length > before) return Math.max(end, to);
  }
  return to;
}
