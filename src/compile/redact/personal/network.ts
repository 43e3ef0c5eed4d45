/** Addresses of networks: IPv4, IPv6, MAC. Loopback and documentation ranges are addresses as well. */
import { classOf, wordBits } from './characters.ts';
import { cue } from './cues.ts';
import type { Reading } from './reading.ts';

const dotted = /\d{1,5}(?:\.\d{1,5}){1,9}/y;
const quad = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const prefixV4 = /\/(?:3[0-2]|[12]?\d)(?![\w.])/y;

/** Reads a whole row of dotted numbers, so that no part of a version is taken for something. Returns its end. */
export function readIpv4(reading: Reading, from: number): number {
  const { text } = reading;
  const row = reading.match(dotted, from)!;
  const end = from + row.length;
  const parts = row.split('.').length;
  if (parts === 4 && quad.test(row) && !/(?:^|\.)0\d/.test(row) && !isVersion(reading, from, end)) {
    const to = end + (reading.match(prefixV4, end)?.length ?? 0);
    // A version that its key told apart may stand elsewhere without it: small numbers prove nothing.
    reading.add('IP', from, to, /\d{3}|^10\./.test(row));
    return to;
  }
  // 020.7946.0958, 555.123.2001 and +44.20.7946.0958 are telephone numbers, 078.05.1123 another.
  return (parts <= 3 || text.charAt(from - 1) === '+') && row.length >= 9 && !/[\d.]/.test(text.charAt(from - 1))
    ? from
    : end;
}

/** `Chrome/120.0.0.0`, `lib-1.2.3.4.tar`, `==1.2.3.4`, `app_version: 1.2.3.4`, `1.2.3.4-beta`. */
function isVersion(reading: Reading, from: number, to: number): boolean {
  const { text, context } = reading;
  if (context.key !== null && versionKey.test(context.key)) return true;
  if (/[A-Za-z][/-]$|[~^.]$|[=<>]=$/.test(text.slice(Math.max(0, from - 2), from))) return true;
  if (/^(?:[-+][A-Za-z]|\.[A-Za-z])/.test(text.slice(to, to + 2)) || reading.near(cue.version, from, 10)) return true;
  return versionBefore.test(text.slice(Math.max(0, from - 24), from));
}

const versionKey = /(?:version|release|build|firmware|ver|tag)(?:[_-]?(?:number|name|string))?$/i;
const versionBefore = /(?:version|release|build|firmware|_ver)(?:[_-]?(?:number|name|string))?["'\s:=]{1,6}$/i;

const prefixV6 = /\/(?:12[0-8]|1[01]\d|\d?\d)(?![\w.])/y;
/** Of an address, 45; a few more so that the end of what is too long is not taken for one. */
const longestRun = 64;

/**
 * `at` is a colon. Looks once at the run of hexadecimal digits, colons and dots around the first colon of it. Returns
 * where the reading goes on.
 */
export function readColons(reading: Reading, at: number): number {
  const { text } = reading;
  let from = at;
  while (from > at - 5 && isHex(text.charCodeAt(from - 1))) from -= 1;
  const before = text.charCodeAt(from - 1);
  if (at - from > 4 || before === 58 || before === 46 || (classOf(before) & wordBits) !== 0) return at + 1;
  const to = endOfRun(text, from);
  if (to === -1) return at + 1;
  const run = text.slice(from, to);
  if (isPairs(run)) return add(reading, 'MAC', from, to);
  if (!isIpv6(run) || !standsAsAddress(text, run, from, to)) return at + 1;
  return add(reading, 'IP', from, to + (reading.match(prefixV6, to)?.length ?? 0));
}

/** Where the run ends; -1 where it has neither two colons next to each other nor five of them, as no time of day has. */
function endOfRun(text: string, from: number): number {
  let to = from;
  let colons = 0;
  let doubled = false;
  for (; to - from < longestRun; to += 1) {
    const code = text.charCodeAt(to);
    if (code === 58) {
      colons += 1;
      doubled ||= text.charCodeAt(to + 1) === 58;
    } else if (code !== 46 && !isHex(code)) break;
  }
  if ((!doubled && colons < 5) || (classOf(text.charCodeAt(to)) & wordBits) !== 0) return -1;
  while (text.charCodeAt(to - 1) === 46) to -= 1;
  return text.charCodeAt(to - 1) === 58 && text.charCodeAt(to - 2) !== 58 ? to - 1 : to;
}

function add(reading: Reading, kind: 'IP' | 'MAC', from: number, to: number): number {
  reading.add(kind, from, to, true);
  return to;
}

function isHex(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);
}

/** RFC 4291 section 2.2: eight groups, or fewer and one `::`; the last two may be written as IPv4. */
function isIpv6(run: string): boolean {
  const tail = /(?<=:)[\d.]*\.[\d.]*$/.exec(run)?.[0];
  if (tail !== undefined && !quad.test(tail)) return false;
  const rest = tail === undefined ? run : `${run.slice(0, -tail.length)}0:0`;
  const halves = rest.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

/** Slices (`[1::2]`) and scopes (`a::b`) have the form of short addresses. */
function standsAsAddress(text: string, run: string, from: number, to: number): boolean {
  if (run === '::') return text.charAt(to) === '/';
  if (run === '::1')
    return text.charAt(from - 1) !== '[' || text.startsWith(']:', to) || text.startsWith('//', from - 3);
  return /\d/.test(run) && (run.includes('.') || /[0-9a-f]{3}/i.test(run) || run.split(':').length > 5);
}

function isPairs(run: string): boolean {
  return /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(run) && /[1-9a-f]/i.test(run);
}

const hyphened = /[0-9a-f]{2}(?:-[0-9a-f]{2}){5}(?![\w-])/iy;
const cisco = /[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])/iy;

/**
 * IEEE 802: six pairs with hyphens, or three fours with dots. `from` and `to` are of the first pair or four. Returns where
 * the reading goes on, null where there is none.
 */
export function readMac(reading: Reading, from: number, to: number): number | null {
  const length = to - from;
  if (length !== 2 && length !== 4) return null;
  const { text } = reading;
  const sign = length === 2 ? 45 : 46;
  if (text.charCodeAt(to) !== sign || text.charCodeAt(to + 1 + length) !== sign) return null;
  const found = /[\w.-]/.test(text.charAt(from - 1)) ? null : reading.match(length === 2 ? hyphened : cisco, from);
  if (found === null || !/[1-9a-f]/i.test(found)) return null;
  if (!/[a-f]/i.test(found) && !reading.near(cue.mac, from, 24)) return null;
  return add(reading, 'MAC', from, from + found.length);
}
