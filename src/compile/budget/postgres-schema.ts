/** The ledger's tables in Postgres: made by whichever worker comes first, or by an owner beforehand. */
import type pg from 'pg';
import { exitCodes, stop } from '../../errors.ts';
import { createSchema, creationLock } from '../calls-postgres-schema.ts';
import { ledgerMigrations, tablesOf } from './ledger-schema.ts';

/** Beside the call store, where both are in one database. */
export const tables = tablesOf('trajectory_compiler.budget_');

/** `budget_version` counts those applied. */
const migrations = [
  'CREATE TABLE trajectory_compiler.budget_version (version integer NOT NULL); INSERT INTO trajectory_compiler.budget_version VALUES (0)',
  ...ledgerMigrations(tables),
];

/**
 * Brings the tables up to date; workers that start at once wait for each other.
 *
 * @throws OperatorError `budget_newer` where a newer version of this program made them; what the server says where the
 * role may not create them.
 */
export async function openLedgerSchema(client: pg.ClientBase): Promise<void> {
  // A role that may only use what is there needs no more rights.
  if ((await readVersion(client)) === migrations.length) return;
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  await client.query('SELECT pg_advisory_xact_lock($1)', [creationLock]);
  const version = await readVersion(client);
  if (version > migrations.length) {
    throw stop(
      'budget_newer',
      `the tables of budget.url were made by a newer version (schema ${version}, this one knows ${migrations.length}): upgrade trajectory-compiler on this host`,
      { exitCode: exitCodes.configuration },
    );
  }
  if (version === 0) await createSchema(client);
  for (const step of migrations.slice(version)) await client.query(step);
  await client.query('UPDATE trajectory_compiler.budget_version SET version = $1', [migrations.length]);
  await client.query('COMMIT');
}

async function readVersion(client: pg.ClientBase): Promise<number> {
  // Not to_regclass: it asks for rights on the schema, and says null without them.
  const { rows: found } = await client.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'trajectory_compiler' AND c.relname = 'budget_version'`,
  );
  if (found.length === 0) return 0;
  const { rows } = await client.query('SELECT version FROM trajectory_compiler.budget_version');
  return Number((rows as { version: string }[])[0]?.version);
}
