/** E-mail addresses, and the names that they are made of. */
import { classOf, wordBits } from './characters.ts';
import type { Reading } from './reading.ts';

/** RFC 5321 section 4.5.3.1. */
const longestLocal = 64;
const domain =
  /(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}(?:(?:com|org|net|edu|gov|uk|de|eu)(?=_)|(?:xn--[a-z\d-]{2,59}|\p{L}{2,24})(?![\p{L}\p{N}_(]|-[\p{L}\p{N}]))/uy;
/** `icon@2x.png`, `getty@tty1.service`: files and units of a system. */
const noDomain = /^[\d.]+x\.|\.(?:service|socket|target|timer|slice|scope|mount|png|jpe?g|svg|gif|webp)$/i;

/** Every address of a text, each looked at once. */
export function readEmails(reading: Reading): string[] {
  const { text } = reading;
  const found: string[] = [];
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    const from = startOf(text, at);
    if (from === at) continue;
    const host = reading.match(domain, at + 1);
    if (host === null || noDomain.test(host) || isUserinfo(text, from, at + 1 + host.length)) continue;
    reading.add('EMAIL', from, at + 1 + host.length, true);
    found.push(text.slice(from, at + 1 + host.length));
  }
  return found;
}

/** Where the part before the sign begins; at the sign where there is none. */
function startOf(text: string, at: number): number {
  let from = at;
  while (from > 0 && at - from < longestLocal && (isLocal(text.charCodeAt(from - 1)) || isApostrophe(text, from - 1)))
    from -= 1;
  while (from < at && /[.+-]/.test(text.charAt(from))) from += 1;
  // `\\nname@host` in text that was escaped once more: the letter belongs to the escape.
  return text.charAt(from - 1) === '\\' && at - from > 1 && /[nrt]/.test(text.charAt(from)) ? from + 1 : from;
}

/** Within `o'neil`, and none that quotes, as in `b'jane@…'`. */
function isApostrophe(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (code !== 39 && code !== 0x2019) return false;
  return /\p{L}/u.test(text.charAt(at + 1)) && /\p{L}/u.test(text.charAt(at - 1)) && !isPrefix(text, at);
}

/** Of a string literal: `b'`, `f'`, `r'`, `u'`. */
function isPrefix(text: string, at: number): boolean {
  return /(?:^|[^\p{L}\p{N}.])[bfru]{1,2}$/iu.test(text.slice(Math.max(0, at - 3), at));
}

/** Percent, plus, hyphen, dot and whatever words are made of. Other signs that RFC 5322 allows belong to the text around. */
function isLocal(code: number): boolean {
  return code === 37 || code === 43 || code === 45 || code === 46 || (classOf(code) & wordBits) !== 0;
}

/** `git@host:path` and `scheme://user@host`: a name at a machine. `mailto:` is none of them. */
function isUserinfo(text: string, from: number, to: number): boolean {
  if (
    text.startsWith('://', from - 3) ||
    (text.charAt(from - 1) === ':' && /:\/\/[^\s/]{0,80}$/.test(text.slice(Math.max(0, from - 90), from)))
  )
    return true;
  return text.startsWith('git@', from) && /[:/]/.test(text.charAt(to));
}

const roles = new Set(
  'info support admin sales contact hello help office team service services account accounts billing noreply reply no do not mail news newsletter security abuse marketing press jobs careers hr it dev test user customer client orders root webmaster postmaster notifications updates events the my your group files manager networking participants resources care feedback enquiries'.split(
    ' ',
  ),
);

/** First and last name as an address has them: `john.smith2@…` and `JohnSmith@…` give `John Smith`. Empty where it has not. */
export function namesFromEmail(email: string): string[] {
  const local = email.slice(0, email.indexOf('@')).replace(/\+.*$/s, '').replace(/\d+$/, '');
  const words = partsOf(local).filter((part) => part !== '');
  const fits = words.length >= 2 && words.length <= 3 && words.every((word) => /^\p{L}[\p{L}'-]*$/u.test(word));
  if (!fits || words.some((word) => roles.has(word.toLowerCase()))) return [];
  return words[0]!.length < 2 || words.at(-1)!.length < 2 ? [] : [words.map(capitalised).join(' ')];
}

function partsOf(local: string): string[] {
  if (/[._]/.test(local)) return local.split(/[._]/);
  return local.includes('-') ? local.split('-') : local.split(/(?<=\p{Ll})(?=\p{Lu})/u);
}

function capitalised(word: string): string {
  return word.replace(/(?<![\p{L}])\p{L}/gu, (letter) => letter.toUpperCase());
}
