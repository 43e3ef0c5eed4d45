/** Names of persons, by the words beside them. */
import { cue } from './cues.ts';
import type { Reading } from './reading.ts';

const initial = '\\p{Lu}\\.?';
const word = "\\p{Lu}[\\p{L}\\p{M}'’-]{1,30}";
const particle = '(?:de|da|di|del|della|der|den|van|von|bin|bint|al|el|la|le|dos|du|ter|ten)';
const rest = `(?: {1,2}(?:${particle} ){0,2}(?:${word}|${initial}(?![\\p{L}\\p{M}]))){0,4}`;
const nameForm = new RegExp(`(?:${word}|${initial}(?= {1,2}\\p{Lu}))${rest}`, 'uy');

/** Words with a capital that are no part of a name: what follows ends one, and a name does not begin with one. */
const noName = new Set(
  'sir madam team all everyone there world customer user users support service services assistant agent agents friend friends folks guys hiring manager valued member members department office info information details number id name names address email phone date time account order orders status system server page list data file files type value note notes history request records record portal care relations please thank thanks the this that these those what when where which who why how if in on at for from with and or but not is are was were has have can could would will should may let we you your our my his her their it its also then than just yes no ok okay sure here api http https url json error null none true false unknown undefined anonymous test rate ratio count penalty universe usa word excel model us premium plan'.split(
    ' ',
  ),
);

