/**
 * What commands ask of the process that captures into a data directory: rows of the table that it shall take in beside
 * the stream. Asked for in a file of their own, since only that process may write the journal.
 */
import { explainSqlite, openSqlite, type SqliteDatabase } from './sqlite.ts';

export interface BackfillRequest {
  id: string;
  reason: 'backfill' | 'recover' | 'repair';
  /** By the time column, as Postgres reads timestamps; null for no bound. Inclusive. */
  since: string | null;
  /** Exclusive. */
  until: string | null;
  /** Ids of trajectories that were sealed and are lost: their rows are to count as unknown. */
  disown: string[];
}

export interface RequestState {
  state: 'waiting' | 'reading' | 'done' | 'failed';
  /** Rows of the range looked at so far. */
  rowsRead: number;
  /** Those among them that were not known. */
  rowsTaken: number;
  /** The planner's guess of the range; null before it was asked. */
  estimatedRows: number | null;
  /** Why it failed, in an operator's words. */
  error: string | null;
}

export const requestMigrations = [
  `
  CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, reason TEXT NOT NULL, since TEXT, until TEXT,
    -- JSON array.
    disown TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', rows_read INTEGER NOT NULL DEFAULT 0, rows_taken INTEGER NOT NULL DEFAULT 0,
    estimated_rows INTEGER, error TEXT
  );
  `,
];

const what = 'requests';

/** @throws OperatorError as `openSqlite`. */
export function openRequests(path: string): Requests {
  return new Requests(openSqlite(path, { what, migrations: requestMigrations }), path);
}

export class Requests {
  readonly #db: SqliteDatabase;
  readonly #path: string;

  constructor(db: SqliteDatabase, path: string) {
    this.#db = db;
    this.#path = path;
  }

  submit({ id, reason, since, until, disown }: BackfillRequest): void {
    const sql = 'INSERT INTO requests (id, reason, since, until, disown) VALUES (?, ?, ?, ?, ?)';
    this.#guard(() => this.#db.prepare(sql).run(id, reason, since, until, JSON.stringify(disown)));
  }

  /** The oldest that is not finished; one that was begun comes again after a crash. */
  next(): BackfillRequest | null {
    const sql = `SELECT id, reason, since, until, disown FROM requests WHERE state IN ('waiting', 'reading') ORDER BY seq LIMIT 1`;
    const row = this.#guard(() => this.#db.prepare(sql).get()) as
      | (Omit<BackfillRequest, 'disown'> & { disown: string })
      | undefined;
    return row === undefined ? null : { ...row, disown: JSON.parse(row.disown) as string[] };
  }

  /** Null where no request has that id. */
  stateOf(id: string): RequestState | null {
    const sql =
      'SELECT state, rows_read AS rowsRead, rows_taken AS rowsTaken, estimated_rows AS estimatedRows, error FROM requests WHERE id = ?';
    return this.#guard(() => (this.#db.prepare(sql).get(id) as RequestState | undefined) ?? null);
  }

  update(id: string, change: Partial<RequestState>): void {
    const state = this.stateOf(id);
    if (state === null) return;
    const next = { ...state, ...change };
    const sql =
      'UPDATE requests SET state = @state, rows_read = @rowsRead, rows_taken = @rowsTaken, estimated_rows = @estimatedRows, error = @error WHERE id = @id';
    this.#guard(() => this.#db.prepare(sql).run({ ...next, id }));
  }

  close(): void {
    this.#db.close();
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw explainSqlite(error, what, this.#path);
    }
  }
}
