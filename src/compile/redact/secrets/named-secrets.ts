/** Secrets that a word before them names: a key, a flag, a phrase, a keyword of SQL, a scheme of HTTP, a cue. */
import { pastSpaces, type Value, valueAfter, valueAt } from './assignments.ts';
import { type KeyStrength, strengthOfKey } from './key-names.ts';
import { bitsPerCharacter, isSecret, looksRandom, looksRandomBase64, standsForAnother } from './values.ts';

export interface NamedSecret {
  from: number;
  to: number;
}

const space = 32;
const dash = 45;
const equals = 61;
const colon = 58;
const lineFeed = 10;
const backslash = 92;

/** A quote, a backslash before one, `]`, `>`, `=`, `:` */
const mayFollowName = new Set([34, 39, 96, backslash, 93, 62, equals, colon]);

/** Of a text that is the whole value of a key. */
export function secretOfKey(text: string, strength: KeyStrength): NamedSecret | null {
  const from = text.length - text.trimStart().length;
  const value: Value = { from, to: text.trimEnd().length, writing: 'quoted' };
  return strength === 'header' ? credentialIn(text, value) : checked(text, value, strength);
}

/**
 * @param from where a word of letters, digits, `_` and `-` begins that may name a secret or a command
 * @param to where it ends
 */
export function secretAfterWord(text: string, from: number, to: number): NamedSecret | null {
  const command = commands.get(text.slice(from, to).toLowerCase());
  if (command !== undefined) return passwordOfCommand(text, to, command);
  const next = text.charCodeAt(to);
  const named = next === space ? afterSpace(text, from, to) : mayFollowName.has(next) ? assigned(text, from, to) : null;
  return named ?? afterCue(text, from, to);
}

function afterSpace(text: string, from: number, to: number): NamedSecret | null {
  if (text.charCodeAt(from) === dash) return flagged(text, from, to) ?? assigned(text, from, to);
  const at = pastSpaces(text, to);
  const sign = text.charCodeAt(at);
  if (sign === equals || sign === colon) return assigned(text, from, to);
  if (sign === 34 || sign === 39) return keyword(text, from, to, at);
  if (text.startsWith('is ', at)) return phrase(text, from, to, at + 3);
  return to - from === 6 && /^bearer$/i.test(text.slice(from, to)) ? bearer(text, at) : null;
}

function checked(text: string, value: Value | null, strength: KeyStrength): NamedSecret | null {
  if (value === null || !isSecret(text.slice(value.from, value.to), strength, value.writing)) return null;
  return { from: value.from, to: value.to };
}

const maxName = 64;
const secondWord = /^(?:key|keys|token|code|phrase|secret)$/i;
const firstWord = /([A-Za-z][A-Za-z-]{1,20})[ ]$/;

/** By the word, or by it and the word before: `API key`, `security code`. */
function strengthOfWord(text: string, from: number, to: number): KeyStrength | null {
  if (to - from > maxName) return null;
  const word = text.slice(from, to);
  const first = secondWord.test(word) ? firstWord.exec(text.slice(Math.max(0, from - 24), from))?.[1] : undefined;
  return strengthOfKey(first === undefined ? word : `${first}_${word}`);
}

function assigned(text: string, from: number, to: number): NamedSecret | null {
  const strength = strengthOfWord(text, from, to);
  if (strength === null) return null;
  const value = valueAfter(text, from, to);
  if (value === null) return null;
  if (strength === 'cookie') return checked(text, restOfLine(text, value), strength);
  if (strength === 'header') return credentialIn(text, restOfLine(text, value));
  // `self._password = password`
  if (value.writing !== 'quoted' && isNameAgain(text.slice(from, to), text.slice(value.from, value.to))) return null;
  const isLine = endsLine(text, value) && text.slice(to, value.from).includes(':');
  return checked(text, isLine ? { ...value, writing: 'assigned' } : value, strength);
}

const isNameAgain = (name: string, value: string) => name.replace(/^_+/, '').toLowerCase() === value.toLowerCase();

/** `password: letmein` on a line of its own, which a type or another name seldom is. */
function endsLine(text: string, { to, writing }: Value): boolean {
  if (writing !== 'bare') return false;
  const next = text.charCodeAt(to);
  return to === text.length || next === lineFeed || next === 13 || (next === backslash && text[to + 1] === 'n');
}

