/**
 * Numbers sessions that have a part ("slots", reused once freed) and finds them by id. A million ids as strings in a Map
 * are a hundred megabytes that every collection walks through; here they are bytes in blocks, some 64 each with the table.
 */
import { randomBytes } from 'node:crypto';

/** Stands for no slot. */
export const noSlot = -1;

/** Blocks are added, never copied. An id larger than one has a block of its own. */
const blockBytes = 1024 * 1024;
/** Room for ids is given in multiples of it, and places are counted in it. */
const grainBytes = 8;
const blockGrains = blockBytes / grainBytes;
/** Slots in one page of the columns. */
const pageSlots = 4096;
/** As a slot's length: it is free, and its place is the next free slot. */
const free = -0x8000_0000;
const fnvPrime = 0x0100_0193;

export class SessionIndex {
  /** By slot: where the id begins, in grains; its UTF-16 units, below zero where it takes two bytes for each. */
  readonly #columns: Int32Array[] = [];
  readonly #blocks: Buffer[] = [];
  /** Grains of the last block that are in use. */
  #usedGrains = blockGrains;
  /** By size in grains: places that were freed. */
  readonly #spare = new Map<number, number[]>();
  /** Open addressing: a slot plus one, or zero, and the hash of its id. */
  #table = new Int32Array(2 * 1024);
  #slots = 0;
  #size = 0;
  #firstFree = noSlot;
  /** Of its own in each process: nobody can choose ids that all fall on one place. */
  readonly #seed = randomBytes(4).readInt32LE();

  get size(): number {
    return this.#size;
  }

  /** {@link noSlot} where there is none. */
  slotOf(sessionId: string): number {
    return this.#table[this.#find(sessionId, this.#hashOf(sessionId))]! - 1;
  }

