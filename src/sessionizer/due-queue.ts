/** Finds the parts that a watermark may close, without timers and without looking at the others. */

interface Entry<T> {
  at: number;
  item: T;
}

/**
 * A binary heap with one entry an item. An item that is touched again moves later, which costs nothing: its entry is
 * found too early once, and put back where it belongs.
 */
export class DueQueue<T extends object> {
  readonly #dueAt: (item: T) => number;
  readonly #heap: Entry<T>[] = [];
  /** Time of the one valid entry of each item. Others are left over and dropped when they are met. */
  readonly #queuedAt = new Map<T, number>();

  constructor(dueAt: (item: T) => number) {
    this.#dueAt = dueAt;
  }

  /** Adds an item, or takes note that it changed. */
  set(item: T): void {
    const at = this.#dueAt(item);
    const queuedAt = this.#queuedAt.get(item);
    if (queuedAt === undefined || at < queuedAt) this.#push(item, at);
  }

  delete(item: T): void {
    this.#queuedAt.delete(item);
  }

  /** All items due before `at`. They stay in the queue until they are deleted. */
  before(at: number): T[] {
    const due: T[] = [];
    for (let top = this.#heap[0]; top !== undefined && top.at < at; top = this.#heap[0]) {
      this.#pop();
      if (this.#queuedAt.get(top.item) !== top.at) continue;
      const dueAt = this.#dueAt(top.item);
      if (dueAt < at) due.push(top.item);
      else this.#push(top.item, dueAt);
    }
    for (const item of due) this.#push(item, this.#dueAt(item));
    return due;
  }

  #push(item: T, at: number): void {
    this.#queuedAt.set(item, at);
    const heap = this.#heap;
    let i = heap.length;
    heap.push({ item, at });
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.at <= at) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = { item, at };
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child += 1;
      if (heap[child]!.at >= last.at) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}
