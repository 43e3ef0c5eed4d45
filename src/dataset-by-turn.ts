/** Schema 2 of the dataset: a row a turn, so that the turns of a trajectory may come in several messages. */
import { createHash } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';
import { stop } from './errors.ts';
import type { SqliteDatabase } from './sqlite.ts';

const table = `
  CREATE TABLE trajectory_turns (
    trajectory_id TEXT NOT NULL,
    -- 0-based in the trajectory.
    turn INTEGER NOT NULL,
    row_key TEXT NOT NULL,
    -- The turn as JSON, zlib.
    body BLOB NOT NULL,
    generation TEXT NOT NULL,
    PRIMARY KEY (trajectory_id, turn)
  );
  CREATE INDEX trajectory_turns_by_row ON trajectory_turns (row_key);
`;

/** Takes the turns out of `trajectories.turns`, a JSON array compressed as one, and drops what they replace. */
export function storeByTurn(db: SqliteDatabase): void {
  db.exec(table);
  const ids = db.prepare('SELECT id FROM trajectories').pluck().all() as string[];
  const one = db.prepare('SELECT turns, generation FROM trajectories WHERE id = ?');
  const insert = db.prepare('INSERT INTO trajectory_turns VALUES (?, ?, ?, ?, ?)');
  for (const id of ids) {
    const { turns, generation } = one.get(id) as { turns: Uint8Array; generation: string };
    // Time and compiler; a trajectory's own hash stands behind them, a turn's is of its body.
    const work = generation.slice(0, generation.lastIndexOf(' '));
    for (const [index, turn] of inflateTurns(turns, id, db.name).entries()) {
      const body = JSON.stringify(turn);
      const hash = createHash('sha256').update(body).digest('hex').slice(0, 16);
      insert.run(id, index, turn.rowKey, deflateSync(body), `${work} ${hash}`);
    }
  }
  db.exec('ALTER TABLE trajectories DROP COLUMN turns; DROP TABLE trajectory_rows;');
}

function inflateTurns(blob: Uint8Array, id: string, path: string): { rowKey: string }[] {
  try {
    return JSON.parse(inflateSync(blob).toString('utf8')) as { rowKey: string }[];
  } catch (error) {
    throw stop(
      'file_corrupt',
      `turns of trajectory ${id} in dataset ${path} are damaged: restore the file from a backup, or move it away`,
      { cause: error },
    );
  }
}
