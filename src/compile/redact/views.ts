/**
 * A row's text as the values that stand in it: strings and numbers of JSON with the names around them, JSON inside of
 * strings in turn, and what is no JSON as it reads once escapes are taken out. Every place in a view leads back to the
 * text, so that what is replaced there leaves each other byte as it was.
 */
import { decodeEscapes } from './escapes.ts';
import { walkJson } from './json-walk.ts';
import type { Place } from './place.ts';

export interface View {
  /** What it says. */
  value: string;
  place: Place;
  /** Of a number: what a string in its place begins and ends with. */
  quote: string | null;
  /** Strings of JSON around it. */
  depth: number;
  /** Where the character at `index` begins in the whole text. */
  rawAt(index: number): number;
}

/** Strings in strings: each level doubles the backslashes, so that a text has few of them. */
const maxDepth = 8;

/** A log line that quotes a log line that quotes JSON. */
const maxTextLevels = 3;

/** Shorter numbers and lists of them are nobody's. */
const minDigits = 4;

type RawAt = (index: number) => number;

/** Linear in the length of the text, whatever it holds. */
export function viewsOf(text: string, place: Place): View[] {
  const views: View[] = [];
  addViews(views, text, place, 0, (index) => index);
  return views;
}

function addViews(views: View[], text: string, place: Place, depth: number, rawAt: RawAt): void {
  const end = walkJson(text, place, {
    string: (from, to, at) => addString(views, text.slice(from, to), at, depth + 1, shifted(rawAt, from)),
    name: (from, to, at) => addText(views, 'string', text.slice(from, to), at, depth + 1, shifted(rawAt, from)),
    number: (from, to, at) => {
      if (to - from < minDigits) return;
      const quote = `${'\\'.repeat(2 ** depth - 1)}"`;
      views.push({ value: text.slice(from, to), place: at, quote, depth, rawAt: shifted(rawAt, from) });
    },
  });
  if (end < text.length) addText(views, 'text', text.slice(end), place, depth, shifted(rawAt, end));
}

/** A string that holds a document is walked like one. */
function addString(views: View[], raw: string, place: Place, depth: number, rawAt: RawAt): void {
  if (depth < maxDepth && /^\s*(?:\\[nrt]\s*)*[[{]/.test(raw)) {
    const decoded = decodeEscapes(raw);
    addViews(views, decoded.value, place, depth, through(rawAt, decoded.rawAt));
    return;
  }
  addText(views, 'string', raw, place, depth, rawAt);
}

/** `string`: its own escapes are JSON's for sure; what looks like escapes behind them may be some. */
function addText(views: View[], as: 'string' | 'text', raw: string, place: Place, depth: number, rawAt: RawAt): void {
  let value = raw;
  let back = rawAt;
  for (let level = 0; level < maxTextLevels && value.includes('\\'); level++) {
    const decoded = decodeEscapes(value, level === 0 ? as : 'text');
    if (decoded.value === value) break;
    value = decoded.value;
    back = through(back, decoded.rawAt);
  }
  if (value.length > 1) views.push({ value, place, quote: null, depth, rawAt: back });
}

const shifted =
  (rawAt: RawAt, by: number): RawAt =>
  (index) =>
    rawAt(index + by);

const through =
  (outer: RawAt, inner: RawAt): RawAt =>
  (index) =>
    outer(inner(index));
