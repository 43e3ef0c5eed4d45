/** Open and held parts in memory: a million of them in flat arrays, each some 200 bytes with its session id. */
import type { Micros } from '../records.ts';
import { DueQueue } from './due-queue.ts';
import { dueAt, type PartState, type SessionRules } from './part.ts';

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

/** Where a part is in the file. */
export interface Place {
  id: number;
  lastChunk: number;
  held: boolean;
}

/** A part and where it is in the file. */
export interface PlacedPart {
  part: PartState;
  id: number;
  lastChunk: number;
}

export function writeState(into: Float64Array, at: number, { part, id: partId, lastChunk }: PlacedPart): void {
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
  readonly #slots = new Map<string, number>();
  /** By slot; empty text where it is free. */
  readonly #sessions: string[] = [];
  readonly #pages: Float64Array[] = [];
  readonly #free: number[] = [];
  readonly #due = new DueQueue((slot) => dueAt(this.#at(slot), this.#rules));

  constructor(rules: SessionRules) {
    this.#rules = rules;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** UTF-8 bytes of the turns' text, of all parts. */
  totalBytes(): number {
    let sum = 0;
    for (const slot of this.#slots.values()) sum += this.#pageOf(slot)[offsetOf(slot) + bytes]!;
    return sum;
  }

  /** The session's part, as a copy. */
  get(sessionId: string): PartState | undefined {
    const slot = this.#slots.get(sessionId);
    return slot === undefined ? undefined : this.#at(slot);
  }

  /** Where the session's part is in the file. */
  placeOf(sessionId: string): Place {
    const slot = this.#slots.get(sessionId);
    if (slot === undefined) throw new Error(`no part of session ${sessionId} is open`);
    const page = this.#pageOf(slot);
    const at = offsetOf(slot);
    return { id: page[at + id]!, lastChunk: page[at + chunk]!, held: page[at + held] === 1 };
  }

  slotOf(sessionId: string): number | undefined {
    return this.#slots.get(sessionId);
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

  set(placed: PlacedPart): void {
    const slot = this.slotFor(placed.part.sessionId);
    writeState(this.#pageOf(slot), offsetOf(slot), placed);
    this.#due.set(slot);
  }

  /** Of the session's part, which is added where there is none: then a state must follow. */
  slotFor(sessionId: string): number {
    return this.#slots.get(sessionId) ?? this.#take(sessionId);
  }

  restore(slot: number, state: Float64Array): void {
    this.#pageOf(slot).set(state, offsetOf(slot));
    this.#due.set(slot);
  }

  delete(sessionId: string): void {
    const slot = this.#slots.get(sessionId);
    if (slot === undefined) return;
    this.#due.delete(slot);
    this.#slots.delete(sessionId);
    this.#sessions[slot] = '';
    this.setLogged(slot, 0);
    this.#free.push(slot);
  }

  clear(): void {
    for (const sessionId of [...this.#slots.keys()]) this.delete(sessionId);
  }

  /** Parts that a watermark at `at` may close. */
  dueBefore(at: Micros): PartState[] {
    return this.#due.before(at).map((slot) => this.#at(slot));
  }

  /** All of them, made as they are looked at: valid until the next change. */
  all(): ReadonlyMap<string, PartState> {
    return new AllParts(this.#slots, (slot) => this.#at(slot));
  }

  #take(sessionId: string): number {
    const slot = this.#free.pop() ?? this.#sessions.length;
    if (slot === this.#pages.length * pageSlots) this.#pages.push(new Float64Array(pageSlots * width));
    this.#sessions[slot] = sessionId;
    this.#slots.set(sessionId, slot);
    return slot;
  }

  #at(slot: number): PartState {
    const page = this.#pageOf(slot);
    const at = offsetOf(slot);
    const marked = page[at + endMarkerAt]!;
    return {
      sessionId: this.#sessions[slot]!,
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

/** A map over slots without a record for each: at the end of history every part is looked at, and few of them change. */
class AllParts implements ReadonlyMap<string, PartState> {
  readonly #slots: ReadonlyMap<string, number>;
  readonly #at: (slot: number) => PartState;

  constructor(slots: ReadonlyMap<string, number>, at: (slot: number) => PartState) {
    this.#slots = slots;
    this.#at = at;
  }

  get size(): number {
    return this.#slots.size;
  }

  has(sessionId: string): boolean {
    return this.#slots.has(sessionId);
  }

  get(sessionId: string): PartState | undefined {
    const slot = this.#slots.get(sessionId);
    return slot === undefined ? undefined : this.#at(slot);
  }

  keys(): MapIterator<string> {
    return this.#slots.keys();
  }

  *values(): Generator<PartState, undefined> {
    for (const slot of this.#slots.values()) yield this.#at(slot);
  }

  *entries(): Generator<[string, PartState], undefined> {
    for (const [sessionId, slot] of this.#slots) yield [sessionId, this.#at(slot)];
  }

  [Symbol.iterator](): Generator<[string, PartState], undefined> {
    return this.entries();
  }

  forEach(work: (part: PartState, sessionId: string, map: ReadonlyMap<string, PartState>) => void): void {
    for (const [sessionId, part] of this) work(part, sessionId, this);
  }
}