/** `WebSurfer`, `GitHub` are names of things; `McDonald`, `DeVito` of persons. */
function isWordOfName(text: string): boolean {
  if (noName.has(text.toLowerCase().replace(/['’]s$/, ''))) return false;
  return !/\p{Ll}\p{Lu}/u.test(text.replace(/^(?:Mc|Mac|De|Di|Du|La|Le|Van|Fitz)(?=\p{Lu})/u, ''));
}

/** The longest name that stands at a place, of at least `least` words. Null where there is none. */
export function nameAt(reading: Reading, at: number, least: number): string | null {
  const found = reading.match(nameForm, at);
  if (found === null) return null;
  const words = found.split(/ +/);
  const odd = words.findIndex((each) => !isWordOfName(each));
  const kept = odd === -1 ? words.length : odd;
  if (kept < least || kept === 0) return null;
  const name = odd === -1 ? found : firstWords(found, kept);
  return name.replace(/(?:['’]s|['’-])$/, '').replace(/(?<=\p{L}{2})\.$/u, '');
}

function firstWords(text: string, count: number): string {
  return new RegExp(`^(?:[^ ]+ +){${count - 1}}[^ ]+`).exec(text)?.[0] ?? '';
}

const afterTitle = /\.?[ \u00a0]{1,2}/y;
const afterGreeting = /,? {1,2}(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.? {1,2})?/y;
const afterPerson = /(?::\s{1,3}|,\s{1,4}| (?:is |was |to |with |named |called ){0,1})/y;
const afterIs = /(?:['’]s| (?:is|was|of)) {1,2}/y;
const afterThanks = /, {1,2}/y;
const afterColon = /:[ \t]{1,8}/y;
const afterSelf = / {1,2}/y;

/** `from` and `to` are of the cue word, `says` what it says. Returns where the reading goes on. */
export function readNameAfter(reading: Reading, from: number, to: number, says: number): number {
  const { text } = reading;
  const cued = text.slice(from, to);
  if (says & cue.title) return readTitled(reading, cued, to);
  if (says & cue.greeting && /^\p{Lu}\p{Ll}/u.test(cued)) return readGreeted(reading, cued, to);
  if (says & cue.name) return readNamed(reading, from, to);
  if (says & cue.thanks)
    return text.charCodeAt(to) === 44 && isThanks(text, from, cued) ? noteAfter(reading, afterThanks, to, 2) : to;
  if (says & cue.self) return isSelf(text, from, cued) ? noteAfter(reading, afterSelf, to, 2) : to;
  if (says & cue.person && (text.charAt(to) !== ' ' || /^\p{Ll}/u.test(cued)))
    return noteAfter(reading, afterPerson, to, 2);
  return to;
}

function noteAfter(reading: Reading, gap: RegExp, to: number, least: number): number {
  const between = reading.match(gap, to);
  if (between === null) return to;
  const at = to + between.length;
  const name = nameAt(reading, at, least);
  return name === null ? to : note(reading, at, name);
}

function note(reading: Reading, at: number, name: string): number {
  reading.add('PERSON', at, at + name.length, false);
  return at + name.length;
}

/** `Mr Burke`, `Dr. Wells`; without a capital only behind the full stop: `mr. elliott`. */
function readTitled(reading: Reading, title: string, to: number): number {
  if (/^\p{Lu}\p{Ll}+$/u.test(title)) {
    const spelled = /^(?:Rev|Prof)$/.test(title) && reading.text.charAt(to) !== '.';
    return spelled ? to : noteAfter(reading, afterTitle, to, 1);
  }
  if (!/^(?:mr|mrs|ms|dr)$/.test(title) || reading.text.charAt(to) !== '.') return to;
  const capital = noteAfter(reading, afterTitle, to, 1);
  if (capital !== to) return capital;
  const name = /^\s\p{Ll}{2,}/u.exec(reading.text.slice(to + 1, to + 32))?.[0].trim();
  return name === undefined || noName.has(name) ? to : note(reading, to + 2, name);
}

/** `Dear John Smith`, `Hi Christin,`: behind a light greeting only a name that ends there. */
function readGreeted(reading: Reading, greeting: string, to: number): number {
  const between = reading.match(afterGreeting, to);
  if (between === null) return to;
  const at = to + between.length;
  const name = nameAt(reading, at, 1);
  if (name === null) return to;
  const next = reading.text.charAt(at + name.length);
  return greeting === 'Dear' || /^[,!.\n:;-]?$/.test(next) ? note(reading, at, name) : to;
}

/** `my partner's name`, `under her name`: somebody's. */
const belongs = /(?:['’]s|\b(?:my|his|her|their)) $/;
const otherFields = /\n[ \t*-]*(?:phone|tel|mobile|e-?mail|address|dob|date of birth|postcode)\b/i;

/** `My name is Akinori`, `her name Lily Nolan`; and `Name: Emilie Broberg` where the lines behind it are of a person too. */
function readNamed(reading: Reading, from: number, to: number): number {
  const { text } = reading;
  const said = noteAfter(reading, afterIs, to, 1);
  if (said !== to) return said;
  if (text.charAt(to) === ' ' && belongs.test(text.slice(Math.max(0, from - 8), from)))
    return noteAfter(reading, afterSelf, to, 2);
  if (text.charAt(to) !== ':') return to;
  const ofPerson = /(?:full|first|last|customer|client|patient|passenger|guest|contact|sur|your) ?$/i;
  const least = ofPerson.test(text.slice(Math.max(0, from - 12), from)) ? 1 : 2;
  const form = least === 1 || /(?:^|\n)[ \t*-]*$/.test(text.slice(Math.max(0, from - 8), from));
  if (!form || (least === 2 && !otherFields.test(text.slice(to, to + 240)))) return to;
  return noteAfter(reading, afterColon, to, 1);
}

/** `I am`, `I'm`, and nothing else that ends so. */
function isSelf(text: string, from: number, cued: string): boolean {
  return (
    /(?:^|[\s"'(])I['’ ]$/.test(text.slice(Math.max(0, from - 3), from)) &&
    (cued === 'am') === (text.charAt(from - 1) === ' ')
  );
}

function isThanks(text: string, from: number, cued: string): boolean {
  return cued === 'Thanks' || (cued === 'you' && /thank $/i.test(text.slice(Math.max(0, from - 6), from)));
}

const dweller = new RegExp(`(?<![\\p{L}\\p{M}])(?:${word}|${initial})(?: {1,2}(?:${word}|${initial})){1,3} $`, 'u');

/** `Tosh Olsen lives at`: the name stands before the cue. */
export function readNameBefore(reading: Reading, from: number): void {
  const before = reading.text.slice(Math.max(0, from - 64), from);
  const found = dweller.exec(before)?.[0];
  const at = from - (found?.length ?? 0);
  const name = found === undefined ? null : nameAt(reading, at, 2);
  if (name !== null && at + name.length === from - 1) note(reading, at, name);
}
