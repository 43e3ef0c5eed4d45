/**
 * The states of open and held parts, as a log: each commit appends the new states of the parts that it touched, so that a
 * row costs the same however many are open. The oldest entries are dropped, or appended anew where they still hold, so
 * that the log stays within twice the number of parts. A restart reads it once; of one part's entries the last holds.
 */
import type { SqliteDatabase } from '../sqlite.ts';
import { type LiveParts, type PlacedPart, stateWidth, writeState } from './live-parts.ts';

/** So many fill a page of 16 KiB, and no more. */
const entriesAtOnce = 200;
const slackEntries = 4096;
/** How much of the oldest is looked at in a commit, for each entry that it adds and at least. */
const looksPerEntry = 4;
const looksAtLeast = 64;

/** What memory must take over once the transaction is committed. */
export interface LoggedStates {
  /** Rows of the table, with the parts in them: as they were touched, or by slot where an entry was appended anew. */
  added: { id: number; parts: (PlacedPart | number)[] }[];
  /** How many of the oldest rows went. */
  dropped: number;
}

/** A row of the table: which slots its entries were for. */
interface LogRow {
  id: number;
  slots: Int32Array;
}

const noSlot = -1;

export class StateLog {
  readonly #live: LiveParts;
  readonly #read;
  readonly #insert;
  readonly #drop;
  #rows: LogRow[] = [];
  /** Rows before this one are dropped. */
  #first = 0;
  #entries = 0;

  constructor(db: SqliteDatabase, live: LiveParts) {
    this.#live = live;
    this.#read = db.prepare('SELECT id, entries FROM states ORDER BY id').raw();
    this.#insert = db.prepare('INSERT INTO states (entries) VALUES (?)');
    this.#drop = db.prepare('DELETE FROM states WHERE id = ?');
  }

  /** @param slotOf the slot of a part by its id, null where it has ended */
  load(slotOf: (partId: number) => number | null): void {
    for (const [id, blob] of this.#read.iterate() as IterableIterator<[number, Buffer]>) {
      const entries = numbersOf(blob);
      const slots = new Int32Array(entries.length / stateWidth).fill(noSlot);
      for (const i of slots.keys()) {
        const state = entries.subarray(i * stateWidth, (i + 1) * stateWidth);
        const slot = slotOf(state[0]!);
        if (slot === null) continue;
        this.#live.restore(slot, state);
        this.#live.setLogged(slot, id);
        slots[i] = slot;
      }
      this.#add({ id, slots });
    }
  }

  /** @param ended sessions whose known part ended */
  write(touched: readonly PlacedPart[], ended: readonly string[]): LoggedStates {
    const live = this.#live;
    const newer = new Set<number>();
    for (const { part } of touched) newer.add(live.slotOf(part.sessionId) ?? noSlot);
    for (const sessionId of ended) newer.add(live.slotOf(sessionId) ?? noSlot);
    const kept: number[] = [];
    const dropped = this.#clean(touched.length, (slot, rowId) => {
      if (slot !== noSlot && !newer.has(slot) && live.loggedAt(slot) === rowId) kept.push(slot);
    });
    const all = [...touched, ...kept];
    const added: LoggedStates['added'] = [];
    for (let from = 0; from < all.length; from += entriesAtOnce) {
      const parts = all.slice(from, from + entriesAtOnce);
      added.push({ id: this.#insertStates(parts), parts });
    }
    return { added, dropped };
  }

  /** After the commit, once the parts themselves are in memory. */
  remember({ added, dropped }: LoggedStates): void {
    for (let n = 0; n < dropped; n += 1) this.#entries -= this.#rows[this.#first + n]!.slots.length;
    this.#first += dropped;
    if (this.#first > 1024 && this.#first * 2 > this.#rows.length) {
      this.#rows = this.#rows.slice(this.#first);
      this.#first = 0;
    }
    for (const { id, parts } of added) {
      const slots = Int32Array.from(parts, (part) =>
        typeof part === 'number' ? part : (this.#live.slotOf(part.part.sessionId) ?? noSlot),
      );
      for (const slot of slots) if (slot !== noSlot) this.#live.setLogged(slot, id);
      this.#add({ id, slots });
    }
  }

  clear(): void {
    this.#rows = [];
    this.#first = 0;
    this.#entries = 0;
  }

  /** Drops the oldest rows while there are too many entries. Returns how many. */
  #clean(adding: number, look: (slot: number, rowId: number) => void): number {
    const enough = 2 * this.#live.size + slackEntries;
    let [left, looks, dropped] = [this.#entries + adding, looksPerEntry * adding + looksAtLeast, 0];
    while (left > enough && looks > 0) {
      const row = this.#rows[this.#first + dropped];
      if (row === undefined) break;
      for (const slot of row.slots) look(slot, row.id);
      this.#drop.run(row.id);
      left -= row.slots.length;
      looks -= row.slots.length;
      dropped += 1;
    }
    return dropped;
  }

  #insertStates(parts: readonly (PlacedPart | number)[]): number {
    const entries = new Float64Array(parts.length * stateWidth);
    for (const [i, part] of parts.entries()) {
      if (typeof part === 'number') entries.set(this.#live.stateAt(part), i * stateWidth);
      else writeState(entries, i * stateWidth, part);
    }
    return Number(this.#insert.run(Buffer.from(entries.buffer)).lastInsertRowid);
  }

  #add(row: LogRow): void {
    this.#rows.push(row);
    this.#entries += row.slots.length;
  }
}

/** Doubles are little-endian in the file. A copy: views must begin at a multiple of eight. */
function numbersOf(blob: Buffer): Float64Array {
  const numbers = new Float64Array(blob.length / 8);
  new Uint8Array(numbers.buffer).set(blob);
  return numbers;
}
