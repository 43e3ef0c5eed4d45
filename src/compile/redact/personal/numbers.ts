/** Whatever begins with digits alone: cards, telephones, identity numbers, accounts, dates of birth, IPv4. */
import { cardIn, cardShapes } from './cards.ts';
import { isDigit, isPlainWord } from './characters.ts';
import { nhsHolds } from './checksums.ts';
import { cue } from './cues.ts';
import { readDateOfBirth } from './dates.ts';
import { type Groups, groupsFrom } from './groups.ts';
import { isAadhaar, isCuedIdentity, isSsn, isTaxpayer } from './identities.ts';
import { readIpv4 } from './network.ts';
import {
  americanLongShapes,
  americanShapes,
  britishShapes,
  extension,
  isAmerican,
  isBritish,
  isCued,
  isDialledAbroad,
  isInternational,
} from './phones.ts';
import type { Reading } from './reading.ts';

interface Row {
  digits: string;
  shape: string;
  from: number;
  to: number;
}

/** Whether the row is of the family, then noted as such. Returns where the reading goes on, or null. */
type Family = (reading: Reading, row: Row) => number | null;

/** What a row of groups may be, by its lengths and separators: one look tells most numbers from all of them. */
const families = new Map<string, Family[]>();

function family(shapes: readonly string[], read: Family): void {
  for (const shape of shapes) families.set(shape, [...(families.get(shape) ?? []), read]);
}

family(cardShapes, readCard);
family(['3 3 4', '3-3-4'], readNhs);
family(['10'], (reading, row) => (reading.near(cue.nhs, row.from, 30) ? readNhs(reading, row) : null));
family(['3-2-4', '3 2 4', '3.2.4'], readSsn);
family(['9', '3-6', '5-4'], (reading, row) => (reading.near(cue.ssn, row.from, 30) ? readSsn(reading, row) : null));
family([...americanShapes, ...americanLongShapes], readAmerican);
family(britishShapes, readBritish);
family(['2-2-2', '2 2 2', '2-2-2 8', '2 2 2 8', '6', '6 8'], readSortCode);
family(['8'], readAccount);
family(['9'], readPassport);
family(['5', '5-4'], readZip);
family(['4 4 4', '4-4-4'], (reading, row) => (isAadhaar(row.digits) ? note(reading, 'NATIONAL_ID', row, false) : null));

/** In one piece, as ISO/IEC 7812 allows. */
const longestNumber = 19;

/** `from` and `to` are of the first group of digits. Returns where the reading goes on. */
export function readNumber(reading: Reading, from: number, to: number): number {
  const { text } = reading;
  const length = to - from;
  const joined = joins(text, to);
  if (length > longestNumber) return to;
  if (joined && length <= 5 && text.charCodeAt(to) === 46) {
    const end = readIpv4(reading, from);
    if (end !== from) return end;
  }
  const date = readDateOfBirth(reading, from);
  if (date !== from) return date;
  const before = text.charCodeAt(from - 1);
  if ((length < 5 && !joined) || (continues(before) && isDigit(text.charCodeAt(from - 2)))) return to;
  if (before === 43) return readInternational(reading, from);
  // No row of groups but an American number with its country's code begins with one digit.
  const followed = isDigit(text.charCodeAt(to + 2)) && isDigit(text.charCodeAt(to + 3));
  return length === 1 && !followed ? to : readRows(reading, from, to);
}

/** Whether a digit or a bracket comes behind a space, a hyphen, a dot or a slash; or a bracket closes. */
function joins(text: string, to: number): boolean {
  const sign = text.charCodeAt(to);
  if (sign === 41) return true;
  if (sign !== 32 && (sign < 45 || sign > 47) && sign !== 0xa0 && sign !== 0x2011) return false;
  const next = text.charCodeAt(to + 1);
  return isDigit(next) || next === 40;
}

/** Behind a digit and one of these a number has begun before: comma, hyphen, dot, slash, colon. */
function continues(code: number): boolean {
  return (code >= 44 && code <= 47) || code === 58;
}

/** The longest row of groups that is something. */
function readRows(reading: Reading, from: number, to: number): number {
  const groups = groupsFrom(reading.text, from);
  if (groups === null) return to;
  for (let last = groups.ends.length - 1; last >= 0; last -= 1) {
    const digits = groups.digits[last]!;
    if (digits.length < 5) break;
    if (digits.length <= 19 && endsAt(reading.text, groups, last)) {
      const row = { digits, shape: groups.shapes[last]!, from, to: groups.ends[last]! };
      const end = readRow(reading, row);
      if (end !== null) return end;
    }
  }
  return to;
}

/** A row ends where neither a word nor, behind a hyphen, dot or slash, a number goes on. */
function endsAt(text: string, { ends }: Groups, last: number): boolean {
  const end = ends[last]!;
  const next = text.charCodeAt(end);
  if (isPlainWord(next)) return false;
  return !(next >= 45 && next <= 47 && isDigit(text.charCodeAt(end + 1)));
}

function readRow(reading: Reading, row: Row): number | null {
  for (const read of families.get(row.shape) ?? []) {
    const end = read(reading, row);
    if (end !== null) return end;
  }
  if (isDialledAbroad(row.digits, row.shape)) return notePhone(reading, row.from, row.to, false);
  if (isCuedIdentity(reading, row.digits, row.from)) return note(reading, 'NATIONAL_ID', row, false);
  if (!isCued(reading, row.digits, row.shape, row.from, row.to)) return null;
  return notePhone(reading, bracketed(reading, row.from), row.to, false);
}

