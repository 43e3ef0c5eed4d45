/** A set of 64-bit hashes without an object for each: open addressing over pairs of 32-bit words. */
export class KeySet {
  #words = new Uint32Array(2 * 64);
  #size = 0;
  /** Free slots hold zeros; the one hash that is zero itself is remembered here. */
  #hasZero = false;

  get size(): number {
    return this.#size + Number(this.#hasZero);
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  add(low: number, high: number): void {
    if (low === 0 && high === 0) {
      this.#hasZero = true;
      return;
    }
    if ((this.#size + 1) * 3 > this.#words.length) this.#grow();
    const at = this.#slotOf(low, high);
    if (this.#words[at] !== 0 || this.#words[at + 1] !== 0) return;
    this.#words[at] = low;
    this.#words[at + 1] = high;
    this.#size += 1;
  }

  has(low: number, high: number): boolean {
    if (low === 0 && high === 0) return this.#hasZero;
    const at = this.#slotOf(low, high);
    return this.#words[at] !== 0 || this.#words[at + 1] !== 0;
  }

  /** Where the hash stands, or the free slot that it would take. */
  #slotOf(low: number, high: number): number {
    const words = this.#words;
    const mask = words.length - 1;
    let at = (low << 1) & mask;
    while ((words[at] !== low || words[at + 1] !== high) && (words[at] !== 0 || words[at + 1] !== 0)) {
      at = (at + 2) & mask;
    }
    return at;
  }

  #grow(): void {
    const before = this.#words;
    this.#words = new Uint32Array(before.length * 2);
    this.#size = 0;
    for (let i = 0; i < before.length; i += 2) {
      if (before[i] !== 0 || before[i + 1] !== 0) this.add(before[i]!, before[i + 1]!);
    }
  }
}
