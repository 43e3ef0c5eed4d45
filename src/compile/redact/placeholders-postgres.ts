/** Numbers of placeholders that workers of several hosts share, beside their call store. */
import type pg from 'pg';
import { exitCodes, stop } from '../../errors.ts';
import { callStoreWords } from '../calls-postgres-faults.ts';
import { digestOf } from '../digest.ts';
import { durably, openPostgresStore, type PostgresStoreOptions } from '../postgres-store.ts';
import type { StoreWords } from '../postgres-store-faults.ts';
import type { Kind } from './kinds.ts';
import type { NamedValue, Numbered, PlaceholderStore, SealedValue, SessionName } from './placeholder-store.ts';

/** It lives beside the call store, under the same setting. */
const words: StoreWords = {
  ...callStoreWords,
  name: 'placeholder store',
  loss: 'placeholders are then numbered anew',
};

/** Steps are only ever appended; `placeholder_store.version` counts those applied. */
const migrations: readonly string[] = [
  `CREATE TABLE trajectory_compiler.placeholder_store (version integer NOT NULL);
   CREATE TABLE trajectory_compiler.placeholder_sessions (
     key text PRIMARY KEY,
     id_digest text NOT NULL,
     source text NOT NULL
   );
   CREATE INDEX placeholder_sessions_by_id ON trajectory_compiler.placeholder_sessions (id_digest);
   CREATE TABLE trajectory_compiler.placeholders (
     session text NOT NULL REFERENCES trajectory_compiler.placeholder_sessions (key),
     kind text NOT NULL,
     number integer NOT NULL,
     hash text NOT NULL,
     sealed bytea,
     PRIMARY KEY (session, hash),
     UNIQUE (session, kind, number)
   );`,
];

/** That of the call store: either may be the one that makes the schema. */
const creationLock = 7_236_114_905_512_803;

/**
 * Opens the store, and makes its tables in the schema `trajectory_compiler` where they are missing.
 *
 * @throws OperatorError as the call store does: `calls_url`, `calls_auth`, `calls_database`, `calls_permission`,
 * `calls_tls`, `calls_newer`: stop; `calls_unreachable`, `calls_failed`: retry.
 */
export async function openPostgresPlaceholderStore(options: PostgresStoreOptions): Promise<PlaceholderStore> {
  const { attempt, patiently, close } = openPostgresStore(options, words);
  try {
    await attempt('open', openPlaceholderSchema);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    number: (session, values) => patiently('write', (client) => number(client, session, values)),
    sealed: (session) => patiently('read the vault in', (client) => readSealed(client, session)),
    sources: (sessionId) => patiently('read the vault in', (client) => readSources(client, sessionId)),
    close,
  };
}

/** Brings the tables up to date. @throws OperatorError `calls_newer`; what the server says where the role may not create them. */
export async function openPlaceholderSchema(client: pg.ClientBase): Promise<void> {
  // A role that may only use what is there needs no more rights.
  if ((await readVersion(client)) === migrations.length) return;
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  await client.query(`SELECT pg_advisory_xact_lock(${creationLock})`);
  const version = (await readVersion(client)) ?? 0;
  if (version > migrations.length) {
    throw stop(
      'calls_newer',
      `the placeholders in calls.url were made by a newer version (schema ${version}, this one knows ${migrations.length}): upgrade trajectory-compiler on this host`,
      { exitCode: exitCodes.configuration },
    );
  }
  // IF NOT EXISTS would ask for the right to create schemas although an owner has made this one.
  const { rows } = await client.query(`SELECT FROM pg_namespace WHERE nspname = 'trajectory_compiler'`);
  if (rows.length === 0) await client.query('CREATE SCHEMA trajectory_compiler');
  for (const step of migrations.slice(version)) await client.query(step);
  await client.query(
    version === 0
      ? 'INSERT INTO trajectory_compiler.placeholder_store VALUES ($1)'
      : 'UPDATE trajectory_compiler.placeholder_store SET version = $1',
    [migrations.length],
  );
  await client.query('COMMIT');
}

