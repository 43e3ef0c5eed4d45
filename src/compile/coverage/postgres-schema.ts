/** Coverage's tables in the schema of the call store: made by whichever worker comes first. */
import type pg from 'pg';
import { exitCodes, stop } from '../../errors.ts';
import { createSchema, creationLock } from '../calls-postgres-schema.ts';

/** Steps are only ever appended; `coverage_version` counts those applied. */
const migrations: readonly string[] = [
  `CREATE TABLE trajectory_compiler.coverage_version (version integer NOT NULL);
   INSERT INTO trajectory_compiler.coverage_version VALUES (0);
   CREATE TABLE trajectory_compiler.coverage_decisions (
     key text PRIMARY KEY,
     admitted boolean NOT NULL,
     why text NOT NULL
   );
   CREATE TABLE trajectory_compiler.coverage_shapes (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     size integer NOT NULL,
     passed_over integer NOT NULL DEFAULT 0,
     first_at bigint NOT NULL,
     last_at bigint NOT NULL
   );
   CREATE TABLE trajectory_compiler.coverage_shingles (
     shingle text NOT NULL,
     shape bigint NOT NULL,
     PRIMARY KEY (shingle, shape)
   );
   CREATE TABLE trajectory_compiler.coverage_compiled (name text NOT NULL, at bigint NOT NULL);
   CREATE INDEX coverage_compiled_by_name ON trajectory_compiler.coverage_compiled (name, at);
   CREATE TABLE trajectory_compiler.coverage_tools (name text PRIMARY KEY);`,
];

/**
 * Brings the tables up to date; workers that start at once wait for each other.
 *
 * @throws OperatorError `coverage_newer` where a newer version of this program made them; what the server says where the
 * role may not create them.
 */
export async function openCoverageSchema(client: pg.ClientBase): Promise<void> {
  // A role that may only use what is there needs no more rights.
  if ((await readVersion(client)) === migrations.length) return;
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  await client.query('SELECT pg_advisory_xact_lock($1)', [creationLock]);
  const version = await readVersion(client);
  if (version > migrations.length) {
    throw stop(
      'coverage_newer',
      `the coverage tables of calls.url were made by a newer version (schema ${version}, this one knows ${migrations.length}): upgrade trajectory-compiler on this host`,
      { exitCode: exitCodes.configuration },
    );
  }
  if (version === 0) await createSchema(client);
  for (const step of migrations.slice(version)) await client.query(step);
  await client.query('UPDATE trajectory_compiler.coverage_version SET version = $1', [migrations.length]);
  await client.query('COMMIT');
}

/** 0 where there is none. Not by to_regclass: it asks for rights on the schema, and says null without them. */
async function readVersion(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'trajectory_compiler' AND c.relname = 'coverage_version'`,
  );
  if (rows.length === 0) return 0;
  const versions = await client.query<{ version: number }>('SELECT version FROM trajectory_compiler.coverage_version');
  return Number(versions.rows[0]?.version ?? 0);
}
