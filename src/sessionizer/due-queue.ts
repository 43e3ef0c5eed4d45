/** Finds the parts that a watermark may close, without timers and without looking at the others. */

const absent = -1;

/**
 * A binary heap of slots (small whole numbers) in flat arrays. A slot whose time moves later costs nothing: it is found
 * too early once, and put back where it belongs.
 */
export class DueQueue {
  readonly #dueAt: (slot: number) => number;
  #heap = new Int32Array(1024);
  #size = 0;
  /** By slot: its place in the heap, and the time that it stands there under. */
  #places = new Int32Array(1024).fill(absent);
  #times = new Float64Array(1024);

  constructor(dueAt: (slot: number) => number) {
    this.#dueAt = dueAt;
  }

  /** Adds a slot, or takes note that its time changed. */
  set(slot: number): void {
    if (slot >= this.#places.length) this.#grow(slot);
    const at = this.#dueAt(slot);
    const place = this.#places[slot]!;
    if (place === absent) {
      this.#times[slot] = at;
      this.#rise(this.#size, slot);
      this.#size += 1;
    } else if (at < this.#times[slot]!) {
      this.#times[slot] = at;
      this.#rise(place, slot);
    }
  }

  delete(slot: number): void {
    const place = this.#places[slot] ?? absent;
    if (place === absent) return;
    this.#places[slot] = absent;
    this.#size -= 1;
    const last = this.#heap[this.#size]!;
    if (last === slot) return;
    if (this.#times[last]! < this.#times[slot]!) this.#rise(place, last);
    else this.#sink(place, last);
  }

  /** All slots due before `at`. They stay in the queue until they are deleted. */
  before(at: number): number[] {
    const due: number[] = [];
    while (this.#size > 0 && this.#times[this.#heap[0]!]! < at) {
      const slot = this.#heap[0]!;
      const dueAt = this.#dueAt(slot);
      this.#times[slot] = dueAt;
      if (dueAt >= at) {
        this.#sink(0, slot);
      } else {
        this.delete(slot);
        due.push(slot);
      }
    }
    for (const slot of due) this.set(slot);
    return due;
  }

  #rise(from: number, slot: number): void {
    const at = this.#times[slot]!;
    let place = from;
    while (place > 0) {
      const above = this.#heap[(place - 1) >> 1]!;
      if (this.#times[above]! <= at) break;
      this.#put(place, above);
      place = (place - 1) >> 1;
    }
    this.#put(place, slot);
  }

  #sink(from: number, slot: number): void {
    const at = this.#times[slot]!;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#timeAt(child + 1) < this.#timeAt(child)) child += 1;
      if (this.#timeAt(child) >= at) break;
      this.#put(place, this.#heap[child]!);
      place = child;
    }
    this.#put(place, slot);
  }

  #timeAt(place: number): number {
    return this.#times[this.#heap[place]!]!;
  }

  #put(place: number, slot: number): void {
    this.#heap[place] = slot;
    this.#places[slot] = place;
  }

  #grow(slot: number): void {
    const length = Math.max(slot + 1, 2 * this.#places.length);
    const [heap, places, times] = [this.#heap, this.#places, this.#times];
    this.#heap = new Int32Array(length);
    this.#heap.set(heap);
    this.#places = new Int32Array(length).fill(absent);
    this.#places.set(places);
    this.#times = new Float64Array(length);
    this.#times.set(times);
  }
}
