/** Writes a step's parts, turns, outbox entries and counters. Runs inside the journal's transaction; keeps no state. */
import type { CloseReason, Turn } from '../records.ts';
import type { RowDigester } from '../row-digest.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { packTurns, unpackOrder } from './chunk.ts';
import { ChunkLog, noChunk } from './chunk-log.ts';
import { addToCounterSql, type CounterName } from './journal-facts.ts';
import { type Ending, LedgerWriter } from './ledger-write.ts';
import type { LiveParts, Place, PlacedPart } from './live-parts.ts';
import { type PartState, unknownTime } from './part.ts';
import { noSlot } from './session-index.ts';
import { bytesOf, type PartStep, type Step, type StepCounts } from './sessionize.ts';
import { type LoggedStates, StateLog } from './state-log.ts';
import { inTurnOrder, timeOf, trajectoryIdOf } from './trajectory.ts';

/** What memory must take over once the transaction is committed. */
export interface Written {
  /** Open and held parts that were touched. */
  live: PlacedPart[];
  states: LoggedStates;
  /** Slots of known parts that ended. */
  ended: number[];
  /** Change of the bytes held. */
  bytes: number;
}

/** A part that ended long ago, with its turns as the table has them. */
export interface LostPart {
  trajectoryId: string;
  /** As in the ledger. */
  partId: number;
  sessionId: string;
  part: number;
  turns: readonly Turn[];
}

export class StepWriter {
  readonly #db: SqliteDatabase;
  readonly #source: string;
  readonly #digester: RowDigester | null;
  readonly #ledger: LedgerWriter;
  readonly #live: LiveParts;
  readonly #states: StateLog;
  readonly #chunks: ChunkLog;
  readonly #sql: ReturnType<typeof prepareAll>;
  /** What this transaction changes of the numbers of parts: one write for all of them. */
  #change = { live: 0, held: 0 };

  constructor(db: SqliteDatabase, source: string, live: LiveParts, digester: RowDigester | null) {
    this.#db = db;
    this.#live = live;
    this.#states = new StateLog(db, live);
    this.#chunks = new ChunkLog(db);
    this.#source = source;
    this.#digester = digester;
    this.#ledger = new LedgerWriter(db);
    this.#sql = prepareAll(db);
  }

  /** A row at a time: a restart may read a million of them. */
  loadLive(): void {
    const rows = this.#db.prepare('SELECT id, session_id FROM parts ORDER BY id').raw().iterate();
    for (const [id, sessionId] of rows as IterableIterator<[number, string]>) this.#live.expect(sessionId, id);
    this.#states.load((partId) => slotAmong(this.#live, partId));
  }

  /** After the commit. */
  remember({ live, ended, states }: Written): void {
    // First: a session whose part ended may have begun another.
    for (const slot of ended) this.#live.delete(slot);
    for (const placed of live) this.#live.set(placed);
    this.#states.remember(states);
  }

  forgetLive(): void {
    this.#live.clear();
    this.#states.clear();
  }

