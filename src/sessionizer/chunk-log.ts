/**
 * The bodies of parts as chains of chunks: each names the one before it, and whoever holds a part holds the number of its
 * last. An index by part would be a page written anew for each row, once there are many open parts.
 */
import type { SqliteDatabase } from '../sqlite.ts';
import type { Chunk } from './chunk.ts';

/** Stands for no chunk. */
export const noChunk = 0;

interface ChunkRow extends Chunk {
  previous: number;
}

export class ChunkReader {
  readonly #find;
  readonly #findHeads;

  constructor(db: SqliteDatabase) {
    this.#find = db.prepare('SELECT previous, heads, body FROM chunks WHERE number = ?');
    this.#findHeads = db.prepare('SELECT previous, heads FROM chunks WHERE number = ?');
  }

  /** The last one first. */
  *from(last: number): Generator<Chunk> {
    for (let number = last; number !== noChunk; ) {
      const row = this.#find.get(number) as ChunkRow | undefined;
      if (row === undefined) throw missing(number);
      yield row;
      number = row.previous;
    }
  }

  *headsFrom(last: number): Generator<string> {
    for (let number = last; number !== noChunk; ) {
      const row = this.#findHeads.get(number) as Omit<ChunkRow, 'body'> | undefined;
      if (row === undefined) throw missing(number);
      yield row.heads;
      number = row.previous;
    }
  }
}

export class ChunkLog extends ChunkReader {
  readonly #insert;
  readonly #drop;
  /** Chunks are moved where pages are packed, so their numbers are not their places. */
  #last: number;

  constructor(db: SqliteDatabase) {
    super(db);
    this.#last = (db.prepare('SELECT max(number) FROM chunks').pluck().get() as number | null) ?? noChunk;
    this.#insert = db.prepare('INSERT INTO chunks (number, previous, part_id, heads, body) VALUES (?, ?, ?, ?, ?)');
    this.#drop = db.prepare('DELETE FROM chunks WHERE number = ? RETURNING previous').pluck();
  }

  /** Returns the number of the new chunk. */
  append(previous: number, partId: number, { heads, body }: Chunk): number {
    this.#last += 1;
    this.#insert.run(this.#last, previous, partId, heads, body);
    return this.#last;
  }

  drop(last: number): void {
    for (let number = last; number !== noChunk; ) {
      const previous = this.#drop.get(number) as number | undefined;
      if (previous === undefined) throw missing(number);
      number = previous;
    }
  }
}

function missing(number: number): Error {
  return new Error(`chunk ${number} of a part is missing from the journal`);
}
