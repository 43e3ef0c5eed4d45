/** Whether what stands where a secret would stand is one, or a reference, a type, a word, a place to fill in. */
import { type KeyStrength, strengthOfKey } from './key-names.ts';

/**
 * How a value is written: in quotes or as a whole value of JSON, as the rest of a line in a file of environment variables,
 * after `=` without spaces, or bare.
 */
export type Writing = 'quoted' | 'line' | 'assigned' | 'bare';

const placeholderMarks = /[⟦⟧]/;

/** Whole values that stand for another: variables, templates, masks, `<password>`, `[hidden]`. */
const reference =
  /^(?:\$(?:\{.*|\(.*|[A-Z_][A-Z0-9_]*|[a-z_]+)|%[A-Za-z_]\w*%|\{\{?.*|<.*>?|\[.*|\(.*|[*•xX.…#_-]+|&[a-z_]+|@[\w.]+)$/;
/** Variables within a template. */
const holdsReference = /\$\{|\{\{|#\{|\$[A-Z_]{4,}|%[sdr](?![A-Za-z0-9])/;
/** Names of constants and types: `OPENAI_API_KEY`, `Web3Credentials`. */
const constant = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/;
const typeName = /^(?:[A-Z][A-Za-z]*\d+)+[A-Z][a-z]+$/;
const operator = /\?.*:|\?[.?]/;
const sign = /^[!*&~+-]+/;
const cutShort = /(?:placeholder|\.{2,}|…|x{4,}|\*{3,})$/i;
const lookup =
  /^(?:(?:process|import\.meta|os|std|self|this|config|settings|options|opts|args|req|request|params|ctx|env|environ|secrets|vars|data|var|local|module)[.[]|\w+_\d+\.|(?:os\.)?getenv|env\(|vault:|ssm:|op:\/\/|arn:|file:|secret:\/\/|https?:\/\/)/i;
const call = /[A-Za-z_]\w*\(/;
const memberAccess = /^[A-Za-z_$][A-Za-z_$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$]+)+$/;
const toFillIn =
  /^(?:your|my|the|an?|some|insert|enter|replace|put|add|use|example|sample|dummy|fake|test|old|new|change|current|user|db|no|not)[-_ ]?(?:[A-Za-z0-9]+[-_ ])*(?:api|key|token|password|passwd|secret|pwd|here|value|me|credentials?|set|found)$/i;
const prose =
  /\b(?:is|are|was|must|the|be|required|invalid|incorrect|please|not|your|should|at least|cannot|has|have|to|for|of|and|or|with|this|enter|reset|forgot|expired)\b/i;

const notSecrets = new Set(
  `null none nil undefined true false yes no on off required optional string str text number int integer boolean bool bytes
  buffer any object unknown void never empty blank redacted masked hidden removed omitted encrypted hashed plaintext plain
  secret password passwd token value input here example placeholder missing invalid incorrect wrong expired reset changed
  updated failed success unset same-origin include omit todo default varchar char field prompt credentials username admin_password option options flag
  argument param parameter param type sensitive generated rotated revoked valid correct accepted rejected denied needed
  protected authentication authorization bearer basic digest negotiate private public header cookie session oauth
  provided disabled enabled unchanged present absent later soon done ok error exists`.split(/\s+/),
);

const digit = /\d/;
const letter = /[A-Za-z]/;
const symbol = /[^A-Za-z0-9_\s.,:;/\\()'"-]/;
const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const path = /^(?:~|\.{1,2}|[A-Za-z]:)?[\\/][\w.@ -]*(?:[\\/]|$)/;
const identifier = /^[A-Za-z]+(?:[_-][A-Za-z]+)*$/;
const date = /^\d{4}-\d\d-\d\d/;

const minLength = 4;
const minRandomLength = 8;

export function isSecret(value: string, strength: KeyStrength, writing: Writing): boolean {
  if (placeholderMarks.test(value)) return false;
  if (strength === 'code') return /^\d{3,8}$/.test(value);
  if (strength === 'cookie') return /^[\w.-]+=[^;\s]{8,}/.test(value);
  if (value.length < minLength || standsForAnother(value)) return false;
  if (strength === 'weak') return looksRandom(value);
  if (/\s/.test(value)) return writing === 'quoted' && !prose.test(value);
  if (writing === 'quoted' || writing === 'line') return true;
  if (isExpression(value.replace(sign, ''))) return false;
  if (!identifier.test(value.replace(sign, ''))) return digit.test(value) || symbol.test(value);
  return writing === 'assigned' && /^(?:[a-z]{6,}|[A-Z]{6,})$/.test(value);
}

const isExpression = (value: string) => memberAccess.test(value) || call.test(value) || operator.test(value);

export function standsForAnother(value: string): boolean {
  const lower = value.toLowerCase();
  return (
    notSecrets.has(lower) ||
    reference.test(value) ||
    cutShort.test(value) ||
    holdsReference.test(value) ||
    typeName.test(value) ||
    (constant.test(value) && strengthOfKey(value) !== null) ||
    lookup.test(value) ||
    toFillIn.test(value) ||
    (path.test(value) && !looksRandomBase64(value)) ||
    date.test(value)
  );
}

/** Letters and digits mixed, as no word and no name is. */
export function looksRandom(value: string): boolean {
  if (value.length < minRandomLength || /\s/.test(value) || uuid.test(value)) return false;
  const digits = value.match(/\d/g)?.length ?? 0;
  if (digits < 2 || !letter.test(value) || memberAccess.test(value)) return false;
  return bitsPerCharacter(value) >= Math.min(3, Math.log2(value.length) - 0.6);
}

/** A path of three words has no such mix of cases and digits. */
export function looksRandomBase64(value: string): boolean {
  return /^[A-Za-z0-9+/]{20,}={0,2}$/.test(value) && /[A-Z].*[A-Z]/.test(value) && /\d.*\d/.test(value);
}

/** Shannon entropy of the characters themselves, in bits; of the first 200. */
export function bitsPerCharacter(value: string): number {
  const counts = new Map<string, number>();
  const sample = value.slice(0, 200);
  for (const character of sample) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / sample.length) * Math.log2(count / sample.length);
  return bits;
}
