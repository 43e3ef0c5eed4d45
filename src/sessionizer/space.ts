/**
 * Keeps the journal's file within twice what it holds plus 64 MiB. Freed pages are used again by SQLite; those beyond
 * need go back to the file system, and pages that deletions left half empty are packed anew.
 */
import type { SqliteDatabase } from '../sqlite.ts';
import { readCounter } from './journal-facts.ts';

/** How much is done at a time, so that a commit never waits for the whole of a drained backlog. */
const pagesAtOnce = 512;
const chunksAtOnce = 128;
const slackBytes = 24 * 1024 * 1024;

export class Space {
  readonly #db: SqliteDatabase;
  readonly #pageSize: number;
  #liveBytes = 0;
  /** Live bytes when pages were last packed, or the most since: packing again pays once much of that is gone. */
  #liveBytesPacked = Number.POSITIVE_INFINITY;
  /** Ids of the chunks still to be packed. */
  #packing: { after: number; to: number } | null = null;

  /** @param liveBytes of the text in open and held parts */
  constructor(db: SqliteDatabase, liveBytes: number) {
    this.#db = db;
    this.#pageSize = db.pragma('page_size', { simple: true }) as number;
    this.recount(liveBytes);
  }

  recount(liveBytes: number): void {
    const sealed = this.#db.prepare('SELECT total(bytes) FROM sealed').pluck().get() as number;
    this.#liveBytes = liveBytes + sealed + readCounter(this.#db, 'ledger_bytes');
  }

  add(bytes: number): void {
    this.#liveBytes += bytes;
    this.#liveBytesPacked = Math.max(this.#liveBytesPacked, this.#liveBytes);
  }

  /** A bounded piece of the work, where there is any. To be called outside a transaction. */
  tidy(): void {
    const free = this.#pragma('freelist_count');
    const pages = this.#pragma('page_count');
    const usedBytes = (pages - free) * this.#pageSize;
    if (this.#packing === null && usedBytes > this.#liveBytes * 1.75 + slackBytes) this.#startPacking();
    if (this.#packing !== null) this.#packing = this.#pack(this.#packing);
    const excess = Math.ceil((pages * this.#pageSize - this.#liveBytes * 1.25 - slackBytes) / this.#pageSize);
    const given = Math.min(excess, free, pagesAtOnce);
    if (given <= 0 || free * this.#pageSize <= slackBytes) return;
    this.#db.pragma(`incremental_vacuum(${given})`);
    // The file itself shrinks at a checkpoint, and a quiet log brings none by itself.
    this.#db.pragma('wal_checkpoint(PASSIVE)');
  }

  #startPacking(): void {
    if (this.#liveBytes > this.#liveBytesPacked * 0.75) return;
    this.#liveBytesPacked = this.#liveBytes;
    const to = this.#db.prepare('SELECT max(id) FROM chunks').pluck().get() as number | null;
    if (to !== null) this.#packing = { after: 0, to };
  }

  /** Moves chunks to the end of the log, where pages are filled. Larger ones fill pages of their own anyway. */
  #pack({ after, to }: { after: number; to: number }): { after: number; to: number } | null {
    const small = `octet_length(heads) + octet_length(body) < ${this.#pageSize}`;
    const select = `SELECT id FROM chunks WHERE id > ? AND id <= ? AND ${small} ORDER BY id LIMIT ${chunksAtOnce}`;
    const ids = this.#db.prepare(select).pluck().all(after, to) as number[];
    // Chunks are found by their number: they may stand anywhere.
    const move = this.#db.prepare('UPDATE chunks SET id = (SELECT max(id) FROM chunks) + 1 WHERE id = ?');
    this.#db
      .transaction(() => {
        for (const id of ids) move.run(id);
      })
      .immediate();
    const last = ids.at(-1);
    return last === undefined ? null : { after: last, to };
  }

  #pragma(name: string): number {
    return this.#db.pragma(name, { simple: true }) as number;
  }
}
