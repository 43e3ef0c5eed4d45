/** The mirror over a connection to its database: nothing is written, rights are asked for. */
import type pg from 'pg';
import type { Checklist } from '../checks.ts';
import { tableNames } from '../dataset-tables.ts';
import { exitCodes, stop } from '../errors.ts';
import { explainMirror, openMirrorPool } from '../sinks/supabase/connection.ts';
import { requireMigrations } from '../sinks/supabase/direct.ts';
import { mirrorVersion } from '../sinks/supabase/mirror.ts';

export interface DirectMirror {
  url: string;
  schema: string;
}

const queryTimeoutMs = 8_000;

export async function examineDirectMirror(list: Checklist, { url, schema }: DirectMirror): Promise<void> {
  const open = () => openMirrorPool(url, { purpose: 'doctor', max: 1, queryTimeoutMs });
  const pool = await list.attempt('sink_url', open);
  if (pool === null) return;
  const look = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw explainMirror(error, url, schema, 'look at the mirror');
    }
  };
  try {
    const migrated = await list.attempt(
      'sink_migrated',
      () => look(async () => (await requireMigrations(pool, schema)) ?? true),
      () => `the tables in schema ${schema} of the mirror are of version ${mirrorVersion} or later`,
    );
    if (migrated === null) return;
    await list.attempt(
      'sink_writable',
      () => look(() => refuseWithoutRights(pool, schema)),
      (role) => `role ${role} may write all ${tableNames.length} tables`,
    );
  } finally {
    await pool.end();
  }
}

interface Rights {
  role: string;
  /** Tables that lack a right, or that row level security closes: each with what is missing. */
  missing: { table: string; what: string }[];
  standby: boolean;
}

/** @returns the role. */
async function refuseWithoutRights(pool: pg.Pool, schema: string): Promise<string> {
  const { rows } = await pool.query<{ found: string }>(
    `SELECT json_build_object(
       'role', current_user,
       'standby', pg_is_in_recovery(),
       'missing', (SELECT coalesce(json_agg(json_build_object('table', c.relname, 'what', w.what)), '[]')
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
         LATERAL (SELECT unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS what) w
         WHERE n.nspname = $1 AND c.relname = ANY ($2)
           AND (NOT has_table_privilege(c.oid, w.what)
             OR row_security_active(c.oid) AND NOT EXISTS (SELECT FROM pg_policy p
                  WHERE p.polrelid = c.oid AND p.polpermissive
                    AND p.polcmd IN ('*', CASE w.what WHEN 'SELECT' THEN 'r' WHEN 'INSERT' THEN 'a' ELSE 'w' END::"char")
                    AND EXISTS (SELECT FROM unnest(p.polroles) AS r
                      WHERE CASE r WHEN 0 THEN true ELSE pg_has_role(r, 'MEMBER') END)))))::text AS found`,
    [schema, [...tableNames]],
  );
  const { role, missing, standby } = JSON.parse(rows[0]!.found) as Rights;
  if (standby) {
    throw stop('sink_standby', 'the mirror is a standby, which can not be written: name its primary', {
      exitCode: exitCodes.configuration,
    });
  }
  if (missing.length === 0) return role;
  const named = missing.map(({ table, what }) => `${what} on ${table}`).join(', ');
  throw stop(
    'sink_permission',
    `role ${role} lacks ${named}, or a policy that allows it: grant it (deploy/supabase/role.sql), or name another role in supabase.databaseUrl`,
    { exitCode: exitCodes.configuration },
  );
}
