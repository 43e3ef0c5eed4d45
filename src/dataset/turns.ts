/** Turns as the dataset holds them: a row each, their JSON compressed, the digest of the audit log's row beside it. */
import { inflateSync } from 'node:zlib';
import type { Turn } from '../records.ts';
import type { SqliteDatabase } from '../sqlite.ts';

/** Those that are there, in their order. */
export function turnsOf(db: SqliteDatabase, trajectoryId: string): Turn[] {
  const rows = db.prepare('SELECT body, digest FROM trajectory_turns WHERE trajectory_id = ? ORDER BY turn');
  return (rows.all(trajectoryId) as StoredTurn[]).map(turnOf);
}

/** Null where it is not there, or not yet. */
export function turnAt(db: SqliteDatabase, trajectoryId: string, turn: number): Turn | null {
  const row = db.prepare('SELECT body, digest FROM trajectory_turns WHERE trajectory_id = ? AND turn = ?');
  const found = row.get(trajectoryId, turn) as StoredTurn | undefined;
  return found === undefined ? null : turnOf(found);
}

interface StoredTurn {
  body: Uint8Array;
  digest: string | null;
}

function turnOf({ body, digest }: StoredTurn): Turn {
  const turn = JSON.parse(turnText(body)) as Turn;
  return digest === null ? turn : { ...turn, digest };
}

/** The turn's JSON text. */
export function turnText(body: Uint8Array): string {
  return inflateSync(body).toString('utf8');
}
