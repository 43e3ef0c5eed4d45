/** The audit log's table: which column is what, whether it can be tailed, and how its text becomes a turn. */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import { exitCodes, type OperatorError, stop } from '../errors.ts';
import type { Micros, Position, Turn } from '../records.ts';
import { parseTableName, quoteIdent, type TableName } from './quote.ts';

/** The names of the columns that make a turn. */
export interface Columns {
  sessionId: string;
  agent: string;
  tool: string;
  arguments: string;
  response: string;
  cost: string;
  duration: string;
  time: string;
  key: string;
}

/** What an operator set: only what differs from {@link defaultColumns}. `metadata` columns go along by name. */
export type ColumnSettings = { [Role in keyof Columns]?: string | undefined } & { metadata?: string[] | undefined };

export const defaultColumns: Columns = {
  sessionId: 'session_id',
  agent: 'agent',
  tool: 'tool',
  arguments: 'arguments',
  response: 'response',
  cost: 'cost_usd',
  duration: 'duration_ms',
  time: 'created_at',
  key: 'id',
};

const roles = Object.keys(defaultColumns) as (keyof Columns)[];
const required = new Set<keyof Columns>(['sessionId', 'key']);

/** Rows in which `column` reads `equals` are left out and counted. */
export interface ExcludeRule {
  column: string;
  equals: string;
}

export interface AuditTable extends TableName {
  oid: number;
  /** `"public"."audit_log"`. */
  sql: string;
  partitioned: boolean;
  /** The table's columns in order. */
  columns: { name: string; type: string }[];
  mapping: Mapping;
}

/** Where each part of a turn stands among {@link Mapping.names}; -1 where the table has no such column. */
export interface Mapping {
  /** The columns that are read, each once. */
  names: string[];
  at: Record<keyof Columns, number>;
  metadata: { name: string; at: number }[];
  exclude: { at: number; equals: string }[];
}

/** A row's text, in the order of {@link Mapping.names}. */
export type RowText = (string | null)[];

/** What the settings say of the table. */
export interface TableSettings {
  table: string;
  columns?: ColumnSettings | undefined;
  exclude?: ExcludeRule[] | undefined;
}

function configuration(code: string, message: string): OperatorError {
  return stop(code, message, { exitCode: exitCodes.configuration });
}

/** @throws OperatorError `source_table` where the text names no table. */
export function tableName(text: string): TableName {
  const name = parseTableName(text);
  if (name === null)
    throw configuration('source_table', `postgres.table ${text} is not a name of the form schema.table`);
  return name;
}

/**
 * Looks the table up and maps its columns.
 *
 * @throws OperatorError `source_table` where there is none or it can't be tailed, `source_column` where a column of the
 * settings is missing.
 */
