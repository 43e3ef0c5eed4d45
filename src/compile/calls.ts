/**
 * The call store (P4): what a model answered is on disk before it is used, and what became of a segment before it is
 * published, so that nobody pays twice for either.
 */
import { z } from 'zod';
import { type ModelCall, modelCallSchema, qaPairSchema, rejectedPairSchema, segmentOutcomeSchema } from '../records.ts';
import { explainSqlite, openSqlite, type SqliteDatabase } from '../sqlite.ts';

export const segmentResultSchema = z.object({
  spec: z.literal('segment_result/1'),
  outcome: segmentOutcomeSchema,
  pairs: z.array(qaPairSchema),
  rejected: z.array(rejectedPairSchema),
  calls: z.array(modelCallSchema),
  compiledAt: z.string(),
});
/** What one segment gave, as it was first recorded. */
export type SegmentResult = z.infer<typeof segmentResultSchema>;

/** By what a segment is known again, whichever trajectory it is part of. */
export interface SegmentKey {
  sessionId: string;
  fingerprint: string;
  /** Digest of the compiler version. */
  version: string;
}

export interface StoredAnswer {
  call: ModelCall;
  /** JSON text of the model's reply. */
  reply: string;
}

/** SQLite on one host; a store that several hosts share keeps the same contract. */
export interface CallStore {
  /** The answer to a prompt by a model under its settings. */
  answer(key: string): Promise<StoredAnswer | null>;
  /** Records a call, and where it gave an answer, that too, in one transaction. Resolves when it is durable. */
  record(call: ModelCall, answer?: { key: string; reply: string }): Promise<void>;
  /** Calls made for a segment that no recorded result accounts for: those of attempts that failed or were cut short. */
  unsettled(segmentId: string): Promise<ModelCall[]>;
  segment(key: SegmentKey): Promise<SegmentResult | null>;
  /** Records what a segment gave; its calls are accounted for by it. */
  settle(key: SegmentKey, result: SegmentResult): Promise<void>;
  close(): Promise<void>;
}

const migrations = [
  `CREATE TABLE calls (
     id TEXT PRIMARY KEY,
     segment_id TEXT NOT NULL,
     settled INTEGER NOT NULL DEFAULT 0,
     call TEXT NOT NULL
   ) STRICT;
   CREATE INDEX calls_unsettled ON calls (segment_id) WHERE settled = 0;
   CREATE TABLE answers (
     key TEXT PRIMARY KEY,
     call_id TEXT NOT NULL REFERENCES calls (id),
     reply TEXT NOT NULL
   ) STRICT;
   CREATE TABLE segments (
     session_id TEXT NOT NULL,
     fingerprint TEXT NOT NULL,
     version TEXT NOT NULL,
     result TEXT NOT NULL,
     PRIMARY KEY (session_id, fingerprint, version)
   ) STRICT, WITHOUT ROWID;`,
] as const;

const what = 'call store';

/** Opens `<dataDir>/calls.sqlite`. @throws OperatorError as {@link openSqlite} does. */
export function openCallStore(path: string): CallStore {
  return new SqliteCallStore(openSqlite(path, { what, migrations }), path);
}

class SqliteCallStore implements CallStore {
  readonly #db: SqliteDatabase;
  readonly #path: string;

  constructor(db: SqliteDatabase, path: string) {
    this.#db = db;
    this.#path = path;
  }

  /** A full disk is told as such, and stops: what was not recorded would be paid for again. */
  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw explainSqlite(error, what, this.#path);
    }
  }

  async answer(key: string): Promise<StoredAnswer | null> {
    const row = this.#guard(() =>
      this.#db
        .prepare('SELECT call, reply FROM answers JOIN calls ON calls.id = answers.call_id WHERE key = ?')
        .get(key),
    ) as { call: string; reply: string } | undefined;
    return row === undefined ? null : { call: modelCallSchema.parse(JSON.parse(row.call)), reply: row.reply };
  }

  async record(call: ModelCall, answer?: { key: string; reply: string }): Promise<void> {
    this.#guard(
      this.#db.transaction(() => {
        this.#db
          .prepare('INSERT INTO calls (id, segment_id, call) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING')
          .run(call.id, call.segmentId, JSON.stringify(call));
        if (answer === undefined) return;
        // A forced second answer takes the place of the first: the newer one was asked for.
        this.#db
          .prepare('INSERT OR REPLACE INTO answers (key, call_id, reply) VALUES (?, ?, ?)')
          .run(answer.key, call.id, answer.reply);
      }),
    );
  }

  async unsettled(segmentId: string): Promise<ModelCall[]> {
    const rows = this.#guard(() =>
      this.#db.prepare('SELECT call FROM calls WHERE segment_id = ? AND settled = 0 ORDER BY rowid').all(segmentId),
    ) as { call: string }[];
    return rows.map(({ call }) => modelCallSchema.parse(JSON.parse(call)));
  }

  async segment({ sessionId, fingerprint, version }: SegmentKey): Promise<SegmentResult | null> {
    const row = this.#guard(() =>
      this.#db
        .prepare('SELECT result FROM segments WHERE session_id = ? AND fingerprint = ? AND version = ?')
        .get(sessionId, fingerprint, version),
    ) as { result: string } | undefined;
    // A result of another form was recorded by another version: the segment is judged again, by recorded answers.
    return row === undefined ? null : (segmentResultSchema.safeParse(JSON.parse(row.result)).data ?? null);
  }

  async settle({ sessionId, fingerprint, version }: SegmentKey, result: SegmentResult): Promise<void> {
    this.#guard(
      this.#db.transaction(() => {
        this.#db
          .prepare('INSERT OR REPLACE INTO segments (session_id, fingerprint, version, result) VALUES (?, ?, ?, ?)')
          .run(sessionId, fingerprint, version, JSON.stringify(result));
        const settled = this.#db.prepare('UPDATE calls SET settled = 1 WHERE id = ?');
        for (const { id } of result.calls) settled.run(id);
      }),
    );
  }

  async close(): Promise<void> {
    this.#db.close();
  }
}
