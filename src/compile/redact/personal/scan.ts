/**
 * One pass over a text, word by word. What a word is made of decides who looks at it: cues are remembered, numbers and
 * marks are handed to their detectors. Each place is visited once, and each detector looks a bounded way around it.
 */
import { readAddressAfter, readBox, readStreet, readStreetFirst } from './addresses.ts';
import { classes, colon, digit, isDigit, lower, otherLetter, underscore, wordBits } from './characters.ts';
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
  const { length } = text;
  let wordFrom = 0;
  let wordTo = 0;
  for (let at = 0; at < length; ) {
    let made = classes[text.charCodeAt(at)]!;
    if (made === 0) {
      at += 1;
      continue;
    }
    if (made !== colon) {
      wordFrom = at;
      for (at += 1; at < length; at += 1) {
        const bit = classes[text.charCodeAt(at)]!;
        if ((bit & wordBits) === 0) break;
        made |= bit;
      }
      wordTo = at;
    }
    at = wordReaders[made]!(reading, wordFrom, wordTo, at);
  }
}

/** Of a word, which ends at `at`, or of the sign at `at`, before which it may stand. Returns where the reading goes on. */
type WordReader = (reading: Reading, from: number, to: number, at: number) => number;

/** By what the word is made of. A table, as calls of known functions were made part of the loop above and slowed it. */
const wordReaders: readonly WordReader[] = Array.from({ length: colon + 1 }, (_, made) => readerOf(made));

function readerOf(made: number): WordReader {
  if (made === colon) return readColon;
  if ((made & digit) === 0) return readLetters;
  if (made === digit) return readDigits;
  if ((made & (underscore | otherLetter)) !== 0) return (_reading, _from, to) => to;
  return (made & lower) === 0 ? readCapitalMark : readSmallMark;
}

function readDigits(reading: Reading, from: number, to: number): number {
  return readMac(reading, from, to) ?? readNumber(reading, from, to);
}

function readCapitalMark(reading: Reading, from: number, to: number): number {
  return readMac(reading, from, to) ?? readMark(reading, from, to, true);
}

function readSmallMark(reading: Reading, from: number, to: number): number {
  return readMac(reading, from, to) ?? readMark(reading, from, to, false);
}

function readLetters(reading: Reading, from: number, to: number): number {
  const { text } = reading;
  const mac = readMac(reading, from, to);
  if (mac !== null) return mac;
  const says = cuesOf(text, from, to);
  if (says !== 0) {
    const end = readCue(reading, from, to, says);
    if (end !== to) return end;
  }
  const spaced = to - from <= 3 && to - from >= 2 && text.charCodeAt(to) === 32 && isDigit(text.charCodeAt(to + 1));
  return spaced ? readSpacedMark(reading, from, to) : to;
}

/** A key may stand before the sign, with its closing quote; an address of a network around it. */
function readColon(reading: Reading, wordFrom: number, wordTo: number, at: number): number {
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