export async function describeTable(client: pg.ClientBase | pg.Pool, settings: TableSettings): Promise<AuditTable> {
  const { schema, name } = tableName(settings.table);
  const { rows } = await client.query(
    `SELECT c.oid::text, c.relkind, c.relpersistence, current_database() AS database
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, name],
  );
  const found = rows[0] as { oid: string; relkind: string; relpersistence: string; database: string } | undefined;
  if (found === undefined) {
    const { rows: here } = await client.query('SELECT current_database() AS database');
    throw configuration(
      'source_table',
      `no table ${schema}.${name} in database ${here[0].database}: set postgres.table (TC_POSTGRES_TABLE), or create it with init --create-table`,
    );
  }
  refuseKind(`${schema}.${name}`, found.relkind, found.relpersistence);
  const { rows: columns } = await client.query(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
      WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [found.oid],
  );
  return {
    schema,
    name,
    oid: Number(found.oid),
    sql: `${quoteIdent(schema)}.${quoteIdent(name)}`,
    partitioned: found.relkind === 'p',
    columns,
    mapping: mapColumns(columns, settings, `${schema}.${name}`),
  };
}

function refuseKind(table: string, kind: string, persistence: string): void {
  if (kind !== 'r' && kind !== 'p') {
    const what = { v: 'a view', m: 'a materialized view', f: 'a foreign table' }[kind] ?? 'no table';
    throw configuration(
      'source_table',
      `${table} is ${what}, whose rows are not in the WAL: set postgres.table to the table`,
    );
  }
  if (persistence !== 'p') {
    const what = persistence === 'u' ? 'unlogged' : 'temporary';
    throw configuration(
      'source_table',
      `${table} is ${what}, so its rows never reach the WAL: ALTER TABLE … SET LOGGED`,
    );
  }
}

/** Says in the settings that the table has no such column, and is not to be missed. */
const noColumn = '-';

/** The roles that a mapping found a column for. */
export function mappedRoles({ at }: Mapping): string[] {
  return roles.filter((role) => at[role] >= 0);
}

/**
 * A column that was read until now and is gone, renamed most likely, must not turn into nulls in silence.
 *
 * @throws OperatorError `source_column` that names the setting.
 */
export function refuseLostColumns(before: readonly string[] | null, mapping: Mapping, settings: TableSettings): void {
  const lost = roles.find(
    (role) => before?.includes(role) === true && mapping.at[role] < 0 && settings.columns?.[role] !== noColumn,
  );
  if (lost === undefined) return;
  throw configuration(
    'source_column',
    `${settings.table} has lost the column that columns.${lost} was read from (${settings.columns?.[lost] ?? defaultColumns[lost]}): set columns.${lost} to its new name, or to - if it is gone for good`,
  );
}

/** @throws OperatorError `source_column` where a column that the settings name, or a required one, is missing. */
export function mapColumns(columns: { name: string }[], settings: TableSettings, table: string): Mapping {
  const has = new Set(columns.map((column) => column.name));
  const names: string[] = [];
  const place = (name: string) => {
    const at = names.indexOf(name);
    return at >= 0 ? at : names.push(name) - 1;
  };
  const demand = (name: string, setting: string) => {
    if (has.has(name)) return place(name);
    throw configuration(
      'source_column',
      `${table} has no column ${name}: set ${setting} to one of ${[...has].join(', ')}`,
    );
  };
  const at = {} as Mapping['at'];
  for (const role of roles) {
    const name = settings.columns?.[role] ?? defaultColumns[role];
    const optional = (name === defaultColumns[role] || name === noColumn) && !required.has(role);
    at[role] = optional && !has.has(name) ? -1 : demand(name, `columns.${role}`);
  }
  const metadata = (settings.columns?.metadata ?? []).map((name) => ({ name, at: demand(name, 'columns.metadata') }));
  const exclude = (settings.exclude ?? []).map(({ column, equals }) => ({ at: demand(column, 'exclude'), equals }));
  return { names, at, metadata, exclude };
}

/** Why a row is not carried on. */
export type SkipReason = 'no_session' | 'no_key' | 'excluded';

/** A row's text as a turn, or why it is none. */
export function turnOf(
  row: RowText,
  { at, metadata, exclude }: Mapping,
  position: Position,
  committedAt: Micros | null,
): Turn | SkipReason {
  if (exclude.length > 0 && exclude.some((rule) => row[rule.at] === rule.equals)) return 'excluded';
  const sessionId = textAt(row, at.sessionId);
  if (sessionId === null) return 'no_session';
  const rowKey = textAt(row, at.key);
  if (rowKey === null) return 'no_key';
  const turn: Turn = {
    rowKey,
    sessionId,
    agent: textAt(row, at.agent),
    tool: textAt(row, at.tool),
    arguments: textAt(row, at.arguments),
    response: textAt(row, at.response),
    costUsd: textAt(row, at.cost),
    durationMs: textAt(row, at.duration),
    createdAt: textAt(row, at.time),
    committedAt,
    position,
  };
  if (metadata.length > 0) turn.metadata = Object.fromEntries(metadata.map((m) => [m.name, row[m.at] ?? null]));
  return turn;
}

/** Every row passes here nine times; an index of -1 is never looked up, since that would be a search for a name. */
function textAt(row: RowText, at: number): string | null {
  return at < 0 ? null : (row[at] ?? null);
}

/** The statements that create an audit log of the mapped names, for `init --create-table`. */
export function createTableSql({ table, columns = {} }: TableSettings): string[] {
  const { schema, name } = tableName(table);
  const sql = `${quoteIdent(schema)}.${quoteIdent(name)}`;
  const types: Record<keyof Columns, string> = {
    key: 'bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY',
    sessionId: 'text NOT NULL',
    agent: 'text',
    tool: 'text',
    arguments: 'jsonb',
    response: 'jsonb',
    cost: 'numeric(14,6)',
    duration: 'integer',
    time: 'timestamptz NOT NULL DEFAULT clock_timestamp()',
  };
  const left = (role: keyof Columns) => columns[role] === noColumn;
  const order: (keyof Columns)[] = ['key', ...roles.filter((role) => role !== 'key' && !left(role))];
  const nameOf = (role: keyof Columns) => quoteIdent(columns[role] ?? defaultColumns[role]);
  const lines = order.map((role) => `${nameOf(role)} ${types[role]}`);
  for (const extra of columns.metadata ?? []) lines.push(`${quoteIdent(extra)} text`);
  const index = (use: string, of: string) =>
    `CREATE INDEX IF NOT EXISTS ${quoteIdent(`${name}_${use}`.slice(-63))} ON ${sql} (${of})`;
  return [
    `CREATE SCHEMA IF NOT EXISTS ${quoteIdent(schema)}`,
    `CREATE TABLE IF NOT EXISTS ${sql} (\n  ${lines.join(',\n  ')}\n)`,
    index('session', nameOf('sessionId')),
    // The order of history: what backfill and reconcile read a range of.
    ...(left('time') ? [] : [index('time', `${nameOf('time')}, ${nameOf('key')}`)]),
  ];
}

/**
 * Creates the audit log where there is none; a role that may only use one that is there needs no more rights.
 *
 * @returns whether it was created.
 */
export async function createMissingTable(client: pg.ClientBase, settings: TableSettings): Promise<boolean> {
  const { schema, name } = tableName(settings.table);
  const { rows } = await client.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, name],
  );
  if (rows.length > 0) return false;
  for (const statement of createTableSql(settings)) await client.query(statement);
  return true;
}

/**
 * What trajectory ids are derived from: cluster, database and table, and nothing of slot or publication, so that a new
 * slot or a failover renames no trajectory. SHA-256 hex, 32 characters.
 */
export function sourceName(systemIdentifier: string, database: string, { schema, name }: TableName): string {
  return createHash('sha256').update([systemIdentifier, database, schema, name].join('\0')).digest('hex').slice(0, 32);
}

/** The same over an ordinary connection that may not replicate. */
export async function readSourceName(client: pg.ClientBase | pg.Pool, table: TableName): Promise<string> {
  const { rows } = await client.query(
    'SELECT system_identifier::text AS id, current_database() AS database FROM pg_control_system()',
  );
  return sourceName(rows[0].id, rows[0].database, table);
}