  /** In one transaction: each read by itself would lock the file and let it go again. */
  nextParts(sessionIds: readonly string[]): Map<string, number> {
    const read = () => sessionIds.map((id) => [id, (this.#sql.nextPart.get(id) as number | undefined) ?? 0] as const);
    return new Map(sessionIds.length === 0 ? [] : this.#db.transaction(read).deferred());
  }

  write(step: Step): Written {
    const written: Written = { live: [], ended: [], bytes: 0, states: { added: [], dropped: 0 } };
    let sessions = 0;
    this.#change = { live: 0, held: 0 };
    this.#ledger.begin();
    for (const partStep of step.parts) {
      if (partStep.isNew && partStep.part.part === 0) sessions += 1;
      this.#writePart(partStep, written);
    }
    this.#count(step.counts, sessions);
    this.#add('live', '', this.#change.live);
    this.#add('held', '', this.#change.held);
    written.bytes += this.#finishLedger();
    written.states = this.#states.write(written.live, written.ended);
    return written;
  }

  /** Into the outbox alone: ledger, receipts and counters have it. Returns the change of the bytes held. */
  reseal({ trajectoryId, partId, sessionId, part, turns }: LostPart, now: number): number {
    const digester = this.#digester;
    const digests = digester === null ? [] : turns.map((turn) => digester.digestOf(turn));
    const chunk = this.#chunks.append(noChunk, partId, packTurns(turns, digests));
    const bytes = turns.reduce((sum, turn) => sum + bytesOf(turn), 0);
    const times = turns.flatMap((turn) => timeOf(turn) ?? []).sort((a, b) => a - b);
    const [firstAt, lastAt] = [times[0] ?? unknownTime, times.at(-1) ?? unknownTime];
    const closedBy: CloseReason = 'history';
    const values = [trajectoryId, partId, chunk, sessionId, part, turns.length, bytes, firstAt, lastAt, closedBy];
    if (this.#sql.insertSealed.run(...values).changes === 0) {
      this.#chunks.drop(chunk);
      return 0;
    }
    this.#sql.markResent.run(now, trajectoryId);
    return bytes;
  }

  #writePart({ part, appended, isNew, standing }: PartStep, written: Written): void {
    const { id, lastChunk, held, slot } = isNew ? this.#begin(part) : this.#live.placeOf(part.sessionId);
    const chunk = appended.length > 0 ? this.#append(id, lastChunk, appended) : lastChunk;
    for (const turn of appended) written.bytes += bytesOf(turn);
    if (standing.kind === 'open' || standing.kind === 'held') {
      this.#change.live += Number(isNew);
      this.#change.held += Number(part.held) - Number(held);
      written.live.push({ part, id, lastChunk: chunk, slot });
      return;
    }
    const ending = standing.kind === 'sealed' ? this.#seal(id, chunk, part, standing.reason) : standing;
    this.#ledger.ended(id, part.turns, ending);
    if (ending.kind === 'released') {
      this.#chunks.drop(chunk);
      written.bytes -= part.bytes;
    }
    this.#sql.dropPart.run(id);
    this.#sql.setNextPart.run(part.sessionId, part.part + 1);
    if (part.part === 0) this.#ledger.session(part.sessionId);
    if (isNew) return;
    this.#change.live -= 1;
    this.#change.held -= Number(held);
    written.ended.push(slot);
  }

  #append(partId: number, lastChunk: number, turns: readonly Turn[]): number {
    const digester = this.#digester;
    const digests = digester === null ? [] : turns.map((turn) => digester.digestOf(turn));
    for (const [i, turn] of turns.entries()) this.#ledger.add(turn, partId, digests[i]);
    return this.#chunks.append(lastChunk, partId, packTurns(turns, digests));
  }

  #begin({ sessionId, part }: PartState): Place {
    const id = Number(this.#sql.insertPart.run(sessionId, part).lastInsertRowid);
    return { id, lastChunk: noChunk, held: false, slot: noSlot };
  }

  /** Let go where a trajectory of this id is in the outbox already: the log holds the very same row keys twice. */
  #seal(id: number, chunk: number, part: PartState, reason: CloseReason): Ending {
    const keys = [...this.#chunks.headsFrom(chunk)].flatMap(unpackOrder);
    const rowKeys = inTurnOrder(keys).map((key) => key.rowKey);
    const trajectoryId = trajectoryIdOf(this.#source, part.sessionId, rowKeys);
    const { sessionId, turns, bytes, firstAt, lastAt } = part;
    const values = [trajectoryId, id, chunk, sessionId, part.part, turns, bytes, firstAt, lastAt, reason];
    if (this.#sql.insertSealed.run(...values).changes === 1) return { kind: 'sealed', trajectoryId };
    this.#countReleased('duplicate', 1, turns);
    return { kind: 'released', reason: 'duplicate' };
  }

  #count(counts: StepCounts, sessions: number): void {
    this.#add('rows', '', counts.rows);
    this.#add('sessions', '', sessions);
    this.#add('replayed', '', counts.replayed);
    for (const [reason, n] of Object.entries(counts.skipped)) this.#add('skipped', reason, n);
    for (const [reason, n] of Object.entries(counts.closes)) this.#add('closes', reason, n);
    for (const [reason, { parts, rows }] of Object.entries(counts.released)) this.#countReleased(reason, parts, rows);
  }

  #finishLedger(): number {
    const { rows, bytes } = this.#ledger.finish();
    this.#add('ledger_rows', '', rows);
    this.#add('ledger_bytes', '', bytes);
    return bytes;
  }

  #countReleased(reason: string, parts: number, rows: number): void {
    this.#add('released', reason, parts);
    this.#add('released_rows', reason, rows);
  }

  #add(name: CounterName, label: string, n: number): void {
    if (n !== 0) this.#sql.count.run(name, label, n);
  }
}

/** By halves, at a start: ids ascend, and slots were given in their order. */
function slotAmong(live: LiveParts, id: number): number {
  let [from, to] = [0, live.size];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (live.idAt(middle) < id) from = middle + 1;
    else to = middle;
  }
  return from < live.size && live.idAt(from) === id ? from : noSlot;
}

function prepareAll(db: SqliteDatabase) {
  return {
    nextPart: db.prepare('SELECT next_part FROM sessions WHERE session_id = ?').pluck(),
    setNextPart: db.prepare(
      'INSERT INTO sessions VALUES (?, ?) ON CONFLICT (session_id) DO UPDATE SET next_part = excluded.next_part',
    ),
    insertPart: db.prepare('INSERT INTO parts (session_id, part) VALUES (?, ?)'),
    dropPart: db.prepare('DELETE FROM parts WHERE id = ?'),
    insertSealed: db.prepare(
      'INSERT INTO sealed (trajectory_id, part_id, last_chunk, session_id, part, turns, bytes, first_at, last_at, closed_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trajectory_id) DO NOTHING',
    ),
    markResent: db.prepare('UPDATE sealed SET resent_at = ? WHERE trajectory_id = ?'),
    count: db.prepare(addToCounterSql),
  };
}
