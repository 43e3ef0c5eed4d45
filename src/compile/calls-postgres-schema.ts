/** The call store's schema in Postgres: made by whichever worker comes first, or by an owner beforehand. */
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { exitCodes, stop } from '../errors.ts';

/** Steps are only ever appended; `store.version` counts those applied. */
const migrations: readonly string[] = [
  `CREATE TABLE trajectory_compiler.store (id text NOT NULL, version integer NOT NULL);
   CREATE TABLE trajectory_compiler.calls (
     id text PRIMARY KEY,
     ordinal bigint GENERATED ALWAYS AS IDENTITY,
     segment_id text NOT NULL,
     settled boolean NOT NULL DEFAULT false,
     call text NOT NULL
   );
   CREATE INDEX calls_unsettled ON trajectory_compiler.calls (segment_id, ordinal) WHERE NOT settled;
   CREATE TABLE trajectory_compiler.answers (
     key text PRIMARY KEY,
     call_id text NOT NULL REFERENCES trajectory_compiler.calls (id),
     reply text NOT NULL
   );
   CREATE TABLE trajectory_compiler.segments (
     key text PRIMARY KEY,
     session_id text NOT NULL,
     fingerprint text NOT NULL,
     version text NOT NULL,
     result text NOT NULL
   );`,
];

/** Any number that no other program is likely to lock in the same database. Whoever makes the schema or tables in it holds it. */
export const creationLock = 7_236_114_905_512_803;

/**
 * Brings the schema up to date; workers that start at once wait for each other.
 *
 * @returns the store's id.
 * @throws OperatorError `calls_newer` where a newer version of this program made it; what the server says where the role
 * may not create it.
 */
export async function openSchema(client: pg.ClientBase): Promise<string> {
  // A role that may only use what is there needs no more rights.
  const store = await readStore(client);
  if (store?.version === migrations.length) return store.id;
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${creationLock})`);
    const id = await migrate(client);
    await client.query('COMMIT');
    return id;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function migrate(client: pg.ClientBase): Promise<string> {
  const { id, version } = (await readStore(client)) ?? { id: randomUUID(), version: 0 };
  if (version > migrations.length) {
    throw stop(
      'calls_newer',
      `the call store of calls.url was made by a newer version (schema ${version}, this one knows ${migrations.length}): upgrade trajectory-compiler on this host`,
      { exitCode: exitCodes.configuration },
    );
  }
  if (version === 0) await createSchema(client);
  for (const step of migrations.slice(version)) await client.query(step);
  if (version === 0) {
    await client.query('INSERT INTO trajectory_compiler.store VALUES ($1, $2)', [id, migrations.length]);
  } else {
    await client.query('UPDATE trajectory_compiler.store SET version = $1', [migrations.length]);
  }
  return id;
}

/** IF NOT EXISTS would ask for the right to create schemas although an owner has made this one. */
export async function createSchema(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query(`SELECT FROM pg_namespace WHERE nspname = 'trajectory_compiler'`);
  if (rows.length === 0) await client.query('CREATE SCHEMA trajectory_compiler');
}

async function readStore(client: pg.ClientBase): Promise<{ id: string; version: number } | null> {
  // Not to_regclass: it asks for rights on the schema, and says null without them.
  const { rows: found } = await client.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'trajectory_compiler' AND c.relname = 'store'`,
  );
  if (found.length === 0) return null;
  const { rows } = await client.query('SELECT id, version FROM trajectory_compiler.store');
  const [row] = rows as { id: string; version: string }[];
  return row === undefined ? null : { id: row.id, version: Number(row.version) };
}
