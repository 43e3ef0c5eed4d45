/** Seeded chance: the same seed gives the same numbers on every machine and every version of Node. */
export class Dice {
  #state: number;
  readonly #codes = new Set<string>();

  constructor(seed: number, stream = 0) {
    // Two odd multipliers spread neighbouring seeds and streams, which would otherwise start alike.
    this.#state = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul((stream + 1) | 0, 0x85ebca6b)) >>> 0;
    for (let i = 0; i < 4; i++) this.next();
  }

  /** From 0 up to, not including, 1. Mulberry32, public domain, by Tommy Ettinger. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)] as T;
  }

  /** `count` different ones, in a new order. */
  some<T>(items: readonly T[], count: number): T[] {
    const rest = [...items];
    const taken: T[] = [];
    while (taken.length < count && rest.length > 0) taken.push(...rest.splice(this.int(0, rest.length - 1), 1));
    return taken;
  }

  /** An identifier such as `T-4821` that these dice never gave before. */
  code(prefix: string, digits = 4): string {
    for (;;) {
      const code = `${prefix}${this.int(10 ** (digits - 1), 10 ** digits - 1)}`;
      if (this.#codes.has(code)) continue;
      this.#codes.add(code);
      return code;
    }
  }
}
