/** What the journal knows about the whole of capture, and what it has counted. */
import type { CloseReason, Lsn, Micros, Position, Progress } from '../records.ts';
import type { SqliteDatabase } from '../sqlite.ts';

export type HistoryState = 'none' | 'reading' | 'done';

/** Positions are comparable only under the same identity. */
export interface SourceIdentity {
  system_identifier: string;
  timeline: string;
  slot: string;
  publication: string;
}

/** Name and type of the columns by which the ledger knows rows. */
export interface RowColumns {
  key: string;
  time: string | null;
}

/** Where capture stands; written with every commit. */
export interface CaptureFacts {
  progress: Progress | null;
  lastPosition: Position | null;
  watermark: Micros | null;
  history: HistoryState;
}

export const noCapture: CaptureFacts = { progress: null, lastPosition: null, watermark: null, history: 'none' };

/** Totals of the data directory. */
export interface JournalTotals {
  /** Taken in. */
  rows: number;
  sessions: number;
  /** Parts that may still grow, held ones not among them. */
  open: number;
  /** Closed with too few turns and waiting for more. */
  held: number;
  sealed: number;
  /** Held now, or let go since. */
  belowMinTurns: number;
  /** Rows known already when they came again. */
  replayed: number;
  /** Rows not carried on, by reason. */
  skipped: Record<string, number>;
  /** Sealed parts, by reason. */
  closes: Partial<Record<CloseReason, number>>;
  /** Parts let go, by reason, and their rows. */
  released: Record<string, number>;
  releasedRows: Record<string, number>;
  /** Rows that the ledger knows: all that were ever taken in, but for those disowned in a takeover and the ledger's gap. */
  ledgerRows: number;
}

/** Rows of the table that come in beside the stream. */
export interface Injection {
  id: string;
  reason: 'backfill' | 'recover' | 'repair';
  /** By the time column, as `RowRange` of the stream; both null for the whole table. */
  range: { since: string | null; until: string | null };
  /** Every row that the reading sees was committed before this position. */
  seenBefore: Lsn;
}

export type CounterName =
  | 'rows'
  | 'sessions'
  | 'replayed'
  | 'skipped'
  | 'closes'
  | 'released'
  | 'released_rows'
  | 'ledger_rows'
  | 'ledger_bytes'
  /** Parts that are open or held. */
  | 'live'
  | 'held';

export function readFact<T>(db: SqliteDatabase, name: string): T | null {
  const value = db.prepare('SELECT value FROM facts WHERE name = ?').pluck().get(name) as string | undefined;
  return value === undefined ? null : (JSON.parse(value) as T);
}

export function writeFact(db: SqliteDatabase, name: string, value: unknown): void {
  const sql = 'INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value';
  db.prepare(sql).run(name, JSON.stringify(value));
}

/** Writes a fact that is not there yet. */
export function addFact(db: SqliteDatabase, name: string, value: unknown): void {
  db.prepare('INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO NOTHING').run(name, JSON.stringify(value));
}

export function dropFact(db: SqliteDatabase, name: string): void {
  db.prepare('DELETE FROM facts WHERE name = ?').run(name);
}

export function readCounter(db: SqliteDatabase, name: CounterName): number {
  const sql = `SELECT n FROM counters WHERE name = ? AND label = ''`;
  return (db.prepare(sql).pluck().get(name) as number | undefined) ?? 0;
}

export const addToCounterSql =
  'INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT (name, label) DO UPDATE SET n = n + excluded.n';

export function addToCounter(db: SqliteDatabase, name: CounterName, label: string, n: number): void {
  db.prepare(addToCounterSql).run(name, label, n);
}

export function readTotals(db: SqliteDatabase): JournalTotals {
  const rows = db.prepare('SELECT name, label, n FROM counters').all() as {
    name: CounterName;
    label: string;
    n: number;
  }[];
  const labelled = (name: CounterName): Record<string, number> =>
    Object.fromEntries(rows.filter((row) => row.name === name).map((row) => [row.label, row.n]));
  const plain = (name: CounterName): number => labelled(name)[''] ?? 0;
  const held = plain('held');
  const closes = labelled('closes');
  const released = labelled('released');
  const duplicates = released.duplicate ?? 0;
  return {
    rows: plain('rows'),
    sessions: plain('sessions'),
    open: plain('live') - held,
    held,
    // A sealed part whose trajectory is there already is let go as `duplicate`.
    sealed: sum(Object.values(closes)) - duplicates,
    belowMinTurns: held + sum(Object.values(released)) - duplicates,
    replayed: plain('replayed'),
    skipped: labelled('skipped'),
    closes,
    released,
    releasedRows: labelled('released_rows'),
    ledgerRows: plain('ledger_rows'),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
