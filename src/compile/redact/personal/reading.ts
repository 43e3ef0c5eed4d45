/** A text while it is read: what was found in it, and how far back which cues stood. */
import type { Detection, TextContext } from '../detection.ts';
import type { Kind } from '../kinds.ts';
import { cueBits } from './cues.ts';

const never = -1_000_000;
/** One reading at a time is under way, and most texts are short: making this for each took longer than reading it. */
const lastCues = new Int32Array(cueBits);

const longestMargin = 16;

export class Reading {
  readonly text: string;
  readonly context: TextContext;
  readonly found: Detection[] = [];

  constructor(text: string, context: TextContext) {
    this.text = text;
    this.context = context;
    lastCues.fill(never);
  }

  add(kind: Kind, from: number, to: number, certain: boolean): void {
    this.found.push({ kind, from, to, certain });
  }

  /** `says` may hold several cues. */
  noteCue(says: number, at: number): void {
    for (let left = says; left !== 0; left &= left - 1) lastCues[31 - Math.clz32(left & -left)] = at;
  }

  /** Whether one of the cues ended at most `within` units before a place. */
  near(cues: number, at: number, within: number): boolean {
    for (let left = cues; left !== 0; left &= left - 1) {
      if (at - lastCues[31 - Math.clz32(left & -left)]! <= within) return true;
    }
    return false;
  }

  /** Whether the text is nothing but this: the value of a field, not a word in a sentence. */
  isAll(from: number, to: number): boolean {
    if (from > longestMargin || this.text.length - to > longestMargin) return false;
    return this.text.slice(0, from).trim() === '' && this.text.slice(to).trim() === '';
  }

  /** What a sticky pattern matches at a place. */
  match(pattern: RegExp, at: number): string | null {
    pattern.lastIndex = at;
    return pattern.exec(this.text)?.[0] ?? null;
  }
}
