/** Looks for many values in a text at once: by the words that they are made of, in one pass. */
import { letterOf, lowered, nextWord, shapeOf, shapes, type Word, wordEnd } from './words.ts';

export interface Wanted<T> {
  /** Its words in a row, in any case; what else must be the same is for `identify` to say. */
  text: string;
  /** The same for all spellings that are meant. One function for many values, not one each. */
  identify: (found: string) => string;
  what: T;
}

export interface Seen<T> {
  from: number;
  to: number;
  what: T;
}

/** Values of more words, or long ones of several, are known by their form; what is compared at a place stays little. */
const maxWords = 16;
const maxLength = 256;
const fewWords = 4;

/** Wider gaps separate. */
const maxGap = 8;

/** Signs at either end that belong to a value: `$ecret!`, `+44 …`. */
const maxSigns = 3;

/** After some words: what may follow, and what may end here. Null for nothing: most have but one of the two. */
interface Node<T> {
  next: Map<string, Node<T>> | null;
  ends: Ends<T>[] | null;
}

/** Values that are told apart in one way. */
interface Ends<T> {
  identify: (found: string) => string;
  lead: number;
  tail: number;
  values: Map<string, T>;
}

const none: readonly never[] = [];

export class Lookout<T> {
  readonly #root: Node<T> = { next: null, ends: null };
  /** Shapes of the words that something begins with: most words of a text have another. */
  readonly #begins = new Uint8Array(shapes);
  #isIdle = true;

  /** Of two that are the same the first one stays. */
  add({ text, identify, what }: Wanted<T>): void {
    const words = wordsOf(text);
    const [first] = words;
    const last = words.at(-1);
    if (first === undefined || last === undefined || words.length > maxWords) return;
    if (text.length > maxLength && words.length > fewWords) return;
    let node = this.#root;
    for (const word of words) node = nextNode(node, lowered(text, word));
    this.#begins[shapeOf(text, first.from, first.to)] = 1;
    this.#isIdle = false;
    const ends = endsOf(node, identify, first.from, text.length - last.to);
    const identity = identify(text);
    if (!ends.values.has(identity)) ends.values.set(identity, what);
  }

  get isIdle(): boolean {
    return this.#isIdle;
  }

  /** What of it stands in the text as whole words, the longest where one holds another; none over another. */
  find(text: string): readonly Seen<T>[] {
    let found: Seen<T>[] | null = null;
    const { length } = text;
    const begins = this.#begins;
    for (let at = 0; at < length; ) {
      if (letterOf(text.charCodeAt(at)) === 0) {
        at++;
        continue;
      }
      const from = at;
      at = wordEnd(text, from);
      if (begins[shapeOf(text, from, at)] === 0) continue;
      const seen = this.#longestAt(text, { from, to: at });
      if (seen === null) continue;
      found ??= [];
      found.push(seen);
      at = Math.max(at, seen.to);
    }
    return found ?? none;
  }

  #longestAt(text: string, first: Word): Seen<T> | null {
    let node: Node<T> | undefined = this.#root;
    let longest: Seen<T> | null = null;
    for (let word: Word | null = first; word !== null; word = nextWord(text, word.to, word.to + maxGap)) {
      node = node.next?.get(lowered(text, word));
      if (node === undefined) break;
      longest = seenAt(text, first.from, word.to, node) ?? longest;
    }
    return longest;
  }
}

function nextNode<T>(node: Node<T>, word: string): Node<T> {
  node.next ??= new Map();
  let next = node.next.get(word);
  if (next === undefined) {
    next = { next: null, ends: null };
    node.next.set(word, next);
  }
  return next;
}

function endsOf<T>(node: Node<T>, identify: Ends<T>['identify'], before: number, after: number): Ends<T> {
  node.ends ??= [];
  const { ends } = node;
  const lead = Math.min(before, maxSigns);
  const tail = Math.min(after, maxSigns);
  const known = ends.find((it) => it.identify === identify && it.lead === lead && it.tail === tail);
  if (known !== undefined) return known;
  const added = { identify, lead, tail, values: new Map<string, T>() };
  ends.push(added);
  return added;
}

function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  for (let word = nextWord(text, 0); word !== null && words.length <= maxWords; word = nextWord(text, word.to)) {
    words.push(word);
  }
  return words;
}

/** With the signs around its words where they stand there too. */
function seenAt<T>(text: string, first: number, last: number, { ends }: Node<T>): Seen<T> | null {
  for (const { identify, lead, tail, values } of ends ?? []) {
    for (const [before, after] of lead + tail === 0
      ? noSigns
      : [[lead, tail] as const, [lead, 0] as const, ...noSigns]) {
      const from = Math.max(0, first - before);
      const to = Math.min(text.length, last + after);
      const what = values.get(identify(text.slice(from, to)));
      if (what !== undefined) return { from, to, what };
    }
  }
  return null;
}

const noSigns = [[0, 0]] as const;
