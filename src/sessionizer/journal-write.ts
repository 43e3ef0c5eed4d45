/** Writes a step's parts, turns, outbox entries and counters. Runs inside the journal's transaction; keeps no state. */
import type { CloseReason, Micros, Turn } from '../records.ts';
import type { RowDigester } from '../row-digest.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { packTurns, unpackOrder } from './chunk.ts';
import { addToCounterSql, type CounterName } from './journal-facts.ts';
import { type Ending, LedgerWriter } from './ledger-write.ts';
import type { LiveParts } from './live-parts.ts';
import type { PartState } from './part.ts';
import { bytesOf, type PartStep, type Step, type StepCounts } from './sessionize.ts';
import { inTurnOrder, trajectoryIdOf } from './trajectory.ts';

/** What memory must take over once the transaction is committed. */
export interface Written {
  /** Open and held parts that were touched, and the ids that their chunks are found by. */
  live: { id: number; part: PartState }[];
  /** Sessions whose known part ended. */
  ended: string[];
  /** Change of the bytes held. */
  bytes: number;
}

export class StepWriter {
  readonly #db: SqliteDatabase;
  readonly #source: string;
  readonly #digester: RowDigester | null;
  readonly #ledger: LedgerWriter;
  readonly #sql: ReturnType<typeof prepareAll>;

  constructor(db: SqliteDatabase, source: string, digester: RowDigester | null) {
    this.#db = db;
    this.#source = source;
    this.#digester = digester;
    this.#ledger = new LedgerWriter(db);
    this.#sql = prepareAll(db);
  }

  /** A row at a time: a restart may read a million of them. */
  loadLive(live: LiveParts): void {
    const rows = this.#db.prepare(`SELECT id, ${partColumns} FROM parts ORDER BY id`).raw().iterate();
    for (const row of rows as IterableIterator<PartRow>) {
      const [id, sessionId, part, turns, bytes, firstAt, openedAt, lastAt, endMarkerAt, held] = row;
      const times = { firstAt, openedAt, lastAt, endMarkerAt };
      live.set(id, { sessionId, part, turns, bytes, ...times, held: held !== 0 });
    }
  }

  nextPart(sessionId: string): number {
    return (this.#sql.nextPart.get(sessionId) as number | undefined) ?? 0;
  }

  /** @param idOf the id of a session's known part */
  write(step: Step, idOf: (sessionId: string) => number): Written {
    const written: Written = { live: [], ended: [], bytes: 0 };
    let sessions = 0;
    this.#ledger.begin();
    for (const partStep of step.parts) {
      if (partStep.isNew && partStep.part.part === 0) sessions += 1;
      const id = partStep.isNew ? this.#insert(partStep.part) : idOf(partStep.part.sessionId);
      this.#writePart(id, partStep, written);
    }
    this.#count(step.counts, sessions);
    written.bytes += this.#finishLedger();
    return written;
  }

  #writePart(id: number, { part, appended, isNew, standing }: PartStep, written: Written): void {
    if (appended.length > 0) {
      this.#append(id, appended);
      for (const turn of appended) written.bytes += bytesOf(turn);
    }
    if (standing.kind === 'open' || standing.kind === 'held') {
      if (!isNew) this.#update(id, part);
      written.live.push({ id, part });
      return;
    }
    const ending = standing.kind === 'sealed' ? this.#seal(id, part, standing.reason) : standing;
    this.#ledger.ended(id, part.turns, ending);
    if (ending.kind === 'released') {
      this.#sql.dropChunks.run(id);
      written.bytes -= part.bytes;
    }
    this.#sql.dropPart.run(id);
    this.#sql.setNextPart.run(part.sessionId, part.part + 1);
    written.ended.push(part.sessionId);
  }

  #append(id: number, turns: readonly Turn[]): void {
    const digester = this.#digester;
    const digests = digester === null ? [] : turns.map((turn) => digester.digestOf(turn));
    const { heads, body } = packTurns(turns, digests);
    this.#sql.insertChunk.run(id, heads, body);
    for (const [i, turn] of turns.entries()) this.#ledger.add(turn, id, digests[i]);
  }

  #insert(part: PartState): number {
    const { sessionId, turns, bytes, firstAt, openedAt, lastAt, endMarkerAt, held } = part;
    const values = [turns, bytes, firstAt, openedAt, lastAt, endMarkerAt, Number(held)];
    return Number(this.#sql.insertPart.run(sessionId, part.part, ...values).lastInsertRowid);
  }

  #update(id: number, { turns, bytes, firstAt, openedAt, lastAt, endMarkerAt, held }: PartState): void {
    this.#sql.updatePart.run(turns, bytes, firstAt, openedAt, lastAt, endMarkerAt, Number(held), id);
  }

  /** Let go where a trajectory of this id is in the outbox already: the log holds the very same row keys twice. */
  #seal(id: number, part: PartState, reason: CloseReason): Ending {
    const heads = this.#sql.heads.all(id) as string[];
    const rowKeys = inTurnOrder(heads.flatMap(unpackOrder)).map((key) => key.rowKey);
    const trajectoryId = trajectoryIdOf(this.#source, part.sessionId, rowKeys);
    const { sessionId, turns, bytes, firstAt, lastAt } = part;
    const values = [trajectoryId, id, sessionId, part.part, turns, bytes, firstAt, lastAt, reason];
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
    if (n > 0) this.#sql.count.run(name, label, n);
  }
}

const partColumns = 'session_id, part, turns, bytes, first_at, opened_at, last_at, end_marker_at, held';
type PartRow = [
  id: number,
  sessionId: string,
  part: number,
  turns: number,
  bytes: number,
  firstAt: Micros,
  openedAt: Micros,
  lastAt: Micros,
  endMarkerAt: Micros | null,
  held: number,
];

function prepareAll(db: SqliteDatabase) {
  return {
    nextPart: db.prepare('SELECT next_part FROM sessions WHERE session_id = ?').pluck(),
    setNextPart: db.prepare(
      'INSERT INTO sessions VALUES (?, ?) ON CONFLICT (session_id) DO UPDATE SET next_part = excluded.next_part',
    ),
    insertPart: db.prepare(
      'INSERT INTO parts (session_id, part, turns, bytes, first_at, opened_at, last_at, end_marker_at, held) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    updatePart: db.prepare(
      'UPDATE parts SET turns = ?, bytes = ?, first_at = ?, opened_at = ?, last_at = ?, end_marker_at = ?, held = ? WHERE id = ?',
    ),
    dropPart: db.prepare('DELETE FROM parts WHERE id = ?'),
    insertChunk: db.prepare('INSERT INTO chunks (part_id, heads, body) VALUES (?, ?, ?)'),
    heads: db.prepare('SELECT heads FROM chunks WHERE part_id = ?').pluck(),
    dropChunks: db.prepare('DELETE FROM chunks WHERE part_id = ?'),
    insertSealed: db.prepare(
      'INSERT INTO sealed (trajectory_id, part_id, session_id, part, turns, bytes, first_at, last_at, closed_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trajectory_id) DO NOTHING',
    ),
    count: db.prepare(addToCounterSql),
  };
}
