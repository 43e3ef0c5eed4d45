/** Values that the name beside them tells: members of JSON, and `key: value` or `key=value` in text. */
import type { Kind } from '../kinds.ts';
import { classOf, wordBits } from './characters.ts';
import { cue } from './cues.ts';
import { dateForm } from './dates.ts';
import { type Key, keyOf, kindWithin, mayBeKey } from './keys.ts';
import { nameAt } from './names.ts';
import type { Reading } from './reading.ts';

/** What a value has to look like at its beginning, beside a key of the kind. */
const forms: Partial<Record<Kind, RegExp>> = {
  PHONE: /^[+(]{0,2}\d[\d ()./-]{4,22}\d(?: ?(?:x|ext\.?) ?\d{1,6})?/,
  CARD: /^\d(?:[ -]?\d){11,18}/,
  IBAN: /^[A-Z]{2}\d{2}[ -]?[A-Z\d](?:[ -]?[A-Z\d]){7,29}/i,
  BANK_ACCOUNT:
    /^(?:\d\d([- ]?)\d\d\1\d\d[ ,;/]{1,3}(?:account|acct?|no|number)?[.: ]{0,3}\d{6,10}|\d(?:[ -]?\d){5,16})/i,
  NHS_NUMBER: /^\d{3}[ -]?\d{3}[ -]?\d{4}/,
  NINO: /^[A-Z]{2} ?(?:\d{2} ?){3}[A-D]/i,
  SSN: /^\d{3}[-. ]?\d{2}[-. ]?\d{4}/,
  NATIONAL_ID: /^(?=(?:[^\d\n]{0,3}\d){6})[A-Z\d](?:[ ./-]?[A-Z\d]){5,17}/i,
  CRYPTO: /^(?=[A-Za-z]*\d)[A-Za-z\d]{20,100}/,
  POSTCODE: /^(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|\d{5}(?:-\d{4})?|(?=[A-Z\d -]{0,5}\d)[A-Z\d]{2,5}[ -]?[A-Z\d]{2,5})/i,
  PASSPORT: /^(?=(?:[^\d\n]{0,3}\d){5})[A-Z\d]{6,10}/i,
  DRIVING_LICENCE: /^(?=(?:[^\d\n]{0,9}\d){4})[A-Z\d](?:[ -]?[A-Z\d]){4,19}/i,
  VEHICLE: /^(?=[A-Z -]{0,4}\d)(?=[\d -]{0,4}[A-Z])[A-Z\d]{1,4}[ -]?[A-Z\d]{1,4}/,
};

const addressLine = /^(?=[^\n]{0,80}\p{L}{2})(?=[^\n]{0,80}[ ,])[\p{L}\d#][\p{L}\p{M}\d .,'’#/&()-]{3,120}/u;
const instant = /^\d{4}-\d\d-\d\dT[\d:.]{5,15}(?:Z|[+-]\d\d:?\d\d)?/;
const longestValue = 200;
const nobody =
  /^(?:null|none|nil|unknown|n\/?a|true|false|undefined|anonymous|system|user|assistant|admin|test|default|guest|nobody|string|name)$/i;

interface Value {
  kind: Kind;
  /** In UTF-16 units from the value's beginning. */
  length: number;
}

/** The value that begins a text of at most 200 units, beside a key of the kind. */
function valueUnder(kind: Kind, { account }: Key, text: string): Value | null {
  if ((kind === 'BANK_ACCOUNT' || account) && forms.IBAN!.test(text)) return formed('IBAN', text);
  if (kind === 'DATE_OF_BIRTH') return ended(kind, text, instant.exec(text)?.[0] ?? dateOf(text));
  if (kind === 'ADDRESS')
    return ended(kind, text, /:\/\/|@/.test(text) ? undefined : addressLine.exec(text)?.[0].trimEnd());
  return formed(kind, text);
}

function formed(kind: Kind, text: string): Value | null {
  return ended(kind, text, forms[kind]?.exec(text)?.[0]);
}

/** A value ends where its word does. */
function ended(kind: Kind, text: string, found: string | undefined): Value | null {
  if (found === undefined || /[\p{L}\p{N}_]/u.test(text.charAt(found.length))) return null;
  return { kind, length: found.length };
}

function dateOf(text: string): string | undefined {
  dateForm.lastIndex = 0;
  return dateForm.exec(text)?.[0];
}

/** The whole text as the value of the member that it stands in. True where it is one: nothing else is in it then. */
export function readWholeValue(reading: Reading): boolean {
  const { text, context } = reading;
  if (context.key === null) return false;
  const key = keyOf(context.key);
  const kind = kindWithin(key, context.path.at(-1)) ?? (key.account ? 'IBAN' : null);
  if (kind === null || text.length > longestValue) return false;
  const value = text.trim();
  const from = text.indexOf(value);
  const found = kind === 'PERSON' ? personOf(context.key, key, value) : valueUnder(kind, key, value);
  if (found === null || found.length === 0 || found.length !== value.length) return false;
  reading.add(found.kind, from, from + value.length, false);
  return true;
}

const personForm = /^\p{L}[\p{L}\p{M}.'’-]{0,40}(?: {1,2}[\p{L}\p{M}.'’-]{1,40}){0,5}$/u;

/** Under a key that names a person's name every word is one; under `recipient` only two with capitals are. */
function personOf(name: string, { account }: Key, value: string): Value | null {
  if (account && forms.IBAN!.test(value)) return { kind: 'IBAN', length: value.length };
  if (!personForm.test(value) || nobody.test(value)) return null;
  const said = /name/i.test(name) || /^(?:first|last)$/i.test(name);
  return said || /^\p{Lu}\p{Ll}+ (?:.* )?\p{Lu}\p{Ll}+$/u.test(value) ? { kind: 'PERSON', length: value.length } : null;
}

const opening = /[ \t]{0,8}(?:\r?\n[ \t]{0,8})?(?:\\{0,3}["'`]|\*{0,2})?/y;

const longestKey = 40;

/** `date-of-birth`: back over the words that hyphens join. */
function keyStart(text: string, wordFrom: number): number {
  let from = wordFrom;
  while (
    wordFrom - from < longestKey &&
    text.charCodeAt(from - 1) === 45 &&
    (classOf(text.charCodeAt(from - 2)) & wordBits) !== 0
  ) {
    from -= 2;
    while (wordFrom - from < longestKey && (classOf(text.charCodeAt(from - 1)) & wordBits) !== 0) from -= 1;
  }
  return from;
}

/**
 * In running text these are told by their own rules, for which the key is a cue: what breaks the rules beside it is a
 * number of another kind.
 */
const ruled = new Map<Kind, number>([
  ['CARD', cue.card],
  ['NHS_NUMBER', cue.nhs],
  ['NINO', cue.nino],
  ['SSN', cue.ssn],
]);

/** `at` is the sign behind a key whose last word ended just before it. Returns where the reading goes on. */
export function readKeyed(reading: Reading, wordFrom: number, wordTo: number, at: number): number {
  const { text } = reading;
  if (wordTo - wordFrom > longestKey || !mayBeKey(text, wordTo)) return at + 1;
  const name = text.slice(keyStart(text, wordFrom), wordTo);
  const key = keyOf(name);
  const { kind } = key;
  if (kind !== null) reading.noteCue(ruled.get(kind) ?? 0, at);
  if (kind === null || ruled.has(kind) || /[=>:/]/.test(text.charAt(at + 1))) return at + 1;
  const from = at + 1 + reading.match(opening, at + 1)!.length;
  const found = kind === 'PERSON' ? personAt(reading, name, from) : valueUnder(kind, key, lineFrom(reading, from));
  if (found === null || found.length === 0 || isOddAddress(found, text.slice(from, from + found.length))) return at + 1;
  reading.add(found.kind, from, from + found.length, false);
  return from + found.length;
}

/** What stands between the quotes; without quotes the rest of the line. An apostrophe within a value ends none. */
function lineFrom({ text }: Reading, from: number): string {
  const value = text.slice(from, from + longestValue);
  const end = text.charAt(from - 1) === "'" ? /'(?=[,;:)}\]\s]|$)|\n/ : /\\{0,3}["`\n]/;
  const at = value.search(end);
  return at === -1 ? value : value.slice(0, at);
}

/** In running text an address has a number and a name with a capital: `address: see below` has not. */
function isOddAddress({ kind }: Value, value: string): boolean {
  return (
    kind === 'ADDRESS' && !(/\d/.test(value) && /\p{Lu}/u.test(value) && value.includes(' ') && !/[()]/.test(value))
  );
}

function personAt(reading: Reading, key: string, from: number): Value | null {
  const name = nameAt(reading, from, /name$/i.test(key) ? 1 : 2);
  return name === null ? null : { kind: 'PERSON', length: name.length };
}
