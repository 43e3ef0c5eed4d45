/**
 * The strings and numbers of JSON text, by one walk from token to token: no value is built, no stack frame is used for
 * a level of nesting, and nothing of the text is changed.
 */
import { decodeEscapes } from './escapes.ts';
import type { Place } from './place.ts';

/** `from` and `to` are places in the text; of strings and names without their quotes. */
export interface JsonVisitor {
  string(from: number, to: number, place: Place): void;
  number(from: number, to: number, place: Place): void;
  /** Not of names that say no more than what a member is for. */
  name(from: number, to: number, place: Place): void;
  /** Once more a string whose name stands beside it: `{"name": "password", "value": "…"}`. */
  labelled(from: number, to: number, place: Place): void;
}

/**
 * Walks a document, or several of them one after the other, and says how far it came: to the end, or, where the text
 * is no JSON or is cut, to the end of the last value that was whole. Prose that begins with a number or a quote is
 * prose: only a whole text is a lone string or number.
 */
export function walkJson(text: string, place: Place, visitor: JsonVisitor): number {
  return new Walk(text, place, visitor).run();
}

/** A container that is open. */
interface Frame {
  kind: 'object' | 'list';
  /** Of its elements, or of the object that has its members. */
  place: Place;
  isEmpty: boolean;
  pair: Pair | null;
}

/** Members of one object of which one says what the other is. */
interface Pair {
  label: string | null;
  value: (Range & { isNumber: boolean }) | null;
}

interface Range {
  from: number;
  to: number;
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y;
/** Longer ones are prose. */
const longestLabel = 64;
const longestName = 9;

const word = /(?:true|false|null)(?!\w)/y;

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const bracketOpen = 0x5b;
const bracketClose = 0x5d;
const braceOpen = 0x7b;
const braceClose = 0x7d;

function opens(code: number): boolean {
  return code === braceOpen || code === bracketOpen;
}

class Walk {
  readonly #text: string;
  readonly #root: Place;
  readonly #visitor: JsonVisitor;
  readonly #open: Frame[] = [];
  #at = 0;
  /** The end of the last whole value. */
  #whole = 0;
  /** Where the next backslash stands: looked for again only once it is behind. */
  #backslash = -1;

  constructor(text: string, root: Place, visitor: JsonVisitor) {
    this.#text = text;
    this.#root = root;
    this.#visitor = visitor;
  }

  run(): number {
    const first = this.#skipSpace();
    if (!opens(first)) return this.#lone(first);
    for (let next = first; opens(next); next = this.#skipSpace()) {
      if (!this.#document()) return this.#whole;
    }
    return this.#at === this.#text.length ? this.#at : this.#whole;
  }

  #lone(first: number): number {
    const from = this.#at;
    if (first === quote ? this.#string() === null : !this.#matches(number)) return 0;
    const to = this.#at;
    this.#skipSpace();
    if (this.#at < this.#text.length) return 0;
    if (first === quote) this.#visitor.string(from + 1, to - 1, this.#root);
    else this.#visitor.number(from, to, this.#root);
    return this.#text.length;
  }

  #document(): boolean {
    let goesOn = this.#value(this.#root);
    while (goesOn && this.#open.length > 0) goesOn = this.#step(this.#open.at(-1)!);
    return goesOn;
  }

  /** The next member or element, or the end of the container. */
  #step(frame: Frame): boolean {
    const next = this.#skipSpace();
    if (next === (frame.kind === 'object' ? braceClose : bracketClose)) {
      this.#open.pop();
      this.#at += 1;
      this.#whole = this.#at;
      return true;
    }
    if (!frame.isEmpty) {
      if (next !== comma) return false;
      this.#at += 1;
      this.#skipSpace();
    }
    frame.isEmpty = false;
    return frame.kind === 'object' ? this.#member(frame) : this.#value(frame.place);
  }

  #member(frame: Frame): boolean {
    const { place } = frame;
    if (this.#text.charCodeAt(this.#at) !== quote) return false;
    const name = this.#string();
    if (name === null || this.#skipSpace() !== colon) return false;
    this.#at += 1;
    this.#skipSpace();
    const said = this.#said(name);
    const member = place.member(said);
    const from = this.#at;
    if (!this.#value(member)) return false;
    if (said.length <= longestName) this.#pair(frame, said, from);
    if (!member.isPlain) this.#visitor.name(name.from, name.to, place.names());
    return true;
  }

  /** In either order: jsonb sorts members by the length of their names. `from`: where the member's value began. */
  #pair(frame: Frame, name: string, from: number): void {
    const { role } = frame.place.member(name);
    if (role === null) return;
    const first = this.#text.charCodeAt(from);
    if (opens(first)) return;
    const isNumber = first !== quote;
    const range = isNumber ? { from, to: this.#at } : { from: from + 1, to: this.#at - 1 };
    frame.pair ??= { label: null, value: null };
    if (role === 'value') frame.pair.value = { ...range, isNumber };
    else if (!isNumber && range.to - range.from <= longestLabel) frame.pair.label = this.#said(range);
    const { label, value } = frame.pair;
    if (label === null || value === null) return;
    const place = frame.place.member(label);
    if (!value.isNumber) this.#visitor.labelled(value.from, value.to, place);
    else if (/[-\d]/.test(this.#text[value.from]!)) this.#visitor.number(value.from, value.to, place);
    frame.pair.value = null;
  }

  #said({ from, to }: Range): string {
    const written = this.#text.slice(from, to);
    return written.includes('\\') ? decodeEscapes(written).value : written;
  }

  /** What begins here: a container is opened, anything else read. False where no value stands here. */
  #value(place: Place): boolean {
    const from = this.#at;
    const first = this.#text.charCodeAt(from);
    if (opens(first)) {
      this.#open.push({ kind: first === braceOpen ? 'object' : 'list', place, isEmpty: true, pair: null });
      this.#at += 1;
      return true;
    }
    if (first === quote) {
      const string = this.#string();
      if (string === null) return false;
      this.#visitor.string(string.from, string.to, place);
    } else if (this.#matches(number)) this.#visitor.number(from, this.#at, place);
    else if (!this.#matches(word)) return false;
    this.#whole = this.#at;
    return true;
  }

  /** Between the quotes of the string that begins here; null where it does not end. */
  #string(): Range | null {
    const from = this.#at + 1;
    let at = from;
    for (let end = this.#text.indexOf('"', at); end !== -1; end = this.#text.indexOf('"', at)) {
      // What a backslash stands before is none of the string's own signs.
      while (this.#nextBackslash(at) < end) at = this.#nextBackslash(at) + 2;
      if (at <= end) {
        this.#at = end + 1;
        return { from, to: end };
      }
    }
    return null;
  }

  #nextBackslash(from: number): number {
    if (this.#backslash < from) {
      const found = this.#text.indexOf('\\', from);
      this.#backslash = found === -1 ? Number.POSITIVE_INFINITY : found;
    }
    return this.#backslash;
  }

  #matches(token: RegExp): boolean {
    token.lastIndex = this.#at;
    if (!token.test(this.#text)) return false;
    this.#at = token.lastIndex;
    return true;
  }

  /** The first character that is no space; NaN at the end. */
  #skipSpace(): number {
    let code = this.#text.charCodeAt(this.#at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = this.#text.charCodeAt(++this.#at);
    return code;
  }
}
