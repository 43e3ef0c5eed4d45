/**
 * What one partition has in hand: a prefix that is finished, and beyond it offsets in any state. Pure.
 *
 *   finished … finished | unfinished  finished  unfinished  finished | not read yet
 *                       base                                         next
 *
 * `base` is what may be committed. What is finished beyond it is written beside the commit as bits, so that the next
 * owner delivers none of it again.
 */

/** How far `next` may be ahead of `base`: its bits, as base64, fit into the 4,096 bytes that a broker keeps beside a commit. */
export const maxSpan = 16_384;

export class AckWindow {
  #base: number;
  #next: number;
  readonly #finished = new Set<number>();

  /** `bits`: bit `i` (least significant first) tells that offset `base + i` is finished. */
  constructor(base: number, bits: Uint8Array = new Uint8Array()) {
    this.#base = base;
    this.#next = base;
    for (const [index, byte] of bits.entries()) {
      for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) this.#finished.add(base + index * 8 + bit);
    }
    this.#advance();
  }

  /** The first offset that is not finished. */
  get base(): number {
    return this.#base;
  }

  /** The offset to be read next. */
  get next(): number {
    return this.#next;
  }

  /** Offsets beyond `base` that are finished. */
  get finishedBeyond(): number {
    return this.#finished.size;
  }

  get hasRoom(): boolean {
    return this.#next - this.#base < maxSpan;
  }

  /** Takes note that `offset` was read. False where it is finished, or was read before: it is not to be delivered. */
  file(offset: number): boolean {
    if (offset < this.#next) return false;
    this.#next = offset + 1;
    return !this.#finished.has(offset);
  }

  finish(offset: number): void {
    if (offset < this.#base) return;
    this.#finished.add(offset);
    this.#advance();
  }

  /** Offsets from `next` up to `offset` hold no message. */
  skipTo(offset: number): void {
    if (this.#base === this.#next) this.#base = Math.max(this.#base, offset);
    else for (let missing = this.#next; missing < offset; missing++) this.#finished.add(missing);
    this.#next = Math.max(this.#next, offset);
    this.#advance();
  }

  /** What the constructor takes. */
  bits(): Uint8Array {
    // Beyond the span lie holes alone, which cost nothing to be skipped again.
    const last = Math.min(Math.max(this.#base - 1, ...this.#finished), this.#base + maxSpan - 1);
    const bits = new Uint8Array(Math.ceil((last + 1 - this.#base) / 8));
    for (const offset of this.#finished) {
      const index = offset - this.#base;
      if (index < maxSpan) bits[index >> 3]! |= 1 << (index & 7);
    }
    return bits;
  }

  #advance(): void {
    while (this.#finished.delete(this.#base)) this.#base++;
    this.#next = Math.max(this.#next, this.#base);
  }
}
