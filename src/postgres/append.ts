/** Appending rows to an audit log: one statement a batch, and a row that Postgres refuses is found and named. */
import type pg from 'pg';
import type { AuditTable, Columns } from './audit-table.ts';
import { sqlState } from './connection.ts';
import { quoteIdent } from './quote.ts';

/** A row to be. Values are text: Postgres reads them, so that nothing is rounded on the way. */
export interface NewRow {
  sessionId: string;
  agent: string | null;
  tool: string | null;
  /** JSON text. */
  arguments: string | null;
  /** JSON text; a plain answer is a JSON string. */
  response: string | null;
  /** Decimal text, US dollars. */
  costUsd: string | null;
  /** Decimal text, milliseconds. */
  durationMs: string | null;
  createdAt: string | null;
  /** JSON text of further columns that the mapping lists, by name. */
  metadata?: Record<string, string | null>;
}

export interface Refusal {
  /** Index in the rows that were handed over. */
  index: number;
  /** In an operator's words, without the row's content. */
  reason: string;
}

export interface Appended {
  inserted: number;
  refused: Refusal[];
}

export interface AppendOptions {
  /** Insert nothing where a single row is refused. */
  allOrNone?: boolean;
}

interface Target {
  column: string;
  type: string;
  /** True where the value is handed over as JSON text. */
  json: boolean;
  valueOf(row: NewRow): string | null;
}

const fields: Record<Exclude<keyof Columns, 'key'>, keyof Omit<NewRow, 'metadata'>> = {
  sessionId: 'sessionId',
  agent: 'agent',
  tool: 'tool',
  arguments: 'arguments',
  response: 'response',
  cost: 'costUsd',
  duration: 'durationMs',
  time: 'createdAt',
};

/**
 * Appends the rows in their order and in one transaction. A row that the table can't hold is left out and reported, or
 * with `allOrNone` all are. `client` must be one connection, not a pool, and in no transaction.
 *
 * @throws what `pg` throws where the connection or the statement as a whole fails; nothing is inserted then.
 */
export async function appendRows(
  client: pg.ClientBase,
  table: AuditTable,
  rows: readonly NewRow[],
  { allOrNone = false }: AppendOptions = {},
): Promise<Appended> {
  if (rows.length === 0) return { inserted: 0, refused: [] };
  const targets = targetsOf(table);
  try {
    await insert(client, table, targets, rows);
    return { inserted: rows.length, refused: [] };
  } catch (error) {
    if (!concernsRow(error)) throw error;
  }
  return appendPiecewise(client, table, targets, rows, allOrNone);
}

/** Again, in halves of halves, until each row that is at fault stands alone. */
async function appendPiecewise(
  client: pg.ClientBase,
  table: AuditTable,
  targets: Target[],
  rows: readonly NewRow[],
  allOrNone: boolean,
): Promise<Appended> {
  const refused: Refusal[] = [];
  const appendRange = async (from: number, to: number): Promise<void> => {
    await client.query('SAVEPOINT piece');
    try {
      await insert(client, table, targets, rows.slice(from, to));
      await client.query('RELEASE SAVEPOINT piece');
      return;
    } catch (error) {
      if (!concernsRow(error)) throw error;
      await client.query('ROLLBACK TO SAVEPOINT piece');
      if (to - from === 1) {
        refused.push({ index: from, reason: reasonOf(error) });
        return;
      }
    }
    const middle = from + Math.floor((to - from) / 2);
    await appendRange(from, middle);
    await appendRange(middle, to);
  };
  await client.query('BEGIN');
  try {
    await appendRange(0, rows.length);
    if (allOrNone && refused.length > 0) {
      await client.query('ROLLBACK');
      return { inserted: 0, refused };
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
  return { inserted: rows.length - refused.length, refused };
}

function targetsOf({ columns, mapping }: AuditTable): Target[] {
  const typeOf = (name: string) => columns.find((column) => column.name === name)?.type ?? 'text';
  const targets: Target[] = [];
  for (const [role, field] of Object.entries(fields) as [keyof typeof fields, keyof Omit<NewRow, 'metadata'>][]) {
    const column = mapping.names[mapping.at[role]];
    if (column === undefined) continue;
    const json = role === 'arguments' || role === 'response';
    targets.push({ column, type: typeOf(column), json, valueOf: (row) => row[field] });
  }
  for (const { name } of mapping.metadata) {
    if (targets.some((target) => target.column === name)) continue;
    targets.push({ column: name, type: typeOf(name), json: true, valueOf: (row) => row.metadata?.[name] ?? null });
  }
  return targets;
}

async function insert(
  client: pg.ClientBase,
  { sql }: AuditTable,
  targets: Target[],
  rows: readonly NewRow[],
): Promise<void> {
  const names = targets.map(({ column }) => quoteIdent(column)).join(', ');
  const values = targets.map(({ type }, i) => `r.c${i}${castTo(type)}`).join(', ');
  const arrays = targets.map((_, i) => `$${i + 1}::text[]`).join(', ');
  const aliases = targets.map((_, i) => `c${i}`).join(', ');
  const lists = targets.map((target) => rows.map((row) => columnText(target, target.valueOf(row))));
  await client.query(
    `INSERT INTO ${sql} (${names}) SELECT ${values} FROM unnest(${arrays}) WITH ORDINALITY AS r(${aliases}, n) ORDER BY n`,
    lists,
  );
}

/** JSON columns take the JSON text as it is; others take the string that it holds. */
function columnText({ json, type }: Target, value: string | null): string | null {
  if (value === null || !json || isJson(type) || !value.startsWith('"')) return wellFormed(value);
  return wellFormed(JSON.parse(value) as string);
}

/** Half a surrogate pair would be stored as another character, without a word. */
function wellFormed(value: string | null): string | null {
  if (value === null || value.isWellFormed()) return value;
  throw Object.assign(new Error('half a surrogate pair'), { code: halfPair });
}

function isJson(type: string): boolean {
  return type === 'json' || type === 'jsonb';
}

/** The cast from text. None to `character varying(5)`: a cast would cut the text, where the assignment refuses it. */
function castTo(type: string): string {
  return /^(text|character)\b/.test(type) ? '' : `::${type}`;
}

const halfPair = '22P05';

const reasons: Record<string, string> = {
  '22P05': 'it holds \\u0000 or half a surrogate pair, which this column can not store',
  '22021': 'it holds a NUL character, which text can not store',
  '22P02': 'a value is not of its column’s type, or its JSON holds half a surrogate pair',
  '22003': 'a number is out of its column’s range',
  '22001': 'a text is too long for its column',
  '22007': 'a time can not be read',
  '22008': 'a time is out of range',
  '54000': 'a value is larger than Postgres can store',
  P0001: 'a trigger of the table refused it',
};

/** Errors of class 22 (data), 23 (constraints), and limits: another row may well be accepted. */
function concernsRow(error: unknown): boolean {
  const code = sqlState(error);
  return /^2[23]/.test(code) || code in reasons;
}

/** Of the server's words only names are taken: messages and details quote values. */
function reasonOf(error: unknown): string {
  const code = sqlState(error);
  const { column, constraint } = error as { column?: string; constraint?: string };
  if (code === '23502') return `column ${column ?? '?'} must not be null`;
  if (code.startsWith('23')) return `constraint ${constraint ?? '?'} refuses it`;
  return `${reasons[code] ?? 'Postgres refuses it'} (SQLSTATE ${code})`;
}
