/**
 * What commands ask of the process that captures into a data directory: rows of the table that it shall take in beside
 * the stream. Asked for in a file of their own, since only that process may write the journal.
 */
import { explainSqlite, openSqlite, type SqliteDatabase } from './sqlite.ts';

/** That was sealed and published, and did not arrive. */
export interface LostTrajectory {
  trajectoryId: string;
  sessionId: string;
}

export interface NotRebuilt extends LostTrajectory {
  /**
   * `other_rows`: the table lacks some of its rows, or rows of one time stand there in another order. `rows_altered`: not
   * all of them read as they were taken in.
   */
  reason: 'other_rows' | 'rows_altered';
}

export type ChangedRows = 'leave' | 'take';

export interface BackfillRequest {
  id: string;
  reason: 'backfill' | 'recover' | 'repair';
  /** By the time column, as Postgres reads timestamps; null for no bound. Inclusive. */
  since: string | null;
  /** Exclusive. */
  until: string | null;
  /** Trajectories to send once more; where there are any, nothing else is read. */
  resend: LostTrajectory[];
  /** What is done with rows whose key was taken in before, with other contents; `leave` by default. */
  changed?: ChangedRows;
}

export interface RequestState {
  state: 'waiting' | 'reading' | 'done' | 'failed';
  /** Rows of the range looked at so far. */
  rowsRead: number;
  /** Those among them that were not known. */
  rowsTaken: number;
  /** Rows whose key was taken in before, with other contents. */
  rowsChanged: number;
  /** The planner's guess of the range; null before it was asked. */
  estimatedRows: number | null;
  /** Why it failed, in an operator's words. */
  error: string | null;
  /** Of those to be sent once more; absent where none were, or it is not done. */
  notRebuilt?: NotRebuilt[];
}

export const requestMigrations = [
  `
  CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, reason TEXT NOT NULL, since TEXT, until TEXT,
    -- JSON arrays.
    resend TEXT NOT NULL, not_rebuilt TEXT, changed TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', rows_read INTEGER NOT NULL DEFAULT 0, rows_taken INTEGER NOT NULL DEFAULT 0,
    rows_changed INTEGER NOT NULL DEFAULT 0,
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

  submit({ id, reason, since, until, resend, changed = 'leave' }: BackfillRequest): void {
    const sql = 'INSERT INTO requests (id, reason, since, until, resend, changed) VALUES (?, ?, ?, ?, ?, ?)';
    this.#guard(() => this.#db.prepare(sql).run(id, reason, since, until, JSON.stringify(resend), changed));
  }

  /** The oldest that is not finished; one that was begun comes again after a crash. */
  next(): BackfillRequest | null {
    return this.#find("state IN ('waiting', 'reading')");
  }

  /** Null where there is none of that id. */
  get(id: string): BackfillRequest | null {
    return this.#find('id = ?', id);
  }

  /** Null where no request has that id. */
  stateOf(id: string): RequestState | null {
    const sql =
      'SELECT state, rows_read AS rowsRead, rows_taken AS rowsTaken, rows_changed AS rowsChanged, estimated_rows AS estimatedRows, error, not_rebuilt AS notRebuilt FROM requests WHERE id = ?';
    const row = this.#guard(() => this.#db.prepare(sql).get(id)) as
      | (Omit<RequestState, 'notRebuilt'> & { notRebuilt: string | null })
      | undefined;
    if (row === undefined) return null;
    const { notRebuilt, ...state } = row;
    return notRebuilt === null ? state : { ...state, notRebuilt: JSON.parse(notRebuilt) as NotRebuilt[] };
  }

  update(id: string, change: Partial<RequestState>): void {
    const state = this.stateOf(id);
    if (state === null) return;
    const next = { ...state, ...change };
    const sql =
      'UPDATE requests SET state = @state, rows_read = @rowsRead, rows_taken = @rowsTaken, rows_changed = @rowsChanged, estimated_rows = @estimatedRows, error = @error, not_rebuilt = @notRebuilt WHERE id = @id';
    const notRebuilt = next.notRebuilt === undefined ? null : JSON.stringify(next.notRebuilt);
    this.#guard(() => this.#db.prepare(sql).run({ ...next, notRebuilt, id }));
  }

  close(): void {
    this.#db.close();
  }

  #find(condition: string, ...values: string[]): BackfillRequest | null {
    const sql = `SELECT id, reason, since, until, resend, changed FROM requests WHERE ${condition} ORDER BY seq LIMIT 1`;
    const row = this.#guard(() => this.#db.prepare(sql).get(...values)) as
      | (Omit<BackfillRequest, 'resend'> & { resend: string })
      | undefined;
    return row === undefined ? null : { ...row, resend: JSON.parse(row.resend) as LostTrajectory[] };
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw explainSqlite(error, what, this.#path);
    }
  }
}
