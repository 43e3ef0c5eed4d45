/** Keeps the journal's file near the size of what it holds: freed pages beyond that go back to the file system. */
import type { SqliteDatabase } from '../sqlite.ts';

/** Pages given back at a time, so that a commit never waits for the whole of a drained backlog. */
const maxPagesAtOnce = 2048;
const slackBytes = 24 * 1024 * 1024;

export class Space {
  readonly #db: SqliteDatabase;
  readonly #pageSize: number;
  #liveBytes: number;

  constructor(db: SqliteDatabase) {
    this.#db = db;
    this.#pageSize = db.pragma('page_size', { simple: true }) as number;
    const sum = db.prepare('SELECT (SELECT total(bytes) FROM parts) + (SELECT total(bytes) FROM sealed)').pluck();
    this.#liveBytes = sum.get() as number;
  }

  add(bytes: number): void {
    this.#liveBytes += bytes;
  }

  /** To be called outside a transaction. */
  giveBack(): void {
    const free = this.#db.pragma('freelist_count', { simple: true }) as number;
    if (free * this.#pageSize <= slackBytes) return;
    const size = (this.#db.pragma('page_count', { simple: true }) as number) * this.#pageSize;
    const excess = Math.ceil((size - this.#liveBytes * 1.25 - slackBytes) / this.#pageSize);
    if (excess > 0) this.#db.pragma(`incremental_vacuum(${Math.min(excess, free, maxPagesAtOnce)})`);
  }
}
