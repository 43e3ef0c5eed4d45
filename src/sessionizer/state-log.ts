/**
 * The states of open and held parts, as a log: each commit appends the new states of the parts that it touched, so that a
 * row costs the same however many are open. The oldest entries are dropped, or appended anew where they still hold, so
 * that the log stays within twice the number of parts. A restart reads it once; of one part's entries the last holds.
 */
import type { SqliteDatabase } from '../sqlite.ts';
import { type LiveParts, type PlacedPart, stateWidth, writeState } from './live-parts.ts';
import { NumberQueue } from './number-queue.ts';
import { noSlot } from './session-index.ts';

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

/** Of a row of the table in memory, before the slots of its entries: the halves of its id, and how many they are. */
const headNumbers = 3;
const half = 2 ** 32;

export class StateLog {
  readonly #live: LiveParts;
  readonly #read;
  readonly #insert;
  readonly #drop;
  /** Rows of the table, the oldest first: what has ended is in there with its former slot, or with none. */
  #rows = new NumberQueue();
  #entries = 0;
  readonly #states = new Float64Array(entriesAtOnce * stateWidth);

  constructor(db: SqliteDatabase, live: LiveParts) {
    this.#live = live;
    this.#read = db.prepare('SELECT id, entries FROM states ORDER BY id').raw();
    this.#insert = db.prepare('INSERT INTO states (entries) VALUES (?)');
    this.#drop = db.prepare('DELETE FROM states WHERE id = ?');
  }

  /** @param slotOf the slot of a part by its id, `noSlot` where it has ended */
  load(slotOf: (partId: number) => number): void {
    for (const [id, blob] of this.#read.iterate() as IterableIterator<[number, Buffer]>) {
      const entries = numbersOf(blob);
      this.#addRow(id, entries.length / stateWidth);
      for (let at = 0; at < entries.length; at += stateWidth) {
        const slot = slotOf(entries[at]!);
        this.#rows.push(slot);
        if (slot === noSlot) continue;
        this.#live.restore(slot, entries.subarray(at, at + stateWidth));
        this.#live.setLogged(slot, id);
      }
    }
  }

  /** @param ended slots of known parts that ended */
  write(touched: readonly PlacedPart[], ended: readonly number[]): LoggedStates {
    const newer = new Set(ended);
    for (const { slot } of touched) newer.add(slot);
    const kept: number[] = [];
    const dropped = this.#clean(touched.length, (slot, rowId) => {
      if (slot !== noSlot && !newer.has(slot) && this.#live.loggedAt(slot) === rowId) kept.push(slot);
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
    for (let n = 0; n < dropped; n += 1) {
      const count = this.#rows.at(headNumbers - 1);
      this.#rows.drop(headNumbers + count);
      this.#entries -= count;
    }
    for (const { id, parts } of added) {
      this.#addRow(id, parts.length);
      for (const part of parts) {
        const slot = typeof part === 'number' ? part : part.slot;
        this.#rows.push(slot);
        this.#live.setLogged(slot, id);
      }
    }
  }

  clear(): void {
    this.#rows = new NumberQueue();
    this.#entries = 0;
  }

  /** Drops the oldest rows while there are too many entries. Returns how many. */
  #clean(adding: number, look: (slot: number, rowId: number) => void): number {
    const rows = this.#rows;
    const enough = 2 * this.#live.size + slackEntries;
    let [left, looks, dropped] = [this.#entries + adding, looksPerEntry * adding + looksAtLeast, 0];
    for (let at = 0; at < rows.length && left > enough && looks > 0; dropped += 1) {
      const id = (rows.at(at) >>> 0) + (rows.at(at + 1) >>> 0) * half;
      const count = rows.at(at + 2);
      for (let i = 0; i < count; i += 1) look(rows.at(at + headNumbers + i), id);
      this.#drop.run(id);
      left -= count;
      looks -= count;
      at += headNumbers + count;
    }
    return dropped;
  }

  #insertStates(parts: readonly (PlacedPart | number)[]): number {
    const states = this.#states;
    for (const [i, part] of parts.entries()) {
      if (typeof part === 'number') states.set(this.#live.stateAt(part), i * stateWidth);
      else writeState(states, i * stateWidth, part);
    }
    const bytes = Buffer.from(states.buffer, 0, parts.length * stateWidth * states.BYTES_PER_ELEMENT);
    return Number(this.#insert.run(bytes).lastInsertRowid);
  }

  /** The slots of its entries must follow. */
  #addRow(id: number, entries: number): void {
    this.#rows.push(id % half);
    this.#rows.push(Math.floor(id / half));
    this.#rows.push(entries);
    this.#entries += entries;
  }
}

/** Doubles are little-endian in the file. A copy: views must begin at a multiple of eight. */
function numbersOf(blob: Buffer): Float64Array {
  const numbers = new Float64Array(blob.length / 8);
  new Uint8Array(numbers.buffer).set(blob);
  return numbers;
}
