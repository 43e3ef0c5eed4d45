/** Finds any of many names in one pass: an operator's list, or names that e-mail addresses gave. */
import { classOf, wordBits } from './characters.ts';
import { hashOf, stepOf } from './cues.ts';

interface Node {
  /** Whether a name ends here. */
  ends: boolean;
  next: Map<string, Node>;
}

export interface NamePlace {
  from: number;
  to: number;
}

const word = /[\p{L}\p{M}\p{N}]+/gu;
/** What may stand between two words of one name. */
const between = /[\s.'’-]{1,3}/y;
const nextWord = /[\p{L}\p{M}\p{N}]{1,64}/uy;
/** Slots of the sieve for each name: one word in so many is looked at that begins no name. */
const slotsPerName = 32;
const mostSlots = 1 << 16;

/** Regardless of case and of marks on letters: `Křenová` is `krenova`. */
function folded(text: string): string {
  const lower = text.toLowerCase();
  return /^[\0-\x7f]*$/.test(lower) ? lower : lower.normalize('NFD').replace(/\p{M}/gu, '');
}

export class NameList {
  readonly #root: Node = { ends: false, next: new Map() };
  /** Hashes of first words: most words of a text are passed over by it. Those with other letters are always looked at. */
  readonly #sieve: Uint8Array;
  readonly #capitalised: boolean;

  /** `capitalised`: only where each word begins with a capital. A name of fewer than two letters is none. */
  constructor(names: readonly string[], { capitalised }: { capitalised: boolean }) {
    this.#capitalised = capitalised;
    const slots = 2 ** Math.ceil(Math.log2(names.length * slotsPerName + 1));
    this.#sieve = new Uint8Array(Math.min(slots, mostSlots));
    for (const name of names) this.#add(folded(name).match(word) ?? []);
  }

  #add(words: readonly string[]): void {
    if (words.join('').length < 2) return;
    let node = this.#root;
    for (const each of words) {
      const known = node.next.get(each) ?? { ends: false, next: new Map() };
      node.next.set(each, known);
      node = known;
    }
    node.ends = true;
    this.#sieve[hashOf(words[0]!) & (this.#sieve.length - 1)] = 1;
  }

  /** The longest name at each place, whole words only. */
  find(text: string): NamePlace[] {
    const found: NamePlace[] = [];
    let at = 0;
    while (at < text.length) {
      if ((classOf(text.charCodeAt(at)) & wordBits) === 0) {
        at += 1;
        continue;
      }
      let hash = 0;
      let to = at;
      let foreign = false;
      for (; to < text.length; to += 1) {
        const code = text.charCodeAt(to);
        if ((classOf(code) & wordBits) === 0) break;
        foreign ||= code >= 128;
        hash = stepOf(hash, code);
      }
      const end = foreign || this.#sieve[hash & (this.#sieve.length - 1)] === 1 ? this.#walk(text, at) : -1;
      if (end !== -1) found.push({ from: at, to: end });
      at = Math.max(to, end);
    }
    return found;
  }

  /** Where the longest name that begins here ends; -1 where none does. An initial may stand between two words. */
  #walk(text: string, from: number): number {
    let node: Node | undefined = this.#root;
    let end = -1;
    for (let at = from; ; ) {
      nextWord.lastIndex = at;
      const here = nextWord.exec(text)?.[0];
      if (here === undefined || (this.#capitalised && !/^\p{Lu}/u.test(here))) return end;
      const known: Node | undefined = node.next.get(folded(here));
      if (known === undefined && (here.length > 1 || at === from)) return end;
      node = known ?? node;
      if (known?.ends && !/[\p{L}\p{N}_]/u.test(text.charAt(at + here.length))) end = at + here.length;
      between.lastIndex = at + here.length;
      const gap = between.exec(text)?.[0];
      if (gap === undefined) return end;
      at += here.length + gap.length;
    }
  }
}
