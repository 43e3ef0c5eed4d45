/** What compile workers of several hosts share in Postgres: reached, up to date, and writable, as far as reading tells. */
import type pg from 'pg';
import type { Check, Checklist } from '../checks.ts';
import { usdOf } from '../compile/budget/limits.ts';
import { budgetWords } from '../compile/budget/postgres.ts';
import { openLedgerSchema, tables } from '../compile/budget/postgres-schema.ts';
import { callStoreWords } from '../compile/calls-postgres-faults.ts';
import { openSchema } from '../compile/calls-postgres-schema.ts';
import { openCoverageSchema } from '../compile/coverage/postgres-schema.ts';
import { openPostgresStore, type PostgresStore } from '../compile/postgres-store.ts';
import type { StoreWords } from '../compile/postgres-store-faults.ts';
import { openPlaceholderSchema } from '../compile/redact/placeholders-postgres.ts';
import type { Config } from '../config.ts';
import { exitCodes, stop } from '../errors.ts';
import { createLogger } from '../log.ts';
import { sqlState } from '../postgres/connection.ts';
import { asksModels } from './settings.ts';
import { budgetCheck } from './spending.ts';

type Opener = (client: pg.ClientBase) => Promise<unknown>;

export async function examineStores(list: Checklist, config: Config): Promise<void> {
  const { 'calls.url': calls, 'budget.url': budget } = config;
  if (calls !== null) {
    const openers: Opener[] = [openSchema, ...(config['redact.mode'] === 'on' ? [openPlaceholderSchema] : [])];
    if (asksModels(config)) openers.push(openCoverageSchema);
    await examineStore(list, calls, callStoreWords, openers);
  }
  const spending = budget ?? calls;
  if (spending === null || !asksModels(config)) return;
  await examineStore(list, spending, budgetWords, [openLedgerSchema], (store) => spentCheck(store, config));
}

async function examineStore(
  list: Checklist,
  url: string,
  words: StoreWords,
  openers: readonly Opener[],
  more: (store: PostgresStore) => Promise<Check | null> = async () => null,
): Promise<void> {
  const open = () => openPostgresStore({ url, log: createLogger('silent') }, words);
  const store = await list.attempt(`${words.code}_store`, open);
  if (store === null) return;
  try {
    const look = () => store.attempt('look at', (client) => lookAt(client, words, openers));
    await list.attempt(`${words.code}_store`, look, (state) => `the ${words.name} of ${words.setting} ${state}`);
    list.add(await list.attempt(`${words.code}_store`, () => more(store)));
  } finally {
    await store.close();
  }
}

/** What opens a store makes what is missing: in a transaction that may only read, it says that it would. */
async function lookAt(client: pg.ClientBase, words: StoreWords, openers: readonly Opener[]): Promise<string> {
  await refuseStandby(client, words);
  let complete = true;
  for (const open of openers) complete = (await isComplete(client, open)) && complete;
  await refuseWithoutRights(client, words, complete);
  return complete ? 'is there, and may be written' : 'is not complete: the first start makes what is missing';
}

async function isComplete(client: pg.ClientBase, open: Opener): Promise<boolean> {
  await client.query('BEGIN TRANSACTION READ ONLY');
  try {
    await open(client);
    return true;
  } catch (error) {
    if (sqlState(error) === readOnly) return false;
    throw error;
  } finally {
    await client.query('ROLLBACK');
  }
}

const readOnly = '25006';

async function refuseStandby(client: pg.ClientBase, { code, setting }: StoreWords): Promise<void> {
  const { rows } = await client.query('SELECT pg_is_in_recovery() AS standby');
  if (!isTrue((rows as { standby: string | boolean }[])[0]!.standby)) return;
  throw stop(`${code}_standby`, `${setting} names a standby, which can't be written: give the primary`, {
    exitCode: exitCodes.configuration,
  });
}

/** @throws as the server would, at the first statement that needs what is missing. */
async function refuseWithoutRights(client: pg.ClientBase, { rights }: StoreWords, complete: boolean): Promise<void> {
  const { rows } = await client.query(
    `SELECT (SELECT string_agg(c.relname, ', ') FROM pg_class c, unnest($1::text[]) AS wanted
              WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND NOT has_table_privilege(c.oid, wanted)) AS closed,
            has_schema_privilege(n.oid, 'CREATE') AS may_create
       FROM pg_namespace n WHERE n.nspname = 'trajectory_compiler'`,
    [rights.split(', ')],
  );
  const [schema] = rows as { closed: string | null; may_create: string | boolean }[];
  if (schema?.closed) throw denied(`permission denied for table ${schema.closed}`);
  if (schema !== undefined && !complete && !isTrue(schema.may_create)) throw denied('permission denied for schema');
  if (schema !== undefined) return;
  const created = await client.query(`SELECT has_database_privilege(current_database(), 'CREATE') AS may_create`);
  const [database] = created.rows as { may_create: string | boolean }[];
  if (!isTrue(database!.may_create)) throw denied('permission denied to create schema trajectory_compiler');
}

const isTrue = (value: string | boolean) => value === true || value === 't';

function denied(message: string): Error {
  return Object.assign(new Error(message), { code: '42501' });
}

async function spentCheck(store: PostgresStore, config: Config): Promise<Check | null> {
  const spent = await store.attempt('read', async (client) => {
    const { rows: found } = await client.query(`SELECT to_regclass($1)::text AS name`, [tables.periods]);
    if ((found as { name: string | null }[])[0]?.name === null) return null;
    const { rows } = await client.query(
      `SELECT scope, spent FROM ${tables.periods}
        WHERE (scope, period) IN (('day', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')),
                                  ('month', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')))`,
    );
    return rows as { scope: 'day' | 'month'; spent: string }[];
  });
  if (spent === null) return null;
  const of = (scope: 'day' | 'month') => usdOf(Number(spent.find((row) => row.scope === scope)?.spent ?? 0));
  return budgetCheck({ day: of('day'), month: of('month') }, config);
}
