/** The ledger of the workers of several hosts. The clock is the server's, so that all of them have the same day. */
import type pg from 'pg';
import { durably, openPostgresStore, type PostgresStoreOptions } from '../postgres-store.ts';
import type { StoreWords } from '../postgres-store-faults.ts';
import type { LedgerRow, Steps } from './accounts.ts';
import type { Budget } from './budget.ts';
import { Ledger, type LedgerOptions } from './ledger.ts';
import { openLedgerSchema, tables } from './postgres-schema.ts';
import { reservingFrom } from './reserving.ts';

export const budgetWords: StoreWords = {
  name: 'budget',
  code: 'budget',
  setting: 'budget.url (TC_BUDGET_URL; by default calls.url)',
  rights: 'SELECT, INSERT, UPDATE, DELETE',
  loss: 'what was spent so far is then not counted',
};

export interface PostgresBudgetOptions extends PostgresStoreOptions, LedgerOptions {
  /** In place of the server's clock. */
  now?: () => Date;
}

/**
 * Opens the ledger, and makes its tables in the schema `trajectory_compiler` where they are missing.
 *
 * @throws OperatorError `budget_url`, `budget_auth`, `budget_database`, `budget_permission` (with the statements that
 * grant what is missing), `budget_tls`, `budget_newer`: stop; `budget_unreachable`, `budget_failed`: retry. So does what
 * reserves and settles, once its patience is over.
 */
export async function openPostgresBudget(options: PostgresBudgetOptions): Promise<Budget> {
  const { limits, onWarning, leaseMs, now, ...connecting } = options;
  const { attempt, patiently, close } = openPostgresStore(connecting, budgetWords);
  const taking =
    <T>(steps: (now: Date) => Steps<T>) =>
    (client: pg.ClientBase) =>
      durably(client, async () => await take(client, steps(now?.() ?? (await readClock(client)))));
  try {
    await attempt('open', openLedgerSchema);
  } catch (error) {
    await close();
    throw error;
  }
  const ledger = new Ledger(
    {
      tables,
      transaction: (doing, steps) => patiently(doing, taking(steps)),
      glance: (doing, steps) => attempt(doing, taking(steps)),
      close,
    },
    { limits, ...(onWarning && { onWarning }), ...(leaseMs !== undefined && { leaseMs }) },
  );
  return reservingFrom(ledger);
}

async function take<T>(client: pg.ClientBase, steps: Steps<T>): Promise<T> {
  let step = steps.next([]);
  while (!step.done) {
    const { sql, values } = step.value;
    const { rows } = await client.query(sql, [...values]);
    step = steps.next(rows as LedgerRow[]);
  }
  return step.value;
}

async function readClock(client: pg.ClientBase): Promise<Date> {
  const { rows } = await client.query('SELECT floor(extract(epoch FROM clock_timestamp()) * 1000) AS ms');
  return new Date(Number((rows as { ms: string }[])[0]?.ms));
}