function note(
  reading: Reading,
  kind: 'CARD' | 'NHS_NUMBER' | 'SSN' | 'NATIONAL_ID' | 'BANK_ACCOUNT' | 'POSTCODE' | 'PASSPORT',
  { from, to }: Row,
  certain: boolean,
): number {
  reading.add(kind, from, to, certain);
  return to;
}

/** Joined to a word by a hyphen it is a part of an identifier: `host-pub-2644536267352236`. */
function readCard(reading: Reading, row: Row): number | null {
  const sure = cardIn(row.digits);
  if (sure === null) return null;
  const joined = /[A-Za-z][-/]$/.test(reading.text.slice(Math.max(0, row.from - 2), row.from));
  if ((joined || sure === 'with cue') && !reading.near(cue.card, row.from, 30)) return null;
  return note(reading, 'CARD', row, sure === 'certain');
}

/** Where a number of ten digits could also be dialled in America, its spaces say that it is none. */
function readNhs(reading: Reading, row: Row): number | null {
  if (!nhsHolds(row.digits)) return null;
  if (row.shape === '3-3-4' && /^[2-9]\d\d[2-9]/.test(row.digits)) return null;
  return note(reading, 'NHS_NUMBER', row, row.shape === '3 3 4');
}

function readSsn(reading: Reading, row: Row): number | null {
  if (isSsn(row.digits)) return note(reading, 'SSN', row, row.shape === '3-2-4');
  return row.shape === '3-2-4' && isTaxpayer(row.digits) ? note(reading, 'NATIONAL_ID', row, true) : null;
}

function readAmerican(reading: Reading, { digits, shape, from, to }: Row): number | null {
  if (!isAmerican(digits, shape)) return null;
  // Three numbers in a row may have nothing but spaces between them.
  return notePhone(reading, bracketed(reading, from), to, !shape.includes('3 3 4'));
}

function readBritish(reading: Reading, { digits, shape, from, to }: Row): number | null {
  if (!isBritish(digits, shape)) return null;
  return notePhone(reading, bracketed(reading, from), to, true);
}

/** `(020`: the bracket belongs to the number. */
function bracketed(reading: Reading, from: number): number {
  if (reading.text.charCodeAt(from - 1) !== 40) return from;
  const closing = reading.text.indexOf(')', from);
  return closing !== -1 && closing - from <= 5 ? from - 1 : from;
}

function notePhone(reading: Reading, from: number, to: number, certain: boolean): number {
  const end = to + (reading.match(extension, to)?.length ?? 0);
  reading.add('PHONE', from, end, certain);
  return end;
}

/** From a plus sign on. The trunk prefix in brackets is not dialled from abroad: `+46 (0)8 928`. */
function readInternational(reading: Reading, from: number): number {
  const groups = groupsFrom(reading.text, from);
  if (groups === null || isPlainWord(reading.text.charCodeAt(from - 2))) return from + 1;
  for (let last = groups.ends.length - 1; last >= 0; last -= 1) {
    const digits = groups.digits[last]!;
    if (isInternational(digits) && endsAt(reading.text, groups, last)) {
      return notePhone(reading, from - 1, groups.ends[last]!, true);
    }
  }
  return groups.ends[0]!;
}

/** Vocalink, "Validating account numbers": a sort code of six digits, an account of eight (of six to ten at some banks). */
const accountBehind = /[ ,;/]{1,3}(?:(?:account|acc|acct|a\/c|number|no|and)\b[.:# ]{0,3}){0,3}\d{6,10}\b/iy;

function readSortCode(reading: Reading, row: Row): number | null {
  const cued = reading.near(cue.sort, row.from, 24);
  if (row.digits.length === 14)
    return cued || row.shape.startsWith('2-2-2') ? note(reading, 'BANK_ACCOUNT', row, false) : null;
  const account = reading.match(accountBehind, row.to);
  if (!cued && (account === null || row.shape !== '2-2-2')) return null;
  return note(reading, 'BANK_ACCOUNT', account === null ? row : { ...row, to: row.to + account.length }, false);
}

/** ICAO 9303: British and American passports have nine digits and no check digit outside the machine-readable zone. */
function readPassport(reading: Reading, row: Row): number | null {
  return reading.near(cue.passport, row.from, 24) ? note(reading, 'PASSPORT', row, false) : null;
}

const calendarDay = /^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$/;

function readAccount(reading: Reading, row: Row): number | null {
  if (reading.near(cue.sort, row.from, 60)) return note(reading, 'BANK_ACCOUNT', row, false);
  if (calendarDay.test(row.digits) || !reading.near(cue.bank, row.from, 20)) return null;
  return note(reading, 'BANK_ACCOUNT', row, false);
}

/** USPS: five digits, behind a state or a word for them; four more say where in its area. */
function readZip(reading: Reading, row: Row): number | null {
  const cued = reading.near(cue.postcode, row.from, 12) || reading.near(cue.state, row.from, 3);
  return cued ? note(reading, 'POSTCODE', row, false) : null;
}
