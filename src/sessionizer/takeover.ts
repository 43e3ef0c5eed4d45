/**
 * The memory of other captures whose sessions this one takes over, as when the number of shards changes. Rows of their
 * sealed and released parts are known from then on; those of parts that were still open are to be read from the table.
 */
import { randomUUID } from 'node:crypto';
import { stop } from '../errors.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { addFact, addToCounter, type RowColumns, readCounter, readFact, writeFact } from './journal-facts.ts';

/** Part ids of the journals taken over lie below zero, each journal's in a span of its own. */
const idSpan = 2 ** 40;

/** What was taken over of another journal. */
interface TakenOver {
  /** Of that journal. */
  id: string;
  /** Its part ids here: from this one on, up to `below`. */
  from: number;
  below: number;
  /** What the counters have of it. */
  rows: number;
  bytes: number;
}

/**
 * Copies ledger, receipts and part numbers of `former`, in one transaction of `db`; of digests by another key, which
 * nothing here can be compared with, that there are none. One that was taken over before, by an attempt that was cut short, is taken over anew.
 *
 * @throws OperatorError `journal_other_source`, `journal_unpublished` where sealed parts of it still wait in its outbox.
 */
export function takeOverLedger(
  db: SqliteDatabase,
  former: SqliteDatabase,
  { source, digests }: { source: string; digests: 'same key' | 'another key' },
): void {
  const known = readFact<string>(former, 'source');
  if (known !== source) {
    throw stop(
      'journal_other_source',
      `journal ${former.name} belongs to another server, database or table: name data directories of captures of this log`,
    );
  }
  const waiting = former.prepare('SELECT count(*) FROM sealed WHERE published = 0').pluck().get() as number;
  if (waiting > 0) {
    throw stop(
      'journal_unpublished',
      `${waiting} trajectories wait in the outbox of ${former.name}: let the capture of that data directory run until they are published, then stop it`,
    );
  }
  const columns = readFact<RowColumns>(former, 'row_columns');
  if (columns !== null) addFact(db, 'row_columns', columns);
  const id = idOf(former);
  const others = withoutFormer(db, id);
  const shift = nextShift(db);
  const receipt = db.prepare('INSERT INTO receipts (part_id, turns, trajectory_id, reason) VALUES (?, ?, ?, ?)');
  copyRows(
    former.prepare(
      `SELECT bucket, lowest_part + ?, keys, ${digests === 'same key' ? 'digests' : 'NULL'}, parts FROM ledger ORDER BY id`,
    ),
    db.prepare('INSERT INTO ledger (bucket, lowest_part, keys, digests, parts) VALUES (?, ?, ?, ?, ?)'),
    shift,
  );
  copyRows(former.prepare('SELECT part_id + ?, turns, trajectory_id, reason FROM receipts'), receipt, shift);
  // Nobody goes on with these: their rows count as unknown, and are read anew.
  copyRows(former.prepare("SELECT id + ?, 0, NULL, 'disowned' FROM parts"), receipt, shift);
  copyRows(
    former.prepare('SELECT session_id, next_part + ? FROM sessions'),
    db.prepare(
      'INSERT INTO sessions VALUES (?, ?) ON CONFLICT (session_id) DO UPDATE SET next_part = max(next_part, excluded.next_part)',
    ),
    0,
  );
  const ended = former.prepare("SELECT total(turns) FROM receipts WHERE reason IS NOT 'disowned'").pluck().get();
  const [rows, bytes] = [ended as number, readCounter(former, 'ledger_bytes')];
  addToCounter(db, 'ledger_rows', '', rows);
  addToCounter(db, 'ledger_bytes', '', bytes);
  // It may have taken over others itself, whose parts lie below its own.
  const taken: TakenOver = { id, from: nextShift(db) + idSpan, below: shift + idSpan, rows, bytes };
  writeFact(db, 'taken_over', [...others, taken]);
}

/** A journal keeps its id wherever its folder is moved or mounted. */
function idOf(former: SqliteDatabase): string {
  addFact(former, 'journal_id', randomUUID());
  return readFact<string>(former, 'journal_id')!;
}

/** Takes out what an earlier attempt brought in of that journal. Returns what was taken over of others. */
function withoutFormer(db: SqliteDatabase, id: string): TakenOver[] {
  const all = readFact<TakenOver[]>(db, 'taken_over') ?? [];
  for (const { from, below, rows, bytes } of all.filter((taken) => taken.id === id)) {
    db.prepare('DELETE FROM ledger WHERE lowest_part >= ? AND lowest_part < ?').run(from, below);
    db.prepare('DELETE FROM receipts WHERE part_id >= ? AND part_id < ?').run(from, below);
    addToCounter(db, 'ledger_rows', '', -rows);
    addToCounter(db, 'ledger_bytes', '', -bytes);
  }
  return all.filter((taken) => taken.id !== id);
}

/** What is added to the part ids of the next journal. */
function nextShift(db: SqliteDatabase): number {
  const lowest = db.prepare('SELECT coalesce(min(part_id), 0) FROM receipts').pluck().get() as number;
  return (Math.floor(lowest / idSpan) - 1) * idSpan;
}

type Statement = ReturnType<SqliteDatabase['prepare']>;

function copyRows(from: Statement, to: Statement, shift: number): void {
  for (const row of from.raw().iterate(shift)) to.run(row as unknown[]);
}
