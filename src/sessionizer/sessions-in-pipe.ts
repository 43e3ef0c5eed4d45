/** Tells another process whether rows of a session are in open or held parts, or on their way to the compiler. */
import type { SqliteDatabase } from '../sqlite.ts';

/**
 * Parts are not indexed by session: the process that captures would write a page for each part. Whoever asks reads them
 * once, and then those that came since.
 */
export class SessionsInPipe {
  readonly #newParts;
  readonly #isLive;
  readonly #isSealed;
  /** The last part of each session that is known here. */
  readonly #parts = new Map<string, number>();
  #last = 0;

  constructor(db: SqliteDatabase) {
    this.#newParts = db.prepare('SELECT id, session_id FROM parts WHERE id > ? ORDER BY id').raw();
    this.#isLive = db.prepare('SELECT EXISTS (SELECT 1 FROM parts WHERE id = ?)').pluck();
    this.#isSealed = db.prepare('SELECT EXISTS (SELECT 1 FROM sealed WHERE session_id = ?)').pluck();
  }

  has(sessionId: string): boolean {
    for (const [id, session] of this.#newParts.iterate(this.#last) as IterableIterator<[number, string]>) {
      this.#parts.set(session, id);
      this.#last = id;
    }
    const id = this.#parts.get(sessionId);
    // In this order: what is sealed between the two questions is found by the second.
    return (id !== undefined && this.#isLive.get(id) === 1) || this.#isSealed.get(sessionId) === 1;
  }
}
