/** Telephone numbers by the plans they come from. */
import { cue } from './cues.ts';
import type { Reading } from './reading.ts';

/** ITU-T E.164: at most 15 digits; with its country's code no number has fewer than 8. */
export function isInternational(digits: string): boolean {
  return digits.length >= 8 && digits.length <= 15 && digits[0] !== '0';
}

/**
 * ITU-T E.123: `0044 20 7946 0958`, by the prefix that Europe dials out with, and a country's code in a group with it. In
 * one piece only a British mobile number is told from an identifier.
 */
export function isDialledAbroad(digits: string, shape: string): boolean {
  if (digits.length < 11 || digits.length > 17 || !digits.startsWith('00')) return false;
  if (shape === '14') return /^00447[1-57-9]/.test(digits);
  const first = /^([345])[ .-]/.exec(shape);
  return first !== null && /^00(?:1|3[0-469]|35[1-9]|4[01345-9]|61|64|91)$/.test(digits.slice(0, Number(first[1])));
}

export const americanShapes = ['3-3-4', '3.3.4', '3 3 4', '3) 3-4', '3)3-4', '3) 3 4', '3)3 4', '3)-3-4', '3 3-4'];
export const americanLongShapes = ['1-3-3-4', '1.3.3.4', '1 3 3 4', '1 (3) 3-4', '1-(3)-3-4', '1 3-3-4', '1(3)3-4'];

/**
 * ATIS, North American Numbering Plan: no area code begins with 0 or 1. Exchanges that begin so are not given out, but
 * stand in forms and samples; hyphens, dots and brackets show what is meant. With spaces alone the exchange must be one.
 */
export function isAmerican(digits: string, shape: string): boolean {
  const local = digits.length === 11 ? digits.slice(1) : digits;
  if (digits.length === 11 && digits[0] !== '1') return false;
  return (shape.includes(' 3 ') ? /^[2-9]\d\d[2-9]/ : /^[2-9]/).test(local);
}

const british = ['5 6', '5 3 3', '5 5', '4 3 4', '4 7', '3 4 4', '3 8', '4 3 3', '5 2 4', '6 5', '6 4', '4 4 3'];
export const britishShapes = [
  '11',
  ...british.flatMap((shape) => [shape, shape.replaceAll(' ', '-'), shape.replace(' ', ') ')]),
];

/**
 * Ofcom, National Telephone Numbering Plan: geographic numbers begin with 01 or 02, 03 and 08 are not tied to places, 07
 * is mobile. In one piece only a mobile number is told from an identifier.
 */
export function isBritish(digits: string, shape: string): boolean {
  if (digits.length < 10 || digits.length > 11) return false;
  return (shape === '11' ? /^07[1-57-9]/ : /^0(?:1\d|2[03489]|3[0347]|7[1-9]|80|84|87)/).test(digits);
}

/** Dates, a day in one piece, decimal fractions. */
const otherShape = /^(?:4([-./ ])[12]\1[12]|[12]([-./ ])[12]\2[24]|8|\d+\.\d+)$/;
/** What a number is for, behind it: `416 60 039 office`, `3660170548-Fax`. */
const label = /[ -]{0,2}\(?(?:office|fax|mobile|cell|home|work|tel)\b/iy;

/** A letter or a bracket behind a space or a hyphen. */
function mayHaveLabel(text: string, to: number): boolean {
  const next = text.charCodeAt(to + 1);
  return next === 40 || next === 32 || next === 45 || next >= 65;
}

/** A number of no plan that is known here, beside a word that says what it is. */
export function isCued(reading: Reading, digits: string, shape: string, from: number, to: number): boolean {
  if (digits.length < 7 || digits.length > 13 || otherShape.test(shape)) return false;
  const whole = shape === String(digits.length);
  // Seconds and milliseconds since 1970 begin with 1, as no number does that is dialled.
  if (whole && /^1(?:\d{9}|\d{12})$/.test(digits)) return false;
  if (mayHaveLabel(reading.text, to) && reading.match(label, to) !== null) return true;
  if (reading.near(cue.phone, from, 24)) return true;
  return (!whole || digits[0] === '0') && reading.near(cue.call, from, 16);
}

/** `x123`, `ext. 4`. */
export const extension = /\s{0,2},?\s{0,2}(?:x|ext\.?|extension)\s{0,2}\d{1,6}\b/iy;
