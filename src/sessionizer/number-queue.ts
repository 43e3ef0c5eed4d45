/** Whole numbers of 32 bits, first in, first out, in blocks: added and given back, never copied. */

const blockNumbers = 16_384;

export class NumberQueue {
  readonly #blocks: Int32Array[] = [];
  /** Counted from the beginning of the first block. */
  #first = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#first;
  }

  push(number: number): void {
    if (this.#end === this.#blocks.length * blockNumbers) this.#blocks.push(new Int32Array(blockNumbers));
    this.#blocks[Math.floor(this.#end / blockNumbers)]![this.#end % blockNumbers] = number;
    this.#end += 1;
  }

  /** @param index below {@link length} */
  at(index: number): number {
    const place = this.#first + index;
    return this.#blocks[Math.floor(place / blockNumbers)]![place % blockNumbers]!;
  }

  /** Takes the first ones out. */
  drop(count: number): void {
    this.#first += count;
    while (this.#first >= blockNumbers) {
      this.#blocks.shift();
      this.#first -= blockNumbers;
      this.#end -= blockNumbers;
    }
  }
}
