/** Words of letters and digits: postcodes, registration marks, licences, passports, accounts, wallets. */
import { isDigit } from './characters.ts';
import { base58CheckHolds, bech32Holds } from './checksums.ts';
import { cue } from './cues.ts';
import { readIban } from './iban.ts';
import { isLetteredIdentity } from './identities.ts';
import type { Reading } from './reading.ts';

/** A detector at a word: where the reading goes on, null where it found nothing. */
type Read = (reading: Reading, from: number, to: number) => number | null;

/** Who looks at a word of letters and digits, by its length; the first that finds something has it. */
const readers: readonly { least: number; most: number; read: Read }[] = [
  { least: 2, most: 7, read: readPostcode },
  { least: 4, most: 34, read: readIban },
  { least: 2, most: 7, read: readVehicle },
  { least: 9, most: 9, read: readNino },
  { least: 16, most: 16, read: readLicence },
  { least: 26, most: 90, read: readWallet },
  { least: 6, most: 9, read: readPassport },
  { least: 9, most: 16, read: readIdentity },
];
const readersByLength = Array.from({ length: 91 }, (_, length) =>
  readers.flatMap(({ least, most, read }) => (length >= least && length <= most ? [read] : [])),
);
const caseless = cue.postcode | cue.address | cue.account | cue.passport | cue.nino;
const longestCue = 60;

/** `from` and `to` are of the word, `capital` says that it has no small letters. Returns where the reading goes on. */
export function readMark(reading: Reading, from: number, to: number, capital: boolean): number {
  if (isPart(reading.text, from) || !(capital || mayBeMark(reading, from, to))) return to;
  for (const read of readersByLength[to - from] ?? []) {
    const end = read(reading, from, to);
    if (end !== null) return end;
  }
  return to;
}

/** Short words with small letters are marks only beside a cue; those of code are many. */
function mayBeMark(reading: Reading, from: number, to: number): boolean {
  const length = to - from;
  if (length >= 26 || length === 9 || length === 16 || reading.near(caseless, from, longestCue)) return true;
  return mayBeIban(reading.text, from, to);
}

/** Two letters and two digits, and as many characters as a short one has, or a space behind the first four. */
function mayBeIban(text: string, from: number, to: number): boolean {
  if (!isDigit(text.charCodeAt(from + 2)) || !isDigit(text.charCodeAt(from + 3))) return false;
  return to - from >= 15 || (to - from === 4 && text.charCodeAt(to) === 32);
}

/** A word of two or three letters before a space and a digit: `AA 12 34 56 B`, `ABC 123D`, `GIR 0AA`, `WA 98101`. */
export function readSpacedMark(reading: Reading, from: number, to: number): number {
  if (isPart(reading.text, from)) return to;
  if (to - from === 3) return readPostcode(reading, from) ?? readVehicle(reading, from) ?? to;
  if (isState(reading, from, to)) reading.noteCue(cue.state, to);
  return readNino(reading, from) ?? to;
}

const states = new Set(
  'AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY AE AP AA'.split(
    ' ',
  ),
);

/** USPS, Publication 28 appendix B: behind a place and a comma, as `OK` and `ID` are words as well. */
function isState({ text }: Reading, from: number, to: number): boolean {
  return states.has(text.slice(from, to)) && /, $|\b[AFD]PO $/.test(text.slice(Math.max(0, from - 4), from));
}

/** Behind a hyphen, a dot, a slash or a plus sign: part of an identifier, a path or encoded bytes. */
function isPart(text: string, from: number): boolean {
  const before = text.charCodeAt(from - 1);
  return before === 45 || before === 46 || before === 47 || before === 43;
}

const area =
  'A[BL]|B[ABDHLNRST]?|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]?|F[KY]|G[LUY]?|H[ADGPRSUX]|I[GMPV]|JE|K[ATWY]|L[ADELNSU]?|M[EKL]?|N[EGNPRW]?|O[LX]|P[AEHLOR]|R[GHM]|S[AEGKLMNOPRSTWY]?|T[ADFNQRSW]|UB|W[ACDFNRSV]?|YO|ZE';
const inward = '\\d[ABD-HJLNP-UW-Z]{2}';
const postcode = new RegExp(`(?:(?:${area})(?:\\d\\d?|\\d[A-HJKMNPR-Y])( ?)${inward}|GIR ?0AA)(?![\\w-])`, 'y');
const anyCase = new RegExp(postcode.source, 'iy');
/** `S1 2ND`, `P2 3XL`, `E5 4GB`: ordinals, sizes and amounts behind a single letter and a digit. */
const ambiguous = /^[A-Z]\d \d(?:ND|ST|TH|XL|GB|TB|HP|WD|ED)$/;

/**
 * Royal Mail, "Programmers' guide to PAF" and BS 7666: one of 124 areas, a district, and the inward part without
 * C I K M O V. Lower case needs a cue.
 */
