/** The ledger of the processes of one machine: `budget.sqlite` in the data directory. */
import { explainSqlite, openSqlite, type SqliteDatabase } from '../../sqlite.ts';
import type { LedgerRow, Statement, Steps } from './accounts.ts';
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

  constructor(db: SqliteDatabase, path: string, now: () => Date) {
    this.#db = db;
    this.#path = path;
    this.#now = now;
  }

  async transaction<T>(_doing: string, steps: (now: Date) => Steps<T>): Promise<T> {
    // Immediate: no other process may come between the reading and the writing.
    return this.#explained(() => this.#db.transaction(() => this.#take(steps(this.#now()))).immediate());
  }

  async glance<T>(_doing: string, steps: (now: Date) => Steps<T>): Promise<T> {
    // Deferred: who only reads waits for nobody who writes.
    return this.#explained(() => this.#db.transaction(() => this.#take(steps(this.#now()))).deferred());
  }

  #explained<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw explainSqlite(error, what, this.#path);
    }
  }

  #take<T>(steps: Steps<T>): T {
    let step = steps.next([]);
    while (!step.done) step = steps.next(this.#query(step.value));
    return step.value;
  }

  #query({ sql, values }: Statement): LedgerRow[] {
    const statement = this.#db.prepare(sql);
    const named = Object.fromEntries(values.map((value, at) => [String(at + 1), value]));
    if (statement.reader) return statement.all(named) as LedgerRow[];
    statement.run(named);
    return [];
  }

  async close(): Promise<void> {
    this.#db.close();
  }
}
