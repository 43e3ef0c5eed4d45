/** The ledger of a budget, the call store and the dataset, looked into from outside. */
import { join } from 'node:path';
import { countIn } from '../../test/e2e/pipe.ts';
import { queryOn } from '../../test/support/postgres.ts';

export interface Books {
  /** US dollars that the ledger has for spent. */
  spentUsd(): Promise<number>;
  /** Calls that are reserved for by processes that live. */
  inFlight(): Promise<number>;
  /** Trajectories that were refused and not let through since. */
  refused(): Promise<number>;
  /** US dollars of the recorded calls whose cost is known. */
  recordedUsd(): number;
  /** Calls that gave an answer, and prompts that were answered. */
  answers(): { calls: number; prompts: number };
  /** Trajectories in the dataset. */
  compiled(): number;
}

export function openBooks(dataDir: string, postgresUrl: string | null): Books {
  const ledger = async (sql: (prefix: string) => string): Promise<number> => {
    if (postgresUrl === null) return countIn(join(dataDir, 'budget.sqlite'), sql(''));
    const [row] = await queryOn(postgresUrl, sql('trajectory_compiler.budget_')).catch(() => []);
    return Number(Object.values(row ?? {})[0] ?? 0);
  };
  const calls = (sql: string) => countIn(join(dataDir, 'calls.sqlite'), sql);
  return {
    spentUsd: async () =>
      (await ledger((budget) => `SELECT max(spent) FROM ${budget}periods WHERE scope = 'month'`)) / 1e9 +
      (await ledger((budget) => `SELECT sum(amount) FROM ${budget}reservations`)) / 1e9,
    inFlight: () => ledger((budget) => `SELECT count(*) FROM ${budget}reservations WHERE alive_until > ${Date.now()}`),
    refused: () => ledger((budget) => `SELECT count(*) FROM ${budget}refused`),
    recordedUsd: () => calls(`SELECT sum(call ->> '$.costUsd') FROM calls`),
    answers: () => ({
      calls: calls(`SELECT count(*) FROM calls WHERE call ->> '$.outcome' = 'ok'`),
      prompts: calls('SELECT count(*) FROM answers'),
    }),
    compiled: () => countIn(join(dataDir, 'qa_pairs.sqlite'), 'SELECT count(*) FROM trajectories'),
  };
}
