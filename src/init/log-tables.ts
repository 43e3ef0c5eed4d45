/** The tables of a database that may be an audit log, and what is read of one while the questions are asked. */
import type pg from 'pg';
import type { Columns } from '../postgres/audit-table.ts';
import { quoteIdent } from '../postgres/quote.ts';
import { type ColumnGuess, type FoundColumn, guessColumns, likeness } from './column-guess.ts';
import type { SessionRow } from './session-preview.ts';

export interface LogTable {
  /** As `postgres.table` takes it. */
  setting: string;
  sql: string;
  columns: FoundColumn[];
  guess: ColumnGuess;
  likeness: number;
  /** By the planner's statistics; null before the first ANALYZE. */
  rows: number | null;
}

const mostTables = 2000;

/** What can be tailed and may be read, the likeliest first. */
export async function findLogTables(client: pg.ClientBase): Promise<LogTable[]> {
  const { rows } = await client.query(
    `SELECT n.nspname AS schema, c.relname AS name,
            CASE WHEN c.relkind = 'p' THEN (SELECT sum(greatest(l.reltuples, 0)) FROM pg_partition_tree(c.oid) t
                                              JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf)
                 WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples END::bigint AS rows,
            (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                             'primaryKey', coalesce(k.indkey[0] = a.attnum, false)) ORDER BY a.attnum)
               FROM pg_attribute a LEFT JOIN pg_index k ON k.indrelid = c.oid AND k.indisprimary AND k.indnkeyatts = 1
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)::text AS columns
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
      ORDER BY c.oid LIMIT ${mostTables}`,
  );
  return rows
    .filter((row) => row.columns !== null)
    .map((row) => {
      const columns = JSON.parse(row.columns) as FoundColumn[];
      const guess = guessColumns(columns);
      const like = likeness(guess) + (/audit|log|event|call|step|turn|trace/i.test(row.name) ? 1 : 0);
      return {
        setting: tableSetting(row.schema, row.name),
        sql: `${quoteIdent(row.schema)}.${quoteIdent(row.name)}`,
        columns,
        guess,
        likeness: likeness(guess) === 0 ? 0 : like,
        rows: row.rows === null ? null : Number(row.rows),
      };
    })
    .toSorted((a, b) => b.likeness - a.likeness || a.setting.localeCompare(b.setting));
}

/** Quoted only where the name could be read otherwise. */
function tableSetting(schema: string, name: string): string {
  const part = (text: string) => (/[".\s]/.test(text) ? quoteIdent(text) : text);
  return `${part(schema)}.${part(name)}`;
}

const newestRows = 5000;

/**
 * The newest rows by key; null where there is no time column, none may be read, or it takes too long.
 *
 * @param columns each role's column, or null for none.
 */
export async function readNewestRows(
  client: pg.ClientBase,
  { sql }: Pick<LogTable, 'sql'>,
  { sessionId, key, time }: Pick<Record<keyof Columns, string | null>, 'sessionId' | 'key' | 'time'>,
): Promise<SessionRow[] | null> {
  if (sessionId === null || key === null || time === null) return null;
  const session = quoteIdent(sessionId);
  try {
    await client.query("SET statement_timeout = '3s'");
    const { rows } = await client.query(
      `SELECT ${session}::text AS session, extract(epoch FROM ${quoteIdent(time)}) * 1000 AS at
         FROM ${sql} WHERE ${session} IS NOT NULL AND ${quoteIdent(time)} IS NOT NULL
        ORDER BY ${quoteIdent(key)} DESC LIMIT ${newestRows}`,
    );
    return rows.map((row) => ({ session: row.session as string, at: Number(row.at) }));
  } catch {
    // Nothing depends on it: it only says what a setting would do.
    return null;
  }
}
