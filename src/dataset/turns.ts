/** Turns as the dataset holds them: a row each, their JSON compressed. */
import { inflateSync } from 'node:zlib';
import type { Turn } from '../records.ts';
import type { SqliteDatabase } from '../sqlite.ts';

/** Those that are there, in their order. */
export function turnsOf(db: SqliteDatabase, trajectoryId: string): Turn[] {
  const bodies = db.prepare('SELECT body FROM trajectory_turns WHERE trajectory_id = ? ORDER BY turn').pluck();
  return (bodies.all(trajectoryId) as Uint8Array[]).map((body) => JSON.parse(turnText(body)) as Turn);
}

/** Null where it is not there, or not yet. */
export function turnAt(db: SqliteDatabase, trajectoryId: string, turn: number): Turn | null {
  const body = db.prepare('SELECT body FROM trajectory_turns WHERE trajectory_id = ? AND turn = ?').pluck();
  const found = body.get(trajectoryId, turn) as Uint8Array | undefined;
  return found === undefined ? null : (JSON.parse(turnText(found)) as Turn);
}

/** The turn's JSON text. */
export function turnText(body: Uint8Array): string {
  return inflateSync(body).toString('utf8');
}
