/** Sealed parts on their way out. References only: a body is assembled when it is delivered. */
import { park } from '../errors.ts';
import type { CloseReason, Micros, Trajectory } from '../records.ts';
import { explainSqlite, type SqliteDatabase } from '../sqlite.ts';
import { unpackTurns } from './chunk.ts';
import { ChunkLog, ChunkReader } from './chunk-log.ts';
import type { Space } from './space.ts';
import { assembleTrajectory } from './trajectory.ts';

/** A sealed part without its turns. */
export interface TrajectoryRef {
  trajectoryId: string;
  sessionId: string;
  part: number;
  turns: number;
  /** UTF-8 bytes of the turns' text. */
  bytes: number;
  firstAt: Micros;
  lastAt: Micros;
  closedBy: CloseReason;
  /** Who did its last rows; null where they do not say. Of those that are about to be published. */
  agent?: string | null;
  /** When it was put back to go out once more, in ms since the Unix epoch; null where it goes out for the first time. */
  resentAt: number | null;
}

const refColumns =
  'trajectory_id AS trajectoryId, session_id AS sessionId, part, turns, bytes, first_at AS firstAt, last_at AS lastAt, closed_by AS closedBy, resent_at AS resentAt';

/** The reading half, which another process may open too. Its methods throw OperatorErrors as `explainSqlite` words them. */
export class OutboxReader {
  readonly #db: SqliteDatabase;
  readonly #path: string;
  readonly #source: string;

  constructor(db: SqliteDatabase, path: string, source: string) {
    this.#db = db;
    this.#path = path;
    this.#source = source;
  }

  /**
   * Sealed and not yet published, oldest first; the parts of a session in order. None while history is being read:
   * should that start over, nothing of it must have gone out.
   */
  pending(limit: number): TrajectoryRef[] {
    const agent = `(SELECT heads ->> '$[0][5]' FROM chunks WHERE number = last_chunk) AS agent`;
    const sql = `SELECT ${refColumns}, ${agent} FROM sealed WHERE published = 0 ORDER BY seq LIMIT ?`;
    return this.guard(() => (isReadingHistory(this.#db) ? [] : (this.#db.prepare(sql).all(limit) as TrajectoryRef[])));
  }

  /** Published, and not yet forgotten. */
  publishedIds(): string[] {
    const sql = 'SELECT trajectory_id FROM sealed WHERE published = 1';
    return this.guard(() => this.#db.prepare(sql).pluck().all() as string[]);
  }

  /** Sealed and not yet published. */
  depth(): number {
    const sql = 'SELECT count(*) FROM sealed WHERE published = 0';
    return this.guard(() => this.#db.prepare(sql).pluck().get() as number);
  }

  /** @throws OperatorError `trajectory_unknown` (park) where the journal does not hold it, or no longer. */
  assemble(trajectoryId: string): Trajectory {
    // One read transaction: the body must not be forgotten between the two statements.
    return this.guard(this.#db.transaction(() => this.#assemble(trajectoryId)));
  }

  protected guard<R>(work: () => R): R {
    try {
      return work();
    } catch (error) {
      throw explainSqlite(error, 'journal', this.#path);
    }
  }

  #assemble(trajectoryId: string): Trajectory {
    const sql = `SELECT last_chunk AS lastChunk, ${refColumns} FROM sealed WHERE trajectory_id = ?`;
    const ref = this.#db.prepare(sql).get(trajectoryId) as (TrajectoryRef & { lastChunk: number }) | undefined;
    if (ref === undefined) {
      throw park('trajectory_unknown', `the journal does not hold trajectory ${trajectoryId}, or no longer`);
    }
    const chunks = [...new ChunkReader(this.#db).from(ref.lastChunk)];
    const turns = chunks.flatMap((chunk) => unpackTurns(ref.sessionId, chunk));
    return assembleTrajectory({ source: this.#source, part: ref, closedBy: ref.closedBy, turns });
  }
}

export class Outbox extends OutboxReader {
  readonly #db: SqliteDatabase;
  readonly #space: Space;
  readonly #chunks: ChunkLog;

  constructor(db: SqliteDatabase, path: string, source: string, space: Space) {
    super(db, path, source);
    this.#db = db;
    this.#chunks = new ChunkLog(db);
    this.#space = space;
  }

  /** Takes note that the topic holds these durably. */
  published(trajectoryIds: Iterable<string>): void {
    this.#change(() => {
      const mark = this.#db.prepare('UPDATE sealed SET published = 1 WHERE trajectory_id = ?');
      for (const id of trajectoryIds) mark.run(id);
    });
  }

  /** Has it published once more, whether or not it was. Returns how many turns it has; null where it is not held. */
  publishAgain(trajectoryId: string, now = Date.now()): number | null {
    const sql = 'UPDATE sealed SET published = 0, resent_at = ? WHERE trajectory_id = ? RETURNING turns';
    return this.#change(() => (this.#db.prepare(sql).pluck().get(now, trajectoryId) as number | undefined) ?? null);
  }

  /** Removes bodies that no unfinished message needs. What is not published yet stays. Returns how many went. */
  forget(trajectoryIds: Iterable<string>): number {
    const gone = this.#change(() => this.#drop(trajectoryIds));
    this.#space.add(-gone.bytes);
    this.guard(() => this.#space.tidy());
    return gone.count;
  }

  #drop(trajectoryIds: Iterable<string>): { count: number; bytes: number } {
    const find = this.#db.prepare(
      'SELECT last_chunk AS lastChunk, bytes FROM sealed WHERE trajectory_id = ? AND published = 1',
    );
    const drop = this.#db.prepare('DELETE FROM sealed WHERE trajectory_id = ?');
    const gone = { count: 0, bytes: 0 };
    for (const id of trajectoryIds) {
      const row = find.get(id) as { lastChunk: number; bytes: number } | undefined;
      if (row === undefined) continue;
      this.#chunks.drop(row.lastChunk);
      drop.run(id);
      gone.count += 1;
      gone.bytes += row.bytes;
    }
    return gone;
  }

  #change<R>(work: () => R): R {
    return this.guard(() => this.#db.transaction(work).immediate());
  }
}

function isReadingHistory(db: SqliteDatabase): boolean {
  const sql = `SELECT value ->> '$.history' FROM facts WHERE name = 'capture'`;
  return db.prepare(sql).pluck().get() === 'reading';
}
