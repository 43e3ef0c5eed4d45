/** Reading the audit log over an ordinary connection: what exists already, without a slot and read-only. */
import type pg from 'pg';
import type { Lsn, Turn } from '../records.ts';
import {
  type AuditTable,
  describeTable,
  type Mapping,
  type RowText,
  readSourceName,
  type TableSettings,
  turnOf,
} from './audit-table.ts';
import { explainPostgres, openPool } from './connection.ts';
import { quoteIdent } from './quote.ts';

/** History rows stand below everything that streams: the first has this ordinal, the next one more. */
export const firstHistoryOrdinal = -(2 ** 40);

const nowhere = '00000000/00000000' as Lsn;

export interface AuditReaderOptions extends TableSettings {
  url: string;
}

export interface SessionSummary {
  sessionId: string;
  /** Distinct, sorted. */
  agents: string[];
  turns: number;
  /** The time column's text; null where the table has none. */
  firstAt: string | null;
  lastAt: string | null;
}

export interface SessionList {
  /** Longest first. */
  sessions: SessionSummary[];
  /** Sessions of at least `minTurns` rows, listed or not. */
  total: number;
  /** Sessions shorter than `minTurns`. */
  below: number;
}

export interface AuditReader {
  table: AuditTable;
  /** Equal to that of a stream over the same table: see {@link sourceName}. */
  source: string;
  listSessions(options: { minTurns: number; limit: number }): Promise<SessionList>;
  /** All rows of a session in the order of (time, key), as history: `committedAt` null, ordinals below zero. */
  readSession(sessionId: string): Promise<Turn[]>;
  /** The rows of these keys in the order given; missing ones are left out. */
  readRows(keys: string[]): Promise<Turn[]>;
  close(): Promise<void>;
}

/** @throws OperatorError where the server, table, columns or permissions are not there: see connection and describeTable. */
export async function openAuditReader({ url, ...settings }: AuditReaderOptions): Promise<AuditReader> {
  // Row level security would hide rows without a word; switched off, it is an error instead.
  const pool = openPool(url, {
    purpose: 'reader',
    settings: { row_security: 'off', default_transaction_read_only: 'on', statement_timeout: '0' },
  });
  const explained = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw explainPostgres(error, url, doing);
    }
  };
  try {
    const table = await explained('connect', () => describeTable(pool, settings));
    const source = await explained('connect', () => readSourceName(pool, table));
    return {
      table,
      source,
      listSessions: (options) => explained(`read ${table.sql}`, () => listSessions(pool, table, options)),
      readSession: (id) => explained(`read ${table.sql}`, () => readSession(pool, table, id)),
      readRows: (keys) => explained(`read ${table.sql}`, () => readRows(pool, table, keys)),
      close: () => pool.end(),
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

/** `"id", "session_id", …`: uncast, since every connection here returns the server's own text. */
export function selectList({ names }: Mapping): string {
  return names.map(quoteIdent).join(', ');
}

/** ` ORDER BY "created_at", "id"`: the order of turns in history. */
export function historyOrder({ names, at }: Mapping): string {
  const by = [at.time, at.key].filter((index) => index >= 0).map((index) => quoteIdent(names[index]!));
  return `ORDER BY ${by.join(', ')}`;
}

/** The rows that are turns; what the exclude rules leave out is left out here as it is in the stream. */
function turnsOnly({ names, at, exclude }: Mapping, values: string[]): string {
  const column = (index: number) => quoteIdent(names[index]!);
  const rules = exclude.map((rule) => `${column(rule.at)}::text IS DISTINCT FROM $${values.push(rule.equals)}`);
  return [`${column(at.sessionId)} IS NOT NULL`, `${column(at.key)} IS NOT NULL`, ...rules].join(' AND ');
}

async function listSessions(
  pool: pg.Pool,
  { sql, mapping }: AuditTable,
  { minTurns, limit }: { minTurns: number; limit: number },
): Promise<SessionList> {
  const column = (index: number) => (index < 0 ? 'NULL' : quoteIdent(mapping.names[index]!));
  const values = [String(minTurns), String(limit)];
  const session = column(mapping.at.sessionId);
  const agents =
    mapping.at.agent < 0
      ? `'[]'`
      : `coalesce(json_agg(DISTINCT ${column(mapping.at.agent)}::text) FILTER (WHERE ${column(mapping.at.agent)} IS NOT NULL), '[]')`;
  const time = column(mapping.at.time);
  const { rows } = await pool.query(
    `WITH sessions AS MATERIALIZED (
       SELECT ${session} AS session, count(*) AS turns, ${agents}::text AS agents, min(${time}) AS first, max(${time}) AS last
         FROM ${sql} WHERE ${turnsOnly(mapping, values)} GROUP BY ${session})
     SELECT NULL AS session, (SELECT count(*) FROM sessions WHERE turns >= $1::bigint)::text AS agents,
            (SELECT count(*) FROM sessions WHERE turns < $1::bigint) AS turns, NULL AS first, NULL AS last
     UNION ALL
     (SELECT session::text, agents, turns, first::text, last::text FROM sessions WHERE turns >= $1::bigint
       ORDER BY turns DESC, session LIMIT $2::bigint)`,
    values,
  );
  const [totals, ...sessions] = rows as Record<'session' | 'agents' | 'turns' | 'first' | 'last', string>[];
  return {
    total: Number(totals!.agents),
    below: Number(totals!.turns),
    sessions: sessions.map((row) => ({
      sessionId: row.session,
      agents: JSON.parse(row.agents) as string[],
      turns: Number(row.turns),
      firstAt: row.first,
      lastAt: row.last,
    })),
  };
}

async function readSession(pool: pg.Pool, { sql, mapping }: AuditTable, sessionId: string): Promise<Turn[]> {
  const values = [sessionId];
  const session = quoteIdent(mapping.names[mapping.at.sessionId]!);
  const where = turnsOnly(mapping, values);
  const text = `SELECT ${selectList(mapping)} FROM ${sql} WHERE ${session} = $1 AND ${where} ${historyOrder(mapping)}`;
  return historyTurns(await textRows(pool, text, values), mapping);
}

async function readRows(pool: pg.Pool, { sql, mapping, columns }: AuditTable, keys: string[]): Promise<Turn[]> {
  const keyName = mapping.names[mapping.at.key]!;
  const type = columns.find((column) => column.name === keyName)!.type;
  // Cast to the column's own type, so that its index serves.
  const text = `SELECT ${selectList(mapping)} FROM ${sql} WHERE ${quoteIdent(keyName)} = ANY($1::text[]::${type}[])`;
  const turns = historyTurns(await textRows(pool, text, [keys]), mapping);
  const byKey = new Map(turns.map((turn) => [turn.rowKey, turn]));
  return keys.flatMap((key) => byKey.get(key) ?? []);
}

/** Rows as arrays of text, in the order of the select list. */
export async function textRows(
  client: pg.ClientBase | pg.Pool,
  text: string,
  values: unknown[] = [],
): Promise<RowText[]> {
  const { rows } = await client.query({ text, values, rowMode: 'array' });
  return rows as RowText[];
}

function historyTurns(rows: RowText[], mapping: Mapping): Turn[] {
  return rows.flatMap((row, index) => {
    const turn = turnOf(row, mapping, { lsn: nowhere, ordinal: firstHistoryOrdinal + index }, null);
    return typeof turn === 'string' ? [] : [turn];
  });
}
