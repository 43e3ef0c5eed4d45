/**
 * The call store (P4): what a model answered is on disk before it is used, and what became of a segment before it is
 * published, so that nobody pays twice for either.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type ModelCall, modelCallSchema, qaPairSchema, rejectedPairSchema, segmentOutcomeSchema } from '../records.ts';
import { explainSqlite, type Migration, openSqlite, type SqliteDatabase } from '../sqlite.ts';

const segmentResultSchema = z.object({
  spec: z.literal('segment_result/1'),
  outcome: segmentOutcomeSchema,
  pairs: z.array(qaPairSchema),
  rejected: z.array(rejectedPairSchema),
  calls: z.array(modelCallSchema),
  compiledAt: z.string(),
});
/** What one segment gave, as it was first recorded. */
export type SegmentResult = z.infer<typeof segmentResultSchema>;

/** A result as it was recorded; null where another version recorded it in another form. */
export function readResult(text: string): SegmentResult | null {
  return segmentResultSchema.safeParse(JSON.parse(text)).data ?? null;
}

/** A call as it was recorded. */
export function readCall(text: string): ModelCall {
  return modelCallSchema.parse(JSON.parse(text));
}

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

/** SQLite on one host, Postgres where several hosts share one (`calls-postgres.ts`). */
export interface CallStore {
  /** Random, made with the store and kept in it: workers that share a store see the same. */
  readonly id: string;
  /** The answer to a prompt by a model under its settings. */
  answer(key: string): Promise<StoredAnswer | null>;
  /** Records a call, and where it gave an answer, that too, in one transaction. Resolves when it is durable. */
  record(call: ModelCall, answer?: { key: string; reply: string }): Promise<void>;
  /** Calls made for a segment that no recorded result accounts for: those of attempts that failed or were cut short. */
  unsettled(segmentId: string): Promise<ModelCall[]>;
  segment(key: SegmentKey): Promise<SegmentResult | null>;
  /**
   * Records what a segment gave, unless that is known: the first result stands, `replace` excepted. Its calls are
   * accounted for by it; those of a result that came second stay unsettled, and go to the account of the next one that
   * is recorded.
   *
   * @returns what is recorded: every worker that compiled this segment publishes the same. It is `result` itself where
   * that was recorded.
   */
  settle(key: SegmentKey, result: SegmentResult, options?: { replace?: boolean }): Promise<SegmentResult>;
  close(): Promise<void>;
}

export const callMigrations: Migration[] = [
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
  (db) => {
    db.exec('CREATE TABLE store (id TEXT NOT NULL) STRICT');
    db.prepare('INSERT INTO store (id) VALUES (?)').run(randomUUID());
  },
];

const what = 'call store';

/** Opens `<dataDir>/calls.sqlite`. @throws OperatorError as {@link openSqlite} does. */
export function openCallStore(path: string): CallStore {
  return new SqliteCallStore(openSqlite(path, { what, migrations: callMigrations }), path);
}

class SqliteCallStore implements CallStore {
  readonly id: string;
  readonly #db: SqliteDatabase;
  readonly #path: string;

  constructor(db: SqliteDatabase, path: string) {
    this.#db = db;
    this.#path = path;
    this.id = this.#guard(() => db.prepare('SELECT id FROM store').pluck().get()) as string;
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
    return row === undefined ? null : { call: readCall(row.call), reply: row.reply };
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
    return rows.map(({ call }) => readCall(call));
  }

  async segment(key: SegmentKey): Promise<SegmentResult | null> {
    return this.#guard(() => this.#recorded(key));
  }

  #recorded({ sessionId, fingerprint, version }: SegmentKey): SegmentResult | null {
    const result = this.#db
      .prepare('SELECT result FROM segments WHERE session_id = ? AND fingerprint = ? AND version = ?')
      .pluck()
      .get(sessionId, fingerprint, version) as string | undefined;
    // Of another form: the segment is judged again, by recorded answers.
    return result === undefined ? null : readResult(result);
  }

  async settle(key: SegmentKey, result: SegmentResult, { replace = false } = {}): Promise<SegmentResult> {
    const settle = this.#db.transaction(() => {
      const first = replace ? null : this.#recorded(key);
      if (first !== null) return first;
      this.#db
        .prepare('INSERT OR REPLACE INTO segments (session_id, fingerprint, version, result) VALUES (?, ?, ?, ?)')
        .run(key.sessionId, key.fingerprint, key.version, JSON.stringify(result));
      const settled = this.#db.prepare('UPDATE calls SET settled = 1 WHERE id = ?');
      for (const { id } of result.calls) settled.run(id);
      return result;
    });
    // Immediate: another process must not come between the reading and the writing.
    return this.#guard(() => settle.immediate());
  }

  async close(): Promise<void> {
    this.#db.close();
  }
}
