/** National identity and tax numbers. */
import { luhnHolds, verhoeffHolds, weighed } from './checksums.ts';
import { cue } from './cues.ts';
import type { Reading } from './reading.ts';

/**
 * Social Security Administration, "The SSN Numbering Scheme": no area is 000, 666 or 900 up, no group 00, no serial 0000.
 * Two numbers were printed in advertisements and never given out again.
 */
export function isSsn(digits: string): boolean {
  return (
    /^(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}$/.test(digits) && digits !== '078051120' && digits !== '219099999'
  );
}

/** IRS, Publication 1915: an individual taxpayer's number begins with 9, and its fourth and fifth digits are in ranges. */
export function isTaxpayer(digits: string): boolean {
  return /^9\d\d(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])\d{4}$/.test(digits);
}

/** UIDAI: twelve digits, the first 2 to 9, the last by Verhoeff's scheme. */
export function isAadhaar(digits: string): boolean {
  return /^[2-9]\d{11}$/.test(digits) && verhoeffHolds(digits);
}

/** PESEL (Poland, weights 1 3 7 9), CPF (Brazil), SIN (Canada) and personnummer (Sweden, Luhn), beside a word for one. */
export function isCuedIdentity(reading: Reading, digits: string, from: number): boolean {
  if (digits.length < 9 || digits.length > 12 || !reading.near(cue.identity, from, 30)) return false;
  if (digits.length <= 10) return luhnHolds(digits);
  if (digits.length === 12) return isAadhaar(digits) || luhnHolds(digits.slice(2));
  return weighed(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0 || isCpf(digits);
}

function isCpf(digits: string): boolean {
  const check = (count: number) => {
    const weights = Array.from({ length: count }, (_, index) => count + 1 - index);
    return ((weighed(digits, weights) * 10) % 11) % 10 === Number(digits[count]);
  };
  return check(9) && check(10);
}

/** Forms with letters. Those that carry a check character are told by it. */
const forms: readonly [RegExp, (text: string) => boolean][] = [
  // Spain, DNI and NIE: the letter is the number modulo 23.
  [/^[XYZ\d]\d{7}[A-Z]$/, (text) => 'TRWAGMYFPDXBNJZSQVHLCKE'[numberOfDni(text) % 23] === text[8]],
  // Singapore, NRIC and FIN.
  [/^[STFGM]\d{7}[A-Z]$/, isNric],
  // Finland, henkilötunnus: a date, the century's sign, a number, and their rest modulo 31.
  [/^[0-3]\d[01]\d{3}[A-FYXWVU]\d{3}[\dA-Y]$/, isHetu],
  // Italy, codice fiscale: consonants, year, month's letter, day, place, check letter.
  [/^[A-Z]{6}\d{2}[ABCDEHLMPRST][0-7]\d[A-Z]\d{3}[A-Z]$/, () => true],
  // India, PAN (the fourth letter says whose) and GSTIN, which holds one behind a state's number.
  [
    /^(?:(?!00)[0-3]\d)?[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z](?:[1-9A-Z]Z[\dA-Z])?$/,
    (text) => [10, 15].includes(text.length),
  ],
  // CMS, Medicare beneficiary identifier: letters without S, L, O, I, B, Z in fixed places.
  [
    /^[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y\d]\d[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y\d]\d[AC-HJKMNP-RT-Y]{2}\d{2}$/,
    () => true,
  ],
];

/** Upper-case letters and digits without separators, 9 to 16 of them. */
export function isLetteredIdentity(text: string): boolean {
  return forms.some(([form, holds]) => form.test(text) && holds(text));
}

function numberOfDni(text: string): number {
  return Number(text.slice(0, 8).replace(/^[XYZ]/, (first) => String('XYZ'.indexOf(first))));
}

function isNric(text: string): boolean {
  const sum = weighed(text.slice(1), [2, 7, 6, 5, 4, 3, 2]);
  if (text[0] === 'M') return 'KLJNPQRTUWX'[10 - ((sum + 3) % 11)] === text[8];
  const later = text[0] === 'T' || text[0] === 'G' ? 4 : 0;
  const letters = text[0] === 'S' || text[0] === 'T' ? 'JZIHGFEDCBA' : 'XWUTRQPNMLK';
  return letters[(sum + later) % 11] === text[8];
}

function isHetu(text: string): boolean {
  const rest = Number(text.slice(0, 6) + text.slice(7, 10)) % 31;
  return '0123456789ABCDEFHJKLMNPRSTUVWXY'[rest] === text[10];
}