const lineRest = /[^\r\n"'`\\⟦⟧]{1,1024}/y;

function restOfLine(text: string, { from }: Value): Value {
  lineRest.lastIndex = from;
  return { from, to: lineRest.test(text) ? lineRest.lastIndex : from, writing: 'quoted' };
}

const scheme = /(?:(?:Bearer|Basic|Token|Digest|ApiKey|Negotiate|OAuth|Key)\s{1,4})?/iy;
const credential = /[^\s"'`\\,;<>(){}[\]⟦⟧]{8,1024}/y;

/** The scheme stays, what follows it goes. */
function credentialIn(text: string, { from, to }: Value): NamedSecret | null {
  scheme.lastIndex = from;
  scheme.test(text);
  const begin = scheme.lastIndex;
  credential.lastIndex = begin;
  if (!credential.test(text) || credential.lastIndex > to) return null;
  const value = text.slice(begin, credential.lastIndex);
  const known =
    begin > from
      ? !/^[a-z-]+$/.test(value) && !standsForAnother(value)
      : looksRandom(value) && !standsForAnother(value);
  return known ? { from: begin, to: credential.lastIndex } : null;
}

function bearer(text: string, at: number): NamedSecret | null {
  const value = valueAt(text, at, 'bare');
  if (value === null || value.to - value.from < 16) return null;
  const credentials = text.slice(value.from, value.to);
  return looksRandom(credentials) && !standsForAnother(credentials) ? value : null;
}

/** `--password hunter2` */
function flagged(text: string, from: number, to: number): NamedSecret | null {
  const at = pastSpaces(text, to);
  const strength = strengthOfWord(text, from, to);
  // `--show-secrets` says how, not what.
  if (strength === null || text.charCodeAt(at) === dash || /[^s]s$/i.test(text.slice(from, to))) return null;
  return checked(text, valueAt(text, at, 'assigned'), strength);
}

/** `curl -u name:hunter2`, `mysql -u name -phunter2`, `sshpass -p hunter2`: up to the password, on the same line. */
const userOption = /[^\n|;]{0,200}?\s(?:-u|--user)[ =]?["']?[^\s:"'⟦⟧-][^\s:"'⟦⟧]{0,63}:/y;
const commands = new Map([
  ['curl', userOption],
  ['wget', userOption],
  ['mysql', /[^\n|;]{0,200}?\s-p/y],
  ['mysqldump', /[^\n|;]{0,200}?\s-p/y],
  ['mysqladmin', /[^\n|;]{0,200}?\s-p/y],
  ['sshpass', /\s-p ?/y],
]);
const argument = /[^\s"'⟦⟧]{3,256}/y;

function passwordOfCommand(text: string, at: number, toPassword: RegExp): NamedSecret | null {
  toPassword.lastIndex = at;
  if (!toPassword.test(text)) return null;
  const quote = /["']/.test(text[toPassword.lastIndex]!) ? 1 : 0;
  argument.lastIndex = toPassword.lastIndex + quote;
  const from = argument.lastIndex;
  if (!argument.test(text)) return null;
  return checked(text, { from, to: argument.lastIndex, writing: 'assigned' }, 'strong');
}

/** `ALTER USER … PASSWORD '…'`, `IDENTIFIED BY '…'`. */
function keyword(text: string, from: number, to: number, at: number): NamedSecret | null {
  const word = text.slice(from, to);
  const names =
    /^by$/i.test(word) && /identified\s{1,4}$/i.test(text.slice(Math.max(0, from - 16), from))
      ? 'strong'
      : strengthOfWord(text, from, to);
  return names !== 'strong' ? null : checked(text, valueAt(text, at, 'bare'), names);
}

const algorithm = /^(?:sha|md|utf|aes|rsa|bcrypt|argon|base)-?\d+/i;

/** `the password is hunter2`: only where what follows is no word. */
function phrase(text: string, from: number, to: number, at: number): NamedSecret | null {
  const strength = strengthOfWord(text, from, to);
  const value = strength === null ? null : valueAt(text, pastSpaces(text, at), 'bare');
  if (value === null || algorithm.test(text.slice(value.from, value.to))) return null;
  if (value.writing === 'bare' && !/\d/.test(text.slice(value.from, value.to))) return null;
  return checked(text, value, strength!);
}

const randomWordAhead = /[^⟦⟧]{0,32}?(?<![\w+/=-])([\w+/-]{20,256}={0,2})/y;
const secretWord = /(?:key|token|secret|passw(?:or)?d|passphrase|credential|bearer)s?$/i;
const ofAnotherThing =
  /commit|sha|hash|checksum|digest|md5|etag|uuid|guid|revision|fingerprint|public|page|cursor|cache|\bid\b|https?:|file|path|blob|image|order|invoice|tracking|[/\\]$/i;
const hex = /^[0-9a-f]+$/i;

/** A long random word shortly behind a word for a secret. */
function afterCue(text: string, from: number, to: number): NamedSecret | null {
  if (!secretWord.test(text.slice(from, to)) || strengthOfWord(text, from, to) === null) return null;
  randomWordAhead.lastIndex = to;
  const word = randomWordAhead.exec(text)?.[1];
  if (word === undefined || !looksLikeKey(word)) return null;
  const begin = randomWordAhead.lastIndex - word.length;
  return ofAnotherThing.test(text.slice(to, begin)) ? null : { from: begin, to: begin + word.length };
}

const minHexLength = 32;
const minBits = 3.3;
const wordsIn = /[A-Z]?[a-z]+|[A-Z]+|\d+/g;
/** `decodeBase64String` has longer words than chance makes. */
const mostOfWord = 3;

function looksLikeKey(value: string): boolean {
  if (value.includes('/') || value.includes('+')) return looksRandomBase64(value);
  if (!looksRandom(value) || bitsPerCharacter(value) < minBits) return false;
  if (hex.test(value)) return value.length >= minHexLength && /[a-f]/i.test(value);
  const words = value.match(wordsIn)!;
  return words.join('').length / words.length < mostOfWord;
}
