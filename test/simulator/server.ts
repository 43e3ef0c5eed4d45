/**
 * A Postgres of few lines: a clock, a WAL of transactions, a table, a slot and its walsender. It does what the real one
 * does with positions: what lies before `max(start, confirmed)` is not sent, without an error.
 */
import type { Lsn, Micros } from '../../src/records.ts';
import type { Message } from '../../src/stream/pgoutput.ts';

export const second: Micros = 1_000_000;
export const minute: Micros = 60 * second;
/** Midnight of 2026-01-05, UTC: where these logs begin. */
export const dawn: Micros = 1_767_571_200 * second;

/** What a watermark keeps behind: more than commit times step back and asynchronous commits stay unflushed together. */
export const slack: Micros = 1_000_000;
export const mostBack: Micros = 0.3 * second;
const longestUnflushed: Micros = 0.6 * second;

export interface Row {
  key: string;
  /** Null: a row that nobody can place, which is skipped and counted. */
  session: string | null;
  createdAt: Micros | null;
  ends: boolean;
  size: number;
  committedAt: Micros;
}

export interface Transaction {
  /** Where the commit record begins, and where it ends. */
  finalLsn: number;
  endLsn: number;
  committedAt: Micros;
  rows: Row[];
}

const lsnTexts: Lsn[] = [];

export function lsnText(n: number): Lsn {
  lsnTexts[n] ??= `00000000/${n.toString(16).toUpperCase().padStart(8, '0')}` as Lsn;
  return lsnTexts[n];
}

export function lsnNumber(lsn: Lsn): number {
  return Number.parseInt(lsn.slice(9), 16);
}

const createdTexts = new Map<Micros, string>();

export function createdText(at: Micros | null): string | null {
  if (at === null) return null;
  let text = createdTexts.get(at);
  if (text === undefined) {
    const micros = String(at % 1000).padStart(3, '0');
    text = new Date(Math.floor(at / 1000)).toISOString().replace('T', ' ').replace('Z', `${micros}+00`);
    if (createdTexts.size < 100_000) createdTexts.set(at, text);
  }
  return text;
}

const filler = 'x'.repeat(1_000);

export function textOf(row: Row): { tool: string; response: string } {
  return { tool: row.ends ? 'finish' : 'search', response: filler.slice(0, row.size) };
}

export class Server {
  now: Micros = dawn;
  /** The clock was set back by more than the slack covers: no watermark can be trusted, and boundaries may move. */
  clockSetBack = false;
  readonly wal: Transaction[] = [];
  lsn = 256;
  /** What the slot may forget. */
  confirmed = 256;
  #flushed = 0;
  #keys = 0;

  pass(gap: Micros): void {
    this.now += gap;
    const oldest = this.wal[this.#flushed];
    if (oldest !== undefined && oldest.committedAt <= this.now - longestUnflushed) this.flush();
  }

  setClockBack(by: Micros): void {
    this.flush();
    this.now -= by;
    this.clockSetBack = true;
  }

  /** @param distance bytes of other WAL before it: 0 where its commit record begins at the end of the one before */
  commit(
    rows: Omit<Row, 'key' | 'committedAt'>[],
    { back, distance, asynchronous }: { back: Micros; distance: number; asynchronous: boolean },
  ): void {
    const committedAt = this.now - back;
    const finalLsn = this.lsn + distance;
    this.lsn = finalLsn + 16;
    this.wal.push({
      finalLsn,
      endLsn: this.lsn,
      committedAt,
      rows: rows.map((row) => {
        this.#keys += 1;
        return { ...row, key: String(this.#keys), committedAt };
      }),
    });
    if (!asynchronous) this.flush();
  }

  /** WAL of other databases, or of a transaction that is still open. */
  write(bytes: number): void {
    this.lsn += bytes;
  }

  flush(): void {
    this.#flushed = this.wal.length;
  }

  /** `pg_current_wal_flush_lsn()`: an asynchronous commit may lie beyond it. */
  get flushLsn(): number {
    return this.wal[this.#flushed]?.finalLsn ?? this.lsn;
  }

  get flushedTransactions(): number {
    return this.#flushed;
  }

  /** What every snapshot of this moment sees. */
  visible(): Row[] {
    return this.wal.flatMap((transaction) => transaction.rows);
  }
}

/** One walsender connection: hands out the messages of flushed transactions, one at a time. */
export class Walsender {
  readonly #server: Server;
  /** The transaction to be sent next or being sent, and which of its messages comes next. */
  #transaction: number;
  #message = 0;

  /** @param rewind so many transactions more are sent again, as by a slot that was copied before it was confirmed */
  constructor(server: Server, start: Lsn, rewind: number) {
    const from = Math.max(lsnNumber(start), server.confirmed);
    const first = server.wal.findIndex((transaction) => transaction.finalLsn >= from);
    this.#server = server;
    this.#transaction = Math.max(0, (first < 0 ? server.wal.length : first) - rewind);
  }

  next(): Message | null {
    if (this.#transaction >= this.#server.flushedTransactions) return null;
    const { finalLsn, endLsn, committedAt, rows } = this.#server.wal[this.#transaction]!;
    const at = this.#message;
    this.#message += 1;
    if (at === 0) return { kind: 'begin', finalLsn: lsnText(finalLsn), committedAt };
    if (at <= rows.length) return { kind: 'insert', row: rowText(rows[at - 1]!), bytes: 100 };
    this.#transaction += 1;
    this.#message = 0;
    return { kind: 'commit', endLsn: lsnText(endLsn), committedAt };
  }

  /** Up to where a keepalive says that everything was sent. */
  get sentLsn(): Lsn {
    const { wal, flushedTransactions, lsn } = this.#server;
    // In the middle of a transaction too: its commit record is what is being worked on.
    if (this.#transaction < flushedTransactions) return lsnText(wal[this.#transaction]!.finalLsn);
    return lsnText(wal[flushedTransactions]?.finalLsn ?? lsn);
  }
}

/** The columns that the simulated capture reads, in the order of its mapping. */
export const columnNames = ['session_id', 'tool', 'response', 'created_at', 'id'];

export function rowText(row: Row): (string | null)[] {
  const { tool, response } = textOf(row);
  return [row.session, tool, response, createdText(row.createdAt), row.key];
}