  /** For a session that is not in. The first ones are numbered from zero on. */
  add(sessionId: string): number {
    if (3 * (this.#size + 1) > this.#table.length) this.#grow();
    const slot = this.#takeSlot();
    this.#write(slot, sessionId);
    const hash = this.#hashOf(sessionId);
    const at = this.#find(sessionId, hash);
    this.#table[at] = slot + 1;
    this.#table[at + 1] = hash;
    this.#size += 1;
    return slot;
  }

  delete(slot: number): void {
    const sessionId = this.sessionAt(slot);
    this.#remove(this.#find(sessionId, this.#hashOf(sessionId)));
    const column = this.#columns[Math.floor(slot / pageSlots)]!;
    const at = 2 * (slot % pageSlots);
    const grains = grainsFor(column[at + 1]!);
    const spare = this.#spare.get(grains);
    if (spare === undefined) this.#spare.set(grains, [column[at]!]);
    else spare.push(column[at]!);
    column[at] = this.#firstFree;
    column[at + 1] = free;
    this.#firstFree = slot;
    this.#size -= 1;
  }

  sessionAt(slot: number): string {
    const column = this.#columns[Math.floor(slot / pageSlots)]!;
    const at = 2 * (slot % pageSlots);
    const length = column[at + 1]!;
    const block = this.#blockOf(column[at]!);
    const from = offsetIn(column[at]!);
    if (length >= 0) return block.toString('latin1', from, from + length);
    return block.toString('utf16le', from, from - 2 * length);
  }

  /** Of all sessions, in no order. A session may be deleted once it was given. */
  *slots(): Generator<number, undefined> {
    for (let slot = 0; slot < this.#slots; slot += 1) {
      if (this.#columns[Math.floor(slot / pageSlots)]![2 * (slot % pageSlots) + 1] !== free) yield slot;
    }
  }

  /** FNV-1a over UTF-16 units, mixed at the end: the table takes the lower bits. */
  #hashOf(sessionId: string): number {
    let hash = this.#seed;
    for (let i = 0; i < sessionId.length; i += 1) hash = Math.imul(hash ^ sessionId.charCodeAt(i), fnvPrime);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
    return hash ^ (hash >>> 13);
  }

  /** Where the session stands in the table, or the free place that it would take. */
  #find(sessionId: string, hash: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    let at = (hash << 1) & mask;
    while (table[at] !== 0 && (table[at + 1] !== hash || !this.#isAt(table[at]! - 1, sessionId))) at = (at + 2) & mask;
    return at;
  }

  /** Unit by unit, so two ids are never taken for one. */
  #isAt(slot: number, sessionId: string): boolean {
    const column = this.#columns[Math.floor(slot / pageSlots)]!;
    const at = 2 * (slot % pageSlots);
    const length = column[at + 1]!;
    if (Math.abs(length) !== sessionId.length) return false;
    const block = this.#blockOf(column[at]!);
    const from = offsetIn(column[at]!);
    for (let i = 0; i < sessionId.length; i += 1) {
      const unit = length >= 0 ? block[from + i]! : block[from + 2 * i]! | (block[from + 2 * i + 1]! << 8);
      if (unit !== sessionId.charCodeAt(i)) return false;
    }
    return true;
  }

  /** Moves those behind it up, where they may stand there, so that no search ends too early. */
  #remove(place: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let gap = place;
    for (let at = (gap + 2) & mask; table[at] !== 0; at = (at + 2) & mask) {
      const wanted = (table[at + 1]! << 1) & mask;
      if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
      table[gap] = table[at]!;
      table[gap + 1] = table[at + 1]!;
      gap = at;
    }
    table[gap] = 0;
  }

  #takeSlot(): number {
    const slot = this.#firstFree;
    if (slot !== noSlot) {
      this.#firstFree = this.#columns[Math.floor(slot / pageSlots)]![2 * (slot % pageSlots)]!;
      return slot;
    }
    if (this.#slots === this.#columns.length * pageSlots) this.#columns.push(new Int32Array(2 * pageSlots));
    this.#slots += 1;
    return this.#slots - 1;
  }

  #write(slot: number, sessionId: string): void {
    const length = isNarrow(sessionId) ? sessionId.length : -sessionId.length;
    const place = this.#takeGrains(grainsFor(length));
    this.#blockOf(place).write(sessionId, offsetIn(place), length >= 0 ? 'latin1' : 'utf16le');
    const column = this.#columns[Math.floor(slot / pageSlots)]!;
    column[2 * (slot % pageSlots)] = place;
    column[2 * (slot % pageSlots) + 1] = length;
  }

  #takeGrains(grains: number): number {
    const spare = this.#spare.get(grains)?.pop();
    if (spare !== undefined) return spare;
    if (this.#usedGrains + grains > blockGrains) {
      this.#blocks.push(Buffer.allocUnsafeSlow(Math.max(blockBytes, grains * grainBytes)));
      this.#usedGrains = 0;
    }
    const place = (this.#blocks.length - 1) * blockGrains + this.#usedGrains;
    this.#usedGrains += grains;
    return place;
  }

  #blockOf(place: number): Buffer {
    return this.#blocks[Math.floor(place / blockGrains)]!;
  }

  #grow(): void {
    const before = this.#table;
    const mask = 2 * before.length - 1;
    const table = new Int32Array(2 * before.length);
    for (let i = 0; i < before.length; i += 2) {
      if (before[i] === 0) continue;
      let at = (before[i + 1]! << 1) & mask;
      while (table[at] !== 0) at = (at + 2) & mask;
      table[at] = before[i]!;
      table[at + 1] = before[i + 1]!;
    }
    this.#table = table;
  }
}

function grainsFor(length: number): number {
  return Math.max(1, Math.ceil((length >= 0 ? length : -2 * length) / grainBytes));
}

function offsetIn(place: number): number {
  return (place % blockGrains) * grainBytes;
}

function isNarrow(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0xff) return false;
  return true;
}
