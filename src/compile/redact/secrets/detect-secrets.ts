/**
 * Secrets in a text: by the form that a vendor or a standard gives them, which is certain wherever it stands, and by the
 * name of their key, a flag, a phrase or their entropy after a cue, which is not.
 *
 * One pass over the words of the text; what is looked at around a word is bounded, so the whole is linear.
 */
import type { Detect, Detection, TextContext } from '../detection.ts';
import { connectionAround } from './connection-pairs.ts';
import { strengthOfKey } from './key-names.ts';
import { type NamedSecret, secretAfterWord, secretOfKey } from './named-secrets.ts';
import { findPrivateKeys } from './private-keys.ts';
import { findUrls } from './urls.ts';
import { followsMark, formInWord, holdsMark, markedForms } from './vendor-forms.ts';

/** Shorter than `pwd=abcd`: no name with a value, no form. */
const minTextLength = 8;

export const detectSecrets: Detect = (text, context) => {
  const found: Detection[] = [];
  findByContext(text, context, found);
  if (text.length < minTextLength) return found;
  findPrivateKeys(text, found);
  findUrls(text, found);
  findForms(text, found);
  findNamed(text, found);
  return found;
};

/** Members that hold the value of the member around them: `{"password": {"value": "…"}}`. */
const neutralName = /^(?:value|values|data|text|raw|content|current|plaintext|string|secretstring)$/i;
const maxValueLength = 4096;

function findByContext(text: string, { key, path }: TextContext, found: Detection[]): void {
  if (text.length > maxValueLength) return;
  const name = key === null || neutralName.test(key) ? (path.at(-1) ?? key) : key;
  const strength = name === null ? null : strengthOfKey(name);
  const secret = strength === null ? null : secretOfKey(text, strength);
  if (secret !== null) found.push({ kind: 'SECRET', ...secret, certain: false });
}

/** Of every UTF-16 unit, so that no text reads beside it. */
const wordCharacters = new Uint8Array(0x10000);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-') {
  wordCharacters[character.charCodeAt(0)] = 1;
}
const isWord = (text: string, at: number) => at < text.length && wordCharacters[text.charCodeAt(at)] === 1;

const longWord = 16;

/**
 * Words of 16 characters or more. Only every sixteenth character is looked at, and from there back to where its word
 * begins: a long word reaches over one of them.
 */
function findForms(text: string, found: Detection[]): void {
  const { length } = text;
  let isMarked = holdsMark(text);
  let start = 0;
  while (start + longWord <= length) {
    let at = start + longWord - 1;
    while (at >= start && wordCharacters[text.charCodeAt(at)] === 1) at--;
    if (at >= start) {
      start = at + 1;
      continue;
    }
    let end = start + longWord;
    while (end < length && wordCharacters[text.charCodeAt(end)] === 1) end++;
    isMarked ||= followsMark(text, start);
    const form = formInWord(text, start, end);
    if (form !== null) found.push({ ...form, certain: true });
    start = Math.max(end, form?.to ?? 0) + 1;
  }
  if (isMarked) for (const form of markedForms(text)) found.push({ ...form, certain: true });
}

/** What stands in every name of a secret, and in commands and phrases that take one. */
const cue =
  /pass|pwd|pw\b|secret|token|key|auth|cred|bearer|cookie|jwt|pin\b|otp\b|cv[cv]|phrase|mnemonic|sessid|code\b|identified by|curl|wget|mysql/iy;
/** How each of them begins, `pw` with what ends it. */
const beginnings =
  'pas pwd pw= pw: pw" pw\' pw_ pw- sec tok key aut cre bea coo jwt pin otp cvc cvv phr mne ses cod ide cur wge mys';
const maxNameLength = 64;

/** Three characters by the lower five bits of each, which are one for both cases of a letter: a sieve, no proof. */
const sieve = new Uint8Array(1 << 15);
const sieved = (hash: number, code: number) => ((hash << 5) | (code & 31)) & 0x7fff;
for (const beginning of [...beginnings.split(' '), 'pw ']) {
  sieve[[...beginning].reduce((hash, character) => sieved(hash, character.charCodeAt(0)), 0)] = 1;
}

function findNamed(text: string, found: Detection[]): void {
  let hash = 0;
  for (let at = 0; at < text.length; at++) {
    hash = sieved(hash, text.charCodeAt(at));
    if (sieve[hash] !== 1) continue;
    cue.lastIndex = at - 2;
    if (cue.test(text)) at = Math.max(at, behindName(text, cue.lastIndex, found) - 1);
  }
}

/** @returns the end of the name that holds the cue, or of the secret behind it */
function behindName(text: string, cueEnd: number, found: Detection[]): number {
  const { from, to } = wordAround(text, cueEnd);
  const secret = secretAfterWord(text, from, to);
  if (secret === null) return to;
  addSecret(text, from, secret, found);
  return Math.max(to, secret.to);
}

function wordAround(text: string, at: number): NamedSecret {
  let from = at;
  while (from > 0 && at - from < maxNameLength && isWord(text, from - 1)) from--;
  let to = at;
  while (to - at < maxNameLength && isWord(text, to)) to++;
  // The letter of an escape, as in `\npassword`.
  return { from: text[from - 1] === '\\' && from < at ? from + 1 : from, to };
}

function addSecret(text: string, nameAt: number, { from, to }: NamedSecret, found: Detection[]): void {
  found.push({ kind: 'SECRET', from, to, certain: false });
  const connection = connectionAround(text, nameAt, to);
  if (connection !== null) found.push(connection);
}
