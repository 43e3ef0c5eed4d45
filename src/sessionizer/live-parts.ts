/** Open and held parts in memory: a million of them in flat arrays, each some 200 bytes with its session id. */
import type { Micros } from '../records.ts';
import { DueQueue } from './due-queue.ts';
import { dueAt, type PartState, type SessionRules } from './part.ts';
import { noSlot, SessionIndex } from './session-index.ts';

/** Numbers of a part, in this order here and in the file. Without an end marker its time is NaN. */
const [id, number, turns, bytes, firstAt, openedAt, lastAt, endMarkerAt, held, chunk] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
] as const;
export const stateWidth = 10;
/** Here only: the row of the log of states that holds them. */
const logged = stateWidth;
const width = stateWidth + 1;
/** Slots in one array. Arrays are added, never copied. */
const pageSlots = 4096;

/** Where a part is in the file, and in memory: `noSlot` where it is not there yet. */
export interface Place {
  id: number;
  lastChunk: number;
  held: boolean;
  slot: number;
}

/** A part and where it is in the file. */
export interface StoredPart {
  part: PartState;
  id: number;
  lastChunk: number;
}

/** And where it is in memory: `noSlot` until it was taken in. */
export interface PlacedPart extends StoredPart {
  slot: number;
}

export function writeState(into: Float64Array, at: number, { part, id: partId, lastChunk }: StoredPart): void {
  into[at + id] = partId;
  into[at + number] = part.part;
  into[at + turns] = part.turns;
  into[at + bytes] = part.bytes;
  into[at + firstAt] = part.firstAt;
  into[at + openedAt] = part.openedAt;
  into[at + lastAt] = part.lastAt;
  into[at + endMarkerAt] = part.endMarkerAt ?? Number.NaN;
  into[at + held] = Number(part.held);
  into[at + chunk] = lastChunk;
}

export class LiveParts {
  readonly #rules: SessionRules;
  readonly #sessions = new SessionIndex();
  readonly #pages: Float64Array[] = [];
  readonly #due = new DueQueue((slot) => dueAt(this.#at(slot, ''), this.#rules));

  constructor(rules: SessionRules) {
    this.#rules = rules;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** UTF-8 bytes of the turns' text, of all parts. */
  totalBytes(): number {
    let sum = 0;
    for (const slot of this.#sessions.slots()) sum += this.#pageOf(slot)[offsetOf(slot) + bytes]!;
    return sum;
  }

  has(sessionId: string): boolean {
    return this.#sessions.slotOf(sessionId) !== noSlot;
  }

  /** The session's part, as a copy. */
  get(sessionId: string): PartState | undefined {
    const slot = this.#sessions.slotOf(sessionId);
    return slot === noSlot ? undefined : this.#at(slot, sessionId);
  }

  /** Where the session's part is. */
  placeOf(sessionId: string): Place {
    const slot = this.#sessions.slotOf(sessionId);
    if (slot === noSlot) throw new Error(`no part of session ${sessionId} is open`);
    const page = this.#pageOf(slot);
    const at = offsetOf(slot);
    return { id: page[at + id]!, lastChunk: page[at + chunk]!, held: page[at + held] === 1, slot };
  }

  idAt(slot: number): number {
    return this.#pageOf(slot)[offsetOf(slot) + id]!;
  }

  stateAt(slot: number): Float64Array {
    const at = offsetOf(slot);
    return this.#pageOf(slot).subarray(at, at + stateWidth);
  }

  loggedAt(slot: number): number {
    return this.#pageOf(slot)[offsetOf(slot) + logged]!;
  }

  setLogged(slot: number, rowId: number): void {
    this.#pageOf(slot)[offsetOf(slot) + logged] = rowId;
  }

  /** Gives the part its slot, where it has none yet. */
  set(placed: PlacedPart): void {
    if (placed.slot === noSlot) placed.slot = this.#take(placed.part.sessionId);
    writeState(this.#pageOf(placed.slot), offsetOf(placed.slot), placed);
    this.#due.set(placed.slot);
  }

  /** A part whose state is to be restored, of a session that has none. Returns its slot: 0, 1, 2 … at a start. */
  expect(sessionId: string, partId: number): number {
    const slot = this.#take(sessionId);
    this.#pageOf(slot)[offsetOf(slot) + id] = partId;
    return slot;
  }

  restore(slot: number, state: Float64Array): void {
    this.#pageOf(slot).set(state, offsetOf(slot));
    this.#due.set(slot);
  }

  delete(slot: number): void {
    this.#due.delete(slot);
    this.#sessions.delete(slot);
    this.setLogged(slot, 0);
  }

  clear(): void {
    for (const slot of this.#sessions.slots()) this.delete(slot);
  }

  /** Parts that a watermark at `at` may close. */
  dueBefore(at: Micros): PartState[] {
    return this.#due.before(at).map((slot) => this.#partAt(slot));
  }

  /** All of them, made as they are looked at: valid until the next change. */
  all(): ReadonlyMap<string, PartState> {
    return new AllParts(this, () => this.#parts());
  }

  *#parts(): Generator<PartState, undefined> {
    for (const slot of this.#sessions.slots()) yield this.#partAt(slot);
  }

  #take(sessionId: string): number {
    const slot = this.#sessions.add(sessionId);
    if (slot === this.#pages.length * pageSlots) this.#pages.push(new Float64Array(pageSlots * width));
    return slot;
  }

  #partAt(slot: number): PartState {
    return this.#at(slot, this.#sessions.sessionAt(slot));
  }

  #at(slot: number, sessionId: string): PartState {
    const page = this.#pageOf(slot);
    const at = offsetOf(slot);
    const marked = page[at + endMarkerAt]!;
    return {
      sessionId,
      part: page[at + number]!,
      turns: page[at + turns]!,
      bytes: page[at + bytes]!,
      firstAt: page[at + firstAt]!,
      openedAt: page[at + openedAt]!,
      lastAt: page[at + lastAt]!,
      endMarkerAt: Number.isNaN(marked) ? null : marked,
      held: page[at + held] === 1,
    };
  }

  #pageOf(slot: number): Float64Array {
    return this.#pages[Math.floor(slot / pageSlots)]!;
  }
}

function offsetOf(slot: number): number {
  return (slot % pageSlots) * width;
}

/** A map without a record for each part: at the end of history every part is looked at, and few of them change. */
class AllParts implements ReadonlyMap<string, PartState> {
  readonly #live: LiveParts;
  readonly #parts: () => Generator<PartState, undefined>;

  constructor(live: LiveParts, parts: () => Generator<PartState, undefined>) {
    this.#live = live;
    this.#parts = parts;
  }

  get size(): number {
    return this.#live.size;
  }

  has(sessionId: string): boolean {
    return this.#live.has(sessionId);
  }

  get(sessionId: string): PartState | undefined {
    return this.#live.get(sessionId);
  }

  *keys(): Generator<string, undefined> {
    for (const { sessionId } of this.#parts()) yield sessionId;
  }

  values(): Generator<PartState, undefined> {
    return this.#parts();
  }

  *entries(): Generator<[string, PartState], undefined> {
    for (const part of this.#parts()) yield [part.sessionId, part];
  }

  [Symbol.iterator](): Generator<[string, PartState], undefined> {
    return this.entries();
  }

  forEach(work: (part: PartState, sessionId: string, map: ReadonlyMap<string, PartState>) => void): void {
    for (const [sessionId, part] of this) work(part, sessionId, this);
  }
}