function readPostcode(reading: Reading, from: number): number | null {
  const cued = reading.near(cue.postcode | cue.address, from, longestCue);
  const found = reading.match(cued ? anyCase : postcode, from);
  if (found === null || (!cued && ambiguous.test(found))) return null;
  const spaced = found.includes(' ');
  // Without the space the form is that of many a part number: it must be a whole word of six or seven.
  if (!spaced && !cued && found.length < 6) return null;
  reading.add('POSTCODE', from, from + found.length, spaced && found.length >= 7);
  return from + found.length;
}

const current = /[A-HJ-PR-Y][A-HJ-PR-Y](?:0[2-9]|[12]\d|5[1-9]|[67]\d) ?[A-HJ-PR-Z]{3}(?![\w-])/y;
const prefixed = /[A-HJ-NPR-TV-Y]\d{1,3} ?[A-HJ-PR-Y][A-HJ-PR-Z]{2}(?![\w-])/y;
const suffixed = /[A-HJ-PR-Y][A-HJ-PR-Z]{2} ?\d{1,3}[A-HJ-NPR-TV-Y](?![\w-])/y;
const currencies = /^(?:USD|EUR|GBP|CHF|JPY|AUD|CAD|NZD|SEK|NOK|DKK|INR|CNY)/;

/**
 * DVLA, "Vehicle registration numbers and number plates" (INF104): the current form (two letters of a place, the half
 * year, three letters), the prefix form of 1983 to 2001, the suffix form of 1963 to 1983. The older two look like many
 * other things and need a cue, or to be a whole value.
 */
function readVehicle(reading: Reading, from: number): number | null {
  const found = reading.match(current, from) ?? olderMark(reading, from);
  if (found === null) return null;
  reading.add('VEHICLE', from, from + found.length, false);
  return from + found.length;
}

function olderMark(reading: Reading, from: number): string | null {
  const found = reading.match(prefixed, from) ?? reading.match(suffixed, from);
  if (found === null || currencies.test(found)) return null;
  if (reading.near(cue.vehicle, from, 40)) return found;
  const whole = reading.isAll(from, from + found.length) && (found.includes(' ') || found.length === 7);
  return whole ? found : null;
}

const nino = /(?!BG|GB|NK|KN|TN|NT|ZZ)[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z]( ?)\d\d\1\d\d\1\d\d\1[A-D](?![\w-])/iy;
const ninoPairs = /(?!BG|GB|NK|KN|TN|NT|ZZ)[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z] \d{6} [A-D](?![\w-])/iy;

/**
 * HMRC, National Insurance Manual NIM39110: no D F I Q U V in the prefix, no O as its second letter, seven prefixes not
 * used, a suffix A to D. In lower case some are hexadecimal numbers: those need a cue.
 */
function readNino(reading: Reading, from: number): number | null {
  const found = reading.match(nino, from) ?? reading.match(ninoPairs, from);
  if (found === null) return null;
  if (/^[\da-f]+$/.test(found) && !reading.near(cue.nino, from, 40)) return null;
  reading.add('NINO', from, from + found.length, found === found.toUpperCase());
  return from + found.length;
}

const licence =
  /^(?:[A-Z]{5}|[A-Z]{4}9|[A-Z]{3}99|[A-Z]{2}999|[A-Z]9999)\d(?:0[1-9]|1[0-2]|5[1-9]|6[0-2])(?:0[1-9]|[12]\d|3[01])\d[A-Z9]{2}[A-Z\d][A-Z]{2}$/i;

/**
 * DVLA, driver number: five of the surname filled up with 9, the decade, the month (plus 50 for women), the day, the
 * year, two initials or 9, a digit or letter, two letters.
 */
function readLicence(reading: Reading, from: number, to: number): number | null {
  const word = reading.text.slice(from, to);
  if (!licence.test(word)) return null;
  reading.add('DRIVING_LICENCE', from, to, true);
  return to;
}

/** Bitcoin (Base58Check, bech32) and Ethereum addresses. */
function readWallet(reading: Reading, from: number, to: number): number | null {
  const word = reading.text.slice(from, to);
  if (!isWallet(word)) return null;
  reading.add('CRYPTO', from, to, true);
  return to;
}

function isWallet(word: string): boolean {
  if (word.length === 42 && /^0x[\da-f]{40}$/i.test(word)) return true;
  if (/^bc1/i.test(word)) return bech32Holds(word);
  return word.length <= 35 && /^[13]/.test(word) && base58CheckHolds(word);
}

/** ICAO 9303 gives documents up to nine letters and digits; with no check digit of their own they need a cue. */
function readPassport(reading: Reading, from: number, to: number): number | null {
  if (!reading.near(cue.passport, from, 30)) return null;
  if (!/^[A-Z]{1,3}\d{5,8}[A-Z]?$/i.test(reading.text.slice(from, to))) return null;
  reading.add('PASSPORT', from, to, false);
  return to;
}

function readIdentity(reading: Reading, from: number, to: number): number | null {
  const word = reading.text.slice(from, to);
  if (word !== word.toUpperCase() || !isLetteredIdentity(word)) return null;
  reading.add('NATIONAL_ID', from, to, false);
  return to;
}
