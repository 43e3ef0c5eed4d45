/** The file of the embedded topics, looked into beside the processes that work on it: what is still on its way. */
import { existsSync } from 'node:fs';
import { explainSqlite, openSqlite, type SqliteDatabase } from '../sqlite.ts';
import { topicMigrations } from '../topic/schema.ts';

export type Whereabouts = 'on_the_way' | 'parked';

const what = 'topics';

/** Messages are looked up by their id, or by what their id begins with up to a space. */
export class TopicFile {
  readonly #path: string;
  #db: SqliteDatabase | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Of each of these, whether a group has it before it or has parked it; those that it has finished are not there. */
  find(topic: string, group: string, ids: readonly string[]): Map<string, Whereabouts> {
    const rows = this.#use((db) => db.prepare(findSql).all({ topic, group, ids: JSON.stringify(ids) }));
    return new Map(((rows ?? []) as { id: string; parked: number }[]).map(({ id, parked }) => [id, stateOf(parked)]));
  }

  close(): void {
    this.#db?.close();
    this.#db = null;
  }

  #use<T>(work: (db: SqliteDatabase) => T): T | null {
    try {
      if (this.#db === null && existsSync(this.#path)) {
        this.#db = openSqlite(this.#path, { what, migrations: topicMigrations, readonly: true });
      }
      return this.#db === null ? null : work(this.#db);
    } catch (error) {
      throw explainSqlite(error, what, this.#path);
    }
  }
}

/** A message that was finished once is not delivered again, unless its id is forgotten: what was lost is to come anew. */
export function forgetFinished(path: string, trajectoryIds: readonly string[]): void {
  if (!existsSync(path) || trajectoryIds.length === 0) return;
  const db = openSqlite(path, { what, migrations: topicMigrations });
  try {
    db.transaction(() => db.prepare(forgetSql).run(JSON.stringify(trajectoryIds))).immediate();
  } catch (error) {
    throw explainSqlite(error, what, path);
  } finally {
    db.close();
  }
}

const stateOf = (parked: number): Whereabouts => (parked === 0 ? 'on_the_way' : 'parked');

// What is called after a trajectory is it, or what was compiled of it. ' ' and '!' stand next to each other.
const isOf = (id: string) => `(${id} = wanted.value OR (${id} >= wanted.value || ' ' AND ${id} < wanted.value || '!'))`;

// A group that is not registered yet begins with the oldest message that is kept.
const findSql = `
  SELECT wanted.value AS id, min(d.seq IS NOT NULL) AS parked
    FROM json_each(@ids) AS wanted
    JOIN topics AS t ON t.name = @topic
    JOIN messages AS m ON m.topic = t.number AND ${isOf('m.id')}
    LEFT JOIN groups AS g ON g.topic = t.number AND g.name = @group
    LEFT JOIN dead_letters AS d ON d.group_number = g.number AND d.seq = m.seq
   WHERE g.number IS NULL OR d.seq IS NOT NULL
      OR EXISTS (SELECT 1 FROM deliveries AS v WHERE v.group_number = g.number AND v.seq = m.seq)
   GROUP BY wanted.value`;

const forgetSql = `
  DELETE FROM finished_ids WHERE (topic, id) IN (
    SELECT f.topic, f.id FROM json_each(?) AS wanted
      JOIN topics AS t ON true
      JOIN finished_ids AS f ON f.topic = t.number AND ${isOf('f.id')})`;
