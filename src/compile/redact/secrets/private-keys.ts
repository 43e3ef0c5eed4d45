/**
 * Private keys in their armour (RFC 7468, OpenSSH, RFC 4880), with line breaks real or written `\n`, and what is left of
 * one when a log cut it: the armour without its end, or the end without its begin.
 */
import type { Detection } from '../detection.ts';

const begin = /-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----|---- BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY ----/g;
const end = /-----END [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----|---- END SSH2 (?:ENCRYPTED )?PRIVATE KEY ----/g;
const cue = 'PRIVATE KEY';

/** Longer than an armoured RSA key of 16,384 bits, about 13,000 characters. */
const maxLength = 20_000;

/** Lines of base64, and of headers such as `Proc-Type: 4,ENCRYPTED`, each with the break before it. */
const bodyLines =
  /(?:(?:\r?\n|\\{1,4}[rn]|[ \t])*(?:[A-Za-z-]{3,20}: [^\n\\"]{1,100}(?=\r?\n|\\{1,4}[rn])|[A-Za-z0-9+/=]{16,}))*/y;
const lastLine = /(?:\r?\n|\\{1,4}[rn])+[A-Za-z0-9+/=]{1,76}(?![A-Za-z0-9+/= ])/y;

export function findPrivateKeys(text: string, found: Detection[]): void {
  if (text.includes(encodedBegin)) findEncodedKeys(text, found);
  if (!text.includes(cue)) return;
  const ends = spansOf(end, text);
  const keys = keysFrom(text, spansOf(begin, text), ends);
  for (const { from, to } of [...keys, ...cutKeys(text, keys, ends)]) {
    found.push({ kind: 'PRIVATE_KEY', from, to, certain: true });
  }
}

/** `-----BEGIN ` in base64, as manifests and environments carry keys. */
const encodedBegin = 'LS0tLS1CRUdJTiB';
const encoded =
  /LS0tLS1CRUdJTiB[A-Za-z0-9+/_-]{8,20000}(?:\r?\n[A-Za-z0-9+/_-]{40,76}){0,300}(?:\r?\n[A-Za-z0-9+/_-]{1,76}(?==))?={0,2}/g;

/** A certificate begins in the same way. */
function findEncodedKeys(text: string, found: Detection[]): void {
  for (const { 0: armour, index } of text.matchAll(encoded)) {
    if (!Buffer.from(armour.slice(0, 80), 'base64').toString('latin1').includes(cue)) continue;
    found.push({ kind: 'PRIVATE_KEY', from: index, to: index + armour.length, certain: true });
  }
}

interface Span {
  from: number;
  to: number;
}

function spansOf(pattern: RegExp, text: string): Span[] {
  return Array.from(text.matchAll(pattern), (match) => ({ from: match.index, to: match.index + match[0].length }));
}

function keysFrom(text: string, begins: Span[], ends: Span[]): Span[] {
  const keys: Span[] = [];
  let nextEnd = 0;
  for (const [index, { from, to }] of begins.entries()) {
    while (nextEnd < ends.length && ends[nextEnd]!.from < to) nextEnd++;
    const close = ends[nextEnd];
    const following = begins[index + 1]?.from ?? text.length;
    const closed = close !== undefined && close.from <= following && close.to - from <= maxLength;
    keys.push({ from, to: closed ? close.to : endOfBody(text, to) });
  }
  return keys;
}

function endOfBody(text: string, from: number): number {
  const body = text.slice(from, from + maxLength);
  bodyLines.lastIndex = 0;
  bodyLines.test(body);
  lastLine.lastIndex = bodyLines.lastIndex;
  const to = lastLine.lastIndex;
  return from + (lastLine.test(body) ? lastLine.lastIndex : to);
}

/** An end whose begin was cut off covers the base64 before it. */
function cutKeys(text: string, keys: Span[], ends: Span[]): Span[] {
  const cut: Span[] = [];
  let next = 0;
  for (const { from, to } of ends) {
    while (next < keys.length && keys[next]!.to < to) next++;
    const key = keys[next];
    if (key !== undefined && key.from < from) continue;
    let start = from;
    while (start > 0 && from - start < maxLength && isBody(text, start - 1)) start--;
    cut.push({ from: start, to });
  }
  return cut;
}

function isBody(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  // Line breaks, a backslash, digits, letters, and the other characters of base64.
  if (code === 10 || code === 13 || code === 92) return true;
  if ((code >= 47 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122)) return true;
  return code === 43 || code === 61;
}
