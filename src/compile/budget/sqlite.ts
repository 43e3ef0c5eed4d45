/** The ledger of the processes of one machine: `budget.sqlite` in the data directory. */
import { explainSqlite, openSqlite, type SqliteDatabase } from '../../sqlite.ts';
import type { LedgerTransaction } from './accounts.ts';
import type { Budget } from './budget.ts';
import { Ledger, type LedgerOptions, type LedgerStore } from './ledger.ts';
import { ledgerMigrations, tablesOf } from './ledger-schema.ts';
import { reservingFrom } from './reserving.ts';

export interface BudgetOptions extends LedgerOptions {
  path: string;
  now?: () => Date;
}

const what = 'budget';
const tables = tablesOf('');

/** @throws OperatorError as {@link openSqlite} does. */
export function openBudget({ path, now = () => new Date(), ...options }: BudgetOptions): Budget {
  const db = openSqlite(path, { what, migrations: ledgerMigrations(tables) });
  return reservingFrom(new Ledger(new SqliteStore(db, path, now), options));
}

class SqliteStore implements LedgerStore {
  readonly tables = tables;
  readonly #db: SqliteDatabase;
  readonly #path: string;
  readonly #now: () => Date;
  /** One connection, one transaction: the next begins when this has ended. */
  #latest: Promise<unknown> = Promise.resolve();

  constructor(db: SqliteDatabase, path: string, now: () => Date) {
    this.#db = db;
    this.#path = path;
    this.#now = now;
  }

  transaction<T>(_doing: string, work: (tx: LedgerTransaction) => Promise<T>): Promise<T> {
    const run = this.#latest.then(() => this.#run(work));
    this.#latest = run.catch(() => {});
    return run;
  }

  async #run<T>(work: (tx: LedgerTransaction) => Promise<T>): Promise<T> {
    try {
      // Immediate: no other process may come between the reading and the writing.
      this.#db.exec('BEGIN IMMEDIATE');
      const result = await work({ now: this.#now(), query: async (sql, values = []) => this.#query(sql, values) });
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      throw explainSqlite(error, what, this.#path);
    }
  }

  #query(sql: string, values: readonly (string | number | null)[]) {
    const statement = this.#db.prepare<Record<string, string | number | null>>(sql);
    const named = Object.fromEntries(values.map((value, at) => [String(at + 1), value]));
    if (statement.reader) return statement.all(named) as Record<string, unknown>[];
    statement.run(named);
    return [];
  }

  async close(): Promise<void> {
    await this.#latest;
    this.#db.close();
  }
}
