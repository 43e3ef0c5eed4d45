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

const minRandomWord = 20;

/** Of a text that is the whole value of a key. */
export function secretOfKey(text: string, strength: KeyStrength): NamedSecret | null {
  const from = text.length - text.trimStart().length;
  const value: Value = { from, to: text.trimEnd().length, writing: 'quoted' };
  return strength === 'header' ? credentialIn(text, value) : checked(text, value, strength);
}

/** @param from where a word of letters, digits, `_` and `-` begins @param to where it ends */
export function secretAfterWord(text: string, from: number, to: number): NamedSecret | null {
  const next = text.charCodeAt(to);
  const attached = text.charCodeAt(from) === dash ? attachedPassword(text, from, to) : null;
  if (attached !== null) return attached;
  const named = next === space ? afterSpace(text, from, to) : mayFollowName.has(next) ? assigned(text, from, to) : null;
  return named ?? (to - from >= minRandomWord ? afterCue(text, from) : null);
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
  if (secondWord.test(word)) {
    const first = firstWord.exec(text.slice(Math.max(0, from - 24), from))?.[1];
    const both = first === undefined ? null : strengthOfKey(`${first}_${word}`);
    if (both !== null) return both;
  }
  return strengthOfKey(word);
}

function assigned(text: string, from: number, to: number): NamedSecret | null {
  const strength = strengthOfWord(text, from, to);
  if (strength === null) return null;
  const value = valueAfter(text, from, to);
  if (value === null) return null;
  if (strength === 'cookie') return checked(text, restOfLine(text, value), strength);
  if (strength === 'header') return credentialIn(text, restOfLine(text, value));
  return checked(text, endsLine(text, value) ? { ...value, writing: 'assigned' } : value, strength);
}

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
  const known = begin > from ? !/^[a-z-]+$/.test(value) && !standsForAnother(value) : looksRandom(value);
  return known ? { from: begin, to: credential.lastIndex } : null;
}

function bearer(text: string, at: number): NamedSecret | null {
  const value = valueAt(text, at, 'bare');
  if (value === null || value.to - value.from < 16) return null;
  return looksRandom(text.slice(value.from, value.to)) ? value : null;
}

/** `--password hunter2`, `mysql -phunter2`, `sshpass -p hunter2`, `curl -u name:hunter2`. */
function flagged(text: string, from: number, to: number): NamedSecret | null {
  const at = pastSpaces(text, to);
  if (text.startsWith('-u ', from) || text.startsWith('--user ', from)) return userOfCommand(text, from, at);
  if (text.startsWith('-p ', from)) return commandBefore(/\bsshpass\b/, text, from) ? argumentAt(text, at) : null;
  const strength = strengthOfWord(text, from, to);
  if (strength === null || text.charCodeAt(at) === dash) return null;
  const value = valueAt(text, at, 'assigned');
  return checked(text, value, strength);
}

const commandReach = 120;

function commandBefore(command: RegExp, text: string, at: number): boolean {
  return command.test(
    text
      .slice(Math.max(0, at - commandReach), at)
      .split('\n')
      .at(-1)!,
  );
}

function attachedPassword(text: string, from: number, to: number): NamedSecret | null {
  if (to - from < 4 || !text.startsWith('-p', from) || !commandBefore(/\bmysql\w*\b/, text, from)) return null;
  return argumentAt(text, from + 2);
}

function argumentAt(text: string, at: number): NamedSecret | null {
  return checked(text, valueAt(text, at, 'assigned'), 'strong');
}

const nameAndPassword = /(["']?[^\s:"'⟦⟧]{1,64}:)([^\s"'⟦⟧]{3,256})/y;

function userOfCommand(text: string, flagAt: number, at: number): NamedSecret | null {
  if (!commandBefore(/\b(?:curl|http|wget|oc|docker login)\b/, text, flagAt)) return null;
  nameAndPassword.lastIndex = at;
  const match = nameAndPassword.exec(text);
  if (match === null) return null;
  return checked(text, { from: at + match[1]!.length, to: nameAndPassword.lastIndex, writing: 'quoted' }, 'strong');
}

/** `ALTER USER … PASSWORD '…'`, `IDENTIFIED BY '…'`. */
function keyword(text: string, from: number, to: number, at: number): NamedSecret | null {
  const word = text.slice(from, to);
  const names =
    /^by$/i.test(word) && /identified\s{1,4}$/i.test(text.slice(Math.max(0, from - 16), from))
      ? 'strong'
      : strengthOfWord(text, from, to);
  return names === null ? null : checked(text, valueAt(text, at, 'bare'), names);
}

const algorithm = /^(?:sha|md|utf|aes|rsa|bcrypt|argon|base)-?\d+/i;

/** `the password is hunter2`: only where what follows is no word. */
function phrase(text: string, from: number, to: number, at: number): NamedSecret | null {
  const strength = strengthOfWord(text, from, to);
  const value = strength === null ? null : valueAt(text, pastSpaces(text, at), 'bare');
  if (value === null || algorithm.test(text.slice(value.from, value.to))) return null;
  return checked(text, value, strength!);
}

const cueReach = 64;
const cue =
  /(?:\b(?:api|access|secret|private|signing|encryption|auth\w{0,12}|bearer|service|licen[cs]e|session|client|refresh|bot|webhook)[ _-]?(?:key|token|secret)s?|\bpassw(?:or)?d|\bpassphrase|\bsecret|\bcredentials?|\btoken)\b(.{0,32})$/is;
const ofAnotherThing =
  /commit|sha|hash|checksum|digest|md5|etag|uuid|guid|revision|fingerprint|public|page|cursor|cache|\bid\b|https?:|file|path|blob|image|order|invoice|tracking|[/\\]$/i;
const hex = /^[0-9a-f]+$/i;
const randomWord = /[\w+/=-]{20,256}/y;

/** A long random word shortly behind a word for a secret. */
function afterCue(text: string, from: number): NamedSecret | null {
  randomWord.lastIndex = from;
  if (!randomWord.test(text)) return null;
  const to = randomWord.lastIndex;
  if (!looksLikeKey(text.slice(from, to))) return null;
  const between = cue.exec(text.slice(Math.max(0, from - cueReach), from))?.[1];
  return between === undefined || ofAnotherThing.test(between) ? null : { from, to };
}

const minHexLength = 32;
const minBits = 3.3;

function looksLikeKey(value: string): boolean {
  if (value.includes('/') || value.includes('+')) return looksRandomBase64(value);
  if (!looksRandom(value) || bitsPerCharacter(value) < minBits) return false;
  return hex.test(value)
    ? value.length >= minHexLength && /[a-f]/i.test(value)
    : !/^[A-Za-z]+(?:[_-]\w{1,12}){2,}$/.test(value);
}
