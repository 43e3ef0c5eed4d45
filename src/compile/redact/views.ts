/**
 * A row's text as the values that stand in it: strings and numbers of JSON with the names around them, JSON inside of
 * strings in turn, and what is no JSON as it reads once escapes are taken out. Every place in a view leads back to the
 * text, so that what is replaced there leaves each other byte as it was.
 */
import { type Undisguised, undisguised } from './disguises.ts';
import { decodeEscapes, decodeString } from './escapes.ts';
import { type JsonVisitor, walkJson } from './json-walk.ts';
import type { Place } from './place.ts';

/** A stretch of a text, or of what another stretch says once its escapes are taken out. */
interface Stretch {
  of: Stretch | null;
  from: number;
  decoded: Undisguised;
}

/** Plain fields: there is one for each value of a row. */
export interface View {
  /** What it says. */
  value: string;
  place: Place;
  /** Of a number: what a string in its place begins and ends with. */
  quote: string | null;
  /** How many strings of JSON are around it. */
  depth: number;
  of: Stretch | null;
  from: number;
}

/** Where the character at `index` of a view begins in the whole text. */
export function rawAt(view: Pick<View, 'of' | 'from'>, index: number): number {
  let at = view.from + index;
  for (let of = view.of; of !== null; of = of.of) at = of.from + of.decoded.rawAt(at);
  return at;
}

/** Strings in strings: each level doubles the backslashes, so that a text has few of them. */
const maxDepth = 8;

/** A log line that quotes a log line that quotes JSON. */
const maxTextLevels = 3;

/** An address in a URL that is a parameter of a URL. */
const maxDisguises = 2;

/** Shorter ones are nobody's. */
const minDigits = 4;
const minCharacters = 3;

const mayBeDocument = /^\s*(?:\\[nrt]\s*)*[[{]/;

/** Linear in the length of the text, whatever it holds. */
export function viewsOf(text: string, place: Place): View[] {
  const views: View[] = [];
  new Level(views, text, 0, null).add(place);
  return views;
}

/** One text with what it holds: the row's own, or what a string in it says. */
class Level implements JsonVisitor {
  readonly #views: View[];
  readonly #text: string;
  readonly #depth: number;
  readonly #of: Stretch | null;

  constructor(views: View[], text: string, depth: number, of: Stretch | null) {
    this.#views = views;
    this.#text = text;
    this.#depth = depth;
    this.#of = of;
  }

  add(place: Place): void {
    const end = walkJson(this.#text, place, this);
    if (end < this.#text.length) this.#addText('text', end, this.#text.length, place, this.#depth);
  }

  /** One that holds a document is walked like one. */
  string(from: number, to: number, place: Place): void {
    const depth = this.#depth + 1;
    if (to - from >= minCharacters && depth < maxDepth && this.#holdsDocument(from, to)) {
      const decoded = decodeString(this.#text, from, to);
      const of = { of: this.#of, from, decoded };
      new Level(this.#views, decoded.value, depth, of).add(place);
    } else this.#addText('string', from, to, place, depth);
  }

  name(from: number, to: number, place: Place): void {
    this.#addText('string', from, to, place, this.#depth + 1);
  }

  /** As it stands: a document within it has been walked. */
  labelled(from: number, to: number, place: Place): void {
    this.#addText('string', from, to, place, this.#depth + 1);
  }

  number(from: number, to: number, place: Place): void {
    if (to - from < minDigits) return;
    const quote = `${'\\'.repeat(2 ** this.#depth - 1)}"`;
    const value = this.#text.slice(from, to);
    this.#views.push({ value, place, quote, depth: this.#depth, of: this.#of, from });
  }

  #holdsDocument(from: number, to: number): boolean {
    const first = this.#text.charCodeAt(from);
    // Most strings begin with a letter.
    if (first > 0x40 && first !== 0x5b && first !== 0x5c && first !== 0x7b) return false;
    return mayBeDocument.test(this.#text.slice(from, to));
  }

  /** `string`: its own escapes are JSON's for sure; what looks like escapes behind them may be some. */
  #addText(as: 'string' | 'text', from: number, to: number, place: Place, depth: number): void {
    if (to - from < minCharacters) return;
    let value = this.#text.slice(from, to);
    let of = this.#of;
    let start = from;
    for (let level = 0; level < maxTextLevels && value.includes('\\'); level++) {
      const isString = as === 'string' && level === 0;
      const decoded = isString ? decodeString(this.#text, from, to) : decodeEscapes(value, 'text');
      if (decoded.value === value) break;
      of = { of, from: start, decoded };
      value = decoded.value;
      start = 0;
    }
    this.#views.push({ value, place, quote: null, depth, of, from: start });
    // Beside what it says as it stands: a password may hold a percent sign.
    for (let level = 0; level < maxDisguises; level++) {
      const decoded = undisguised(value);
      if (decoded === null) break;
      of = { of, from: start, decoded };
      value = decoded.value;
      start = 0;
      for (const { from: at, to: end } of decoded.changed) {
        this.#views.push({ value: value.slice(at, end), place, quote: null, depth, of, from: at });
      }
    }
  }
}
