/** Open and held parts in memory: a million of them in flat arrays, each some 200 bytes with its session id. */
import type { Micros } from '../records.ts';
import { DueQueue } from './due-queue.ts';
import { dueAt, type PartState, type SessionRules } from './part.ts';

/** Numbers kept of a part, in this order. */
const [id, number, turns, bytes, firstAt, openedAt, lastAt, endMarkerAt, held] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
const width = 9;
/** Slots in one array. Arrays are added, never copied. */
const pageSlots = 4096;

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

  has(sessionId: string): boolean {
    return this.#slots.has(sessionId);
  }

  /** The session's part, as a copy. */
  get(sessionId: string): PartState | undefined {
    const slot = this.#slots.get(sessionId);
    return slot === undefined ? undefined : this.#at(slot);
  }

  /** What the chunks of the session's part are found by. */
  idOf(sessionId: string): number {
    const slot = this.#slots.get(sessionId);
    if (slot === undefined) throw new Error(`no part of session ${sessionId} is open`);
    return this.#pageOf(slot)[offsetOf(slot) + id]!;
  }

  /** Whether the session's part was closed with too few turns. */
  isHeld(sessionId: string): boolean {
    const slot = this.#slots.get(sessionId);
    return slot !== undefined && this.#pageOf(slot)[offsetOf(slot) + held] === 1;
  }

  set(partId: number, part: PartState): void {
    const slot = this.#slots.get(part.sessionId) ?? this.#take(part.sessionId);
    const page = this.#pageOf(slot);
    const at = offsetOf(slot);
    page[at + id] = partId;
    page[at + number] = part.part;
    page[at + turns] = part.turns;
    page[at + bytes] = part.bytes;
    page[at + firstAt] = part.firstAt;
    page[at + openedAt] = part.openedAt;
    page[at + lastAt] = part.lastAt;
    page[at + endMarkerAt] = part.endMarkerAt ?? Number.NaN;
    page[at + held] = Number(part.held);
    this.#due.set(slot);
  }

  delete(sessionId: string): void {
    const slot = this.#slots.get(sessionId);
    if (slot === undefined) return;
    this.#due.delete(slot);
    this.#slots.delete(sessionId);
    this.#sessions[slot] = '';
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
