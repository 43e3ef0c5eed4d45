/** Parts of a journal from before their states were a log. */
import type { SqliteDatabase } from '../sqlite.ts';
import { addToCounter } from './journal-facts.ts';
import { stateWidth, writeState } from './live-parts.ts';
import type { PartState } from './part.ts';

interface OldPart extends Omit<PartState, 'held'> {
  id: number;
  held: number;
  lastChunk: number;
}

const partsAtOnce = 200;

export function logStates(db: SqliteDatabase): void {
  const select = db.prepare(
    `SELECT id, session_id AS sessionId, part, turns, bytes, first_at AS firstAt, opened_at AS openedAt,
       last_at AS lastAt, end_marker_at AS endMarkerAt, held,
       coalesce((SELECT max(id) FROM chunks WHERE part_id = parts.id), 0) AS lastChunk
     FROM parts WHERE id > ? ORDER BY id LIMIT ${partsAtOnce}`,
  );
  const insert = db.prepare('INSERT INTO states (entries) VALUES (?)');
  for (let after = 0; ; ) {
    const parts = select.all(after) as OldPart[];
    const last = parts.at(-1);
    if (last === undefined) return;
    const entries = new Float64Array(parts.length * stateWidth);
    for (const [i, { id, lastChunk, ...part }] of parts.entries()) {
      writeState(entries, i * stateWidth, { part: { ...part, held: part.held !== 0 }, id, lastChunk });
    }
    insert.run(Buffer.from(entries.buffer));
    addToCounter(db, 'live', '', parts.length);
    addToCounter(db, 'held', '', parts.filter(({ held }) => held !== 0).length);
    after = last.id;
  }
}