async function readVersion(client: pg.ClientBase): Promise<number | null> {
  // Not to_regclass: it asks for rights on the schema, and says null without them.
  const { rows: found } = await client.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'trajectory_compiler' AND c.relname = 'placeholder_store'`,
  );
  if (found.length === 0) return null;
  const { rows } = await client.query('SELECT version FROM trajectory_compiler.placeholder_store');
  const [row] = rows as { version: string }[];
  return row === undefined ? null : Number(row.version);
}

interface Row {
  hash: string;
  kind: Kind;
  number: string;
  /** Hexadecimal, as the server writes bytes. */
  sealed: string | null;
}

async function number(client: pg.ClientBase, session: SessionName, values: readonly NamedValue[]): Promise<Numbered[]> {
  if (values.length === 0) return [];
  const key = keyOf(session);
  const known = await readValues(client, key, values);
  if (values.some((value) => isNews(known.get(value.hash), value))) {
    await durably(client, async () => {
      await client.query(
        'INSERT INTO trajectory_compiler.placeholder_sessions VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING',
        [key, digestOf(session.sessionId), session.source],
      );
      // Whoever numbers values of this session waits here, and finds ours.
      await client.query('SELECT FROM trajectory_compiler.placeholder_sessions WHERE key = $1 FOR UPDATE', [key]);
      await addValues(client, key, values, known);
    });
  }
  return values.map(({ hash }) => {
    const { kind, number } = known.get(hash)!;
    return { kind, number: Number(number) };
  });
}

/** Adds what is new to the tables and to `known`. */
async function addValues(
  client: pg.ClientBase,
  key: string,
  values: readonly NamedValue[],
  known: Map<string, Row>,
): Promise<void> {
  for (const [hash, row] of await readValues(client, key, values)) known.set(hash, row);
  const { rows } = await client.query(
    'SELECT kind, max(number) AS number FROM trajectory_compiler.placeholders WHERE session = $1 GROUP BY kind',
    [key],
  );
  const highest = new Map((rows as Pick<Row, 'kind' | 'number'>[]).map(({ kind, number }) => [kind, Number(number)]));
  const added = new Map<string, NamedValue & { number: number }>();
  for (const value of values) {
    if (known.has(value.hash)) continue;
    const next = (highest.get(value.kind) ?? 0) + 1;
    highest.set(value.kind, next);
    added.set(value.hash, { ...value, number: next });
    known.set(value.hash, { hash: value.hash, kind: value.kind, number: String(next), sealed: null });
  }
  const all = [...added.values()];
  await client.query(
    `INSERT INTO trajectory_compiler.placeholders (session, kind, number, hash, sealed)
     SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::text[], $5::bytea[])`,
    [key, all.map((it) => it.kind), all.map((it) => it.number), all.map((it) => it.hash), all.map(sealOf)],
  );
  const late = values.filter(({ hash, sealed }) => sealed !== null && !added.has(hash));
  await client.query(
    `UPDATE trajectory_compiler.placeholders p SET sealed = v.sealed
       FROM unnest($2::text[], $3::text[], $4::bytea[]) AS v (hash, kind, sealed)
      WHERE p.session = $1 AND p.hash = v.hash AND p.kind = v.kind AND p.sealed IS NULL`,
    [key, late.map((it) => it.hash), late.map((it) => it.kind), late.map(sealOf)],
  );
}

/** An array of bytes travels as text. */
const sealOf = ({ sealed }: NamedValue) => (sealed === null ? null : `\\x${sealed.toString('hex')}`);

async function readValues(
  client: pg.ClientBase,
  key: string,
  values: readonly NamedValue[],
): Promise<Map<string, Row>> {
  const { rows } = await client.query(
    'SELECT hash, kind, number, sealed FROM trajectory_compiler.placeholders WHERE session = $1 AND hash = ANY($2)',
    [key, values.map(({ hash }) => hash)],
  );
  return new Map((rows as Row[]).map((row) => [row.hash, row]));
}

/** A vault that was set up later takes in what comes by again. */
function isNews(row: Row | undefined, { kind, sealed }: NamedValue): boolean {
  return row === undefined || (sealed !== null && row.sealed === null && row.kind === kind);
}

async function readSealed(client: pg.ClientBase, session: SessionName): Promise<SealedValue[]> {
  const { rows } = await client.query(
    `SELECT hash, kind, number, sealed FROM trajectory_compiler.placeholders
      WHERE session = $1 AND sealed IS NOT NULL ORDER BY kind, number`,
    [keyOf(session)],
  );
  return (rows as Row[]).map(({ hash, kind, number, sealed }) => {
    return { hash, kind, number: Number(number), sealed: Buffer.from(sealed!.slice(2), 'hex') };
  });
}

async function readSources(client: pg.ClientBase, sessionId: string): Promise<string[]> {
  const { rows } = await client.query(
    'SELECT source FROM trajectory_compiler.placeholder_sessions WHERE id_digest = $1 ORDER BY source COLLATE "C"',
    [digestOf(sessionId)],
  );
  return (rows as { source: string }[]).map(({ source }) => source);
}

/** Session ids have no limit in length, what an index holds has one. */
function keyOf({ source, sessionId }: SessionName): string {
  return digestOf(source, sessionId);
}
