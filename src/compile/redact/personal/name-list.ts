/** Finds any of many names in one pass: an operator's list, or names that e-mail addresses gave. */
import { classes, otherLetter, wordBits } from './characters.ts';
import { createSieve, glanceAt } from './cues.ts';

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
/** Regardless of case and of marks on letters: `Křenová` is `krenova`. */
function folded(text: string): string {
  const lower = text.toLowerCase();
  return /^[\0-\x7f]*$/.test(lower) ? lower : lower.normalize('NFD').replace(/\p{M}/gu, '');
}

export class NameList {
  readonly #root: Node = { ends: false, next: new Map() };
  /** Of first words. Those with other letters than ASCII's are always looked at. */
  readonly #sieve: Uint8Array;
  readonly #capitalised: boolean;

  /** `capitalised`: only where each word begins with a capital. A name of fewer than two letters is none. */
  constructor(names: readonly string[], { capitalised }: { capitalised: boolean }) {
    this.#capitalised = capitalised;
    for (const name of names) this.#add(folded(name).match(word) ?? []);
    this.#sieve = createSieve(this.#root.next.keys());
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
  }

  /** The longest name at each place, whole words only. */
  find(text: string): NamePlace[] {
    const found: NamePlace[] = [];
    const { length } = text;
    let at = 0;
    while (at < length) {
      if ((classes[text.charCodeAt(at)]! & wordBits) === 0) {
        at += 1;
        continue;
      }
      let made = 0;
      let to = at;
      for (; to < length; to += 1) {
        const bit = classes[text.charCodeAt(to)]!;
        if ((bit & wordBits) === 0) break;
        made |= bit;
      }
      const looked = (made & otherLetter) !== 0 || this.#sieve[glanceAt(text, at, to)] === 1;
      const end = looked ? this.#walk(text, at) : -1;
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
