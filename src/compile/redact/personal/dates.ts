/** Dates of birth: a date is one only beside a word that says so. */
import { cue } from './cues.ts';
import type { Reading } from './reading.ts';

const months =
  'jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?';
const written = `\\d{1,2}(?:st|nd|rd|th)?[ -](?:of )?(?:${months})[ ,-]{1,2}\\d{2,4}|(?:${months}) \\d{1,2}(?:st|nd|rd|th)?,? \\d{4}`;
const numeric = '\\d{4}([-./ ])\\d{1,2}\\1\\d{1,2}|\\d{1,2}([-./ ])\\d{1,2}\\2(?:\\d{4}|\\d{2})';

/** A calendar date, in figures or with the month's name, day or year first. */
export const dateForm = new RegExp(`(?:${numeric}|${written})(?![\\w])`, 'iy');

const longestGap = 24;
/** `born on`, `birth date:`, `dob": "`: nothing but words that lead from the cue to the date. */
const leading = /(?:dob|born|birth|birthday|birthdate)(?:["'*\s:=(-]|\b(?:is|was|on|date|the|in)\b){1,20}$/i;

function isBeside(text: string, from: number): boolean {
  return leading.test(text.slice(Math.max(0, from - longestGap - 9), from));
}

/** `from` is at a digit or at a month's name. Returns where the reading goes on, `from` where there is none. */
export function readDateOfBirth(reading: Reading, from: number): number {
  if (!reading.near(cue.birth, from, longestGap) || !isBeside(reading.text, from)) return from;
  const found = reading.match(dateForm, from);
  if (found === null) return from;
  reading.add('DATE_OF_BIRTH', from, from + found.length, false);
  return from + found.length;
}
