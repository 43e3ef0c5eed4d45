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
import { prefixedFormAt, shapedFormAt } from './vendor-forms.ts';

const minTextLength = 3;

export const detectSecrets: Detect = (text, context) => {
  if (text.length < minTextLength) return [];
  const found: Detection[] = [];
  findByContext(text, context, found);
  findPrivateKeys(text, found);
  findUrls(text, found);
  findInWords(text, found);
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

const other = 0;
const alphanumeric = 1;
const joint = 2;
const classes = new Uint8Array(128);
for (let code = 48; code < 123; code++) {
  if (/[A-Za-z0-9]/.test(String.fromCharCode(code))) classes[code] = alphanumeric;
}
classes['_'.charCodeAt(0)] = joint;
classes['-'.charCodeAt(0)] = joint;

const backslash = 92;
const percent = 37;
const letterU = 117;

function findInWords(text: string, found: Detection[]): void {
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code < 128 && classes[code] !== other) at = lookAtWord(text, at, found);
    else if (code === backslash) at += text.charCodeAt(at + 1) === letterU ? 6 : 2;
    else if (code === percent && isHexPair(text, at + 1)) at += 3;
    else at++;
  }
}

const isHex = (code: number) => (code >= 48 && code <= 57) || ((code | 32) >= 97 && (code | 32) <= 102);
const isHexPair = (text: string, at: number) => isHex(text.charCodeAt(at)) && isHex(text.charCodeAt(at + 1));

/** @returns where to go on: behind the word, or behind the secret that begins in it or follows it */
function lookAtWord(text: string, from: number, found: Detection[]): number {
  let to = from;
  let before = other;
  for (; to < text.length; to++) {
    const code = text.charCodeAt(to);
    const type = code < 128 ? classes[code]! : other;
    if (type === other) break;
    if (type === alphanumeric && before !== alphanumeric) {
      const form = prefixedFormAt(text, to);
      if (form !== null) {
        found.push({ ...form, certain: true });
        return form.to;
      }
    }
    before = type;
  }
  const shaped = shapedFormAt(text, from, to);
  if (shaped !== null) {
    found.push({ ...shaped, certain: true });
    return shaped.to;
  }
  const secret = secretAfterWord(text, from, to);
  if (secret === null) return to;
  addSecret(text, from, secret, found);
  return Math.max(to, secret.to);
}

function addSecret(text: string, nameAt: number, { from, to }: NamedSecret, found: Detection[]): void {
  found.push({ kind: 'SECRET', from, to, certain: false });
  const connection = connectionAround(text, nameAt, to);
  if (connection !== null) found.push(connection);
}
