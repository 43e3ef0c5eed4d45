/** A text while it is read: what was found in it, and how far back which cues stood. */
import type { Detection, TextContext } from '../detection.ts';
import type { Kind } from '../kinds.ts';
import { cueBits } from './cues.ts';

const never = -1_000_000;

export class Reading {
  readonly text: string;
  readonly context: TextContext;
  readonly found: Detection[] = [];
  readonly #cues = new Int32Array(cueBits).fill(never);
  #first: number;
  #last: number;

  constructor(text: string, context: TextContext) {
    this.text = text;
    this.context = context;
    this.#first = text.search(/\S/);
    this.#last = text.trimEnd().length;
  }

  add(kind: Kind, from: number, to: number, certain: boolean): void {
    this.found.push({ kind, from, to, certain });
  }

  /** `says` may hold several cues. */
  noteCue(says: number, at: number): void {
    for (let left = says; left !== 0; left &= left - 1) this.#cues[31 - Math.clz32(left & -left)] = at;
  }

  /** Whether one of the cues ended at most `within` units before a place. */
  near(cues: number, at: number, within: number): boolean {
    for (let left = cues; left !== 0; left &= left - 1) {
      if (at - this.#cues[31 - Math.clz32(left & -left)]! <= within) return true;
    }
    return false;
  }

  /** Whether the text is nothing but this: the value of a field, not a word in a sentence. */
  isAll(from: number, to: number): boolean {
    return from === this.#first && to === this.#last;
  }

  /** What a sticky pattern matches at a place. */
  match(pattern: RegExp, at: number): string | null {
    pattern.lastIndex = at;
    return pattern.exec(this.text)?.[0] ?? null;
  }
}
