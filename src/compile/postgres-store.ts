/** What the stores in Postgres share: connections that are never trusted after a failure, and patience with a server that is away. */
import type pg from 'pg';
import { codeOf, kindOf, messageOf } from '../errors.ts';
import { backoffMs, pause } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { openPool } from '../postgres/connection.ts';
import { explainStore, refuseOtherUrls, type StoreWords } from './postgres-store-faults.ts';

export interface PostgresStoreOptions {
  url: string;
  log: Logger;
  /** How long what fails is tried again before the work goes back to its topic. */
  patienceMs?: number;
  /** Until it fires, a server that can't be reached is waited for without end: what waits has been paid for. */
  drain?: AbortSignal;
}

export interface PostgresStore {
  /** Once, without patience. @throws OperatorError as {@link explainStore} words it. */
  attempt<T>(doing: string, work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
  /** Again where the server failed: so `work` may run more than once, also after it took effect. */
  patiently<T>(doing: string, work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const maxConnections = 4;
const statementTimeoutMs = 30_000;
const backoff = { baseMs: 100, maxMs: 3_000 };

/** @throws OperatorError `…_url`. Connects to nothing yet. */
export function openPostgresStore(options: PostgresStoreOptions, words: StoreWords): PostgresStore {
  const { url, log, patienceMs = 15_000, drain } = options;
  refuseOtherUrls(url, words);
  const pool = openPool(url, { purpose: words.name, queryTimeoutMs: statementTimeoutMs }, maxConnections);
  let closed = false;
  let away = false;
  const isWaitedFor = (error: unknown) => codeOf(error) === `${words.code}_unreachable` && drain?.aborted === false;

  async function attempt<T>(doing: string, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    try {
      return await onConnection(pool, work);
    } catch (error) {
      throw explainStore(error, { url, doing, words });
    }
  }

  async function patiently<T>(doing: string, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    const deadline = performance.now() + patienceMs;
    for (let n = 1; ; n++) {
      try {
        const result = await attempt(doing, work);
        if (away) log.info(`the ${words.name} answers again`);
        away = false;
        return result;
      } catch (error) {
        const isOver = closed || (performance.now() >= deadline && !isWaitedFor(error));
        if (kindOf(error) !== 'retry' || isOver) throw error;
        // Once, however many wait.
        if (!away) log.warn({ code: codeOf(error) }, `${messageOf(error)}; tried again until it answers`);
        away = true;
        await pause(backoffMs(n, backoff));
      }
    }
  }

  return {
    attempt,
    patiently,
    close: async () => {
      closed = true;
      await pool.end();
    },
  };
}

/** A connection on which anything failed is not used again: nobody knows what it is in the middle of. */
async function onConnection<T>(pool: pg.Pool, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    const result = await work(client);
    client.release();
    return result;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/** One transaction, on disk when this resolves, whatever the role or the database have for a default. */
export async function durably<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on');
  const result = await work();
  await client.query('COMMIT');
  return result;
}
