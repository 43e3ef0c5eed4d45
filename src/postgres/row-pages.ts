/**
 * A table read from end to end in pages, each by a short statement of its own: no snapshot is held, so that a reading of
 * hours keeps the server from no vacuum. What is written meanwhile is among the rows or not.
 */
import type pg from 'pg';
import {
  type AuditTable,
  describeTable,
  type Mapping,
  type RowText,
  readSourceName,
  type TableSettings,
} from './audit-table.ts';
import { explainPostgres, openPool } from './connection.ts';
import { quoteIdent } from './quote.ts';
import { selectList, textRows } from './rows.ts';

export interface PageReaderOptions extends TableSettings {
  url: string;
  /** Rows of a page, as far as their size allows. */
  pageRows?: number;
  /** A statement that takes longer fails. */
  statementTimeoutMs?: number;
  /** Further condition on every row, such as a shard's share. */
  condition?: (table: AuditTable) => string;
}

/** Hours since the Unix epoch, the first inclusive, the last exclusive; null for no bound. */
export interface HourRange {
  since: number | null;
  until: number | null;
}

export interface PageReader {
  table: AuditTable;
  /** Equal to that of a stream over the same table. */
  source: string;
  /** The columns that begin an index: without one every page scans the table. */
  indexed: { time: boolean; key: boolean };
  /** What pages are ordered by. */
  order: 'time' | 'key';
  /**
   * Rows of the range that have a key, page by page: by (time, key) where an index serves that, otherwise by key. Rows
   * without a usable time come last, and only where the range has no bounds.
   */
  pages(range: HourRange, signal: AbortSignal): AsyncGenerator<RowText[]>;
  /** The same of keys and times alone. */
  keys(range: HourRange, signal: AbortSignal): AsyncGenerator<KeyAndTime[]>;
  /** The hour of the oldest row; null where there is none with a usable time. */
  oldestHour(): Promise<number | null>;
  /** Rows of the range whose key is null. */
  countWithoutKey(range: HourRange): Promise<number>;
  close(): Promise<void>;
}

export interface KeyAndTime {
  rowKey: string;
  createdAt: string | null;
}

/** Beyond these a time is none that anything is filed under: `infinity`, a `BC` date. */
const firstTime = "'0100-01-01 00:00:00'";
const lastTime = "'200000-01-01 00:00:00'";
const pageBytes = 8 * 2 ** 20;

/** @throws OperatorError as `openAuditReader` does. */
export async function openPageReader(options: PageReaderOptions): Promise<PageReader> {
  const { url, pageRows = 5000, statementTimeoutMs = 60_000, condition, ...settings } = options;
  const pool = openPool(url, {
    purpose: 'reconcile',
    settings: {
      row_security: 'off',
      default_transaction_read_only: 'on',
      statement_timeout: String(statementTimeoutMs),
      // Where statistics are missing the planner would sort the rest of the table for every page, though an index has it
      // in order.
      enable_seqscan: 'off',
      enable_bitmapscan: 'off',
    },
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
    const indexed = await explained('connect', () => readIndexes(pool, table));
    const order = indexed.time || !indexed.key ? 'time' : 'key';
    const reading: Reading = {
      pool,
      table,
      pageRows,
      order: hasTimestamps(table) ? order : 'key',
      conditions: condition === undefined ? [] : [condition(table)],
    };
    const reads = `read ${table.sql}`;
    const explain = (error: unknown) => explainPostgres(error, url, reads);
    return {
      table,
      source,
      indexed,
      order: reading.order,
      pages: (range, signal) => explainedPages(readPages(reading, range, selectList(table.mapping), signal), explain),
      keys: (range, signal) => explainedPages(readKeys(reading, range, signal), explain),
      oldestHour: () => explained(reads, () => oldestHour(reading)),
      countWithoutKey: (range) => explained(reads, () => countWithoutKey(reading, range)),
      close: () => pool.end(),
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

interface Reading {
  pool: pg.Pool;
  table: AuditTable;
  pageRows: number;
  order: 'time' | 'key';
  conditions: string[];
}

async function* explainedPages<T>(pages: AsyncGenerator<T>, explain: (error: unknown) => unknown): AsyncGenerator<T> {
  try {
    yield* pages;
  } catch (error) {
    throw explain(error);
  }
}

async function* readPages(
  reading: Reading,
  range: HourRange,
  select: string,
  signal: AbortSignal,
): AsyncGenerator<RowText[]> {
  const { order, table } = reading;
  const inRange = timeConditions(table, range);
  if (order === 'key') return yield* walk(reading, ['key'], inRange, select, signal);
  const usable = timesBetween(table, firstTime, lastTime);
  yield* walk(reading, ['time', 'key'], inRange.length > 0 ? inRange : usable, select, signal);
  if (range.since !== null || range.until !== null) return;
  // Each by itself, so that the index finds what there is of it.
  const time = columnOf(table, 'time');
  yield* walk(reading, ['time', 'key'], [`${time} < ${typed(table, firstTime)}`], select, signal);
  yield* walk(reading, ['time', 'key'], [`${time} >= ${typed(table, lastTime)}`], select, signal);
  yield* walk(reading, ['key'], [`${time} IS NULL`], select, signal);
}

const typed = (table: AuditTable, time: string) => `${time}::${typeOf(table, 'time')}`;

async function* readKeys(reading: Reading, range: HourRange, signal: AbortSignal): AsyncGenerator<KeyAndTime[]> {
  const { mapping } = reading.table;
  const hasTime = mapping.at.time >= 0;
  // Every other column as null, so that a row's text stands where the mapping has it.
  const select = mapping.names.map((name, i) =>
    i === mapping.at.key || (hasTime && i === mapping.at.time) ? quoteIdent(name) : 'NULL',
  );
  for await (const rows of readPages(reading, range, select.join(', '), signal)) {
    yield rows.map((row) => ({ rowKey: row[mapping.at.key]!, createdAt: hasTime ? row[mapping.at.time]! : null }));
  }
}

async function oldestHour({ pool, table }: Reading): Promise<number | null> {
  if (!hasTimestamps(table)) return null;
  const where = timesBetween(table, firstTime, lastTime).join(' AND ');
  const { rows } = await pool.query(
    `SELECT floor(extract(epoch FROM min(${columnOf(table, 'time')})) / 3600)::bigint AS hour FROM ${table.sql} WHERE ${where}`,
  );
  return rows[0].hour === null ? null : Number(rows[0].hour);
}

/** Keyset pagination: each page begins behind the last row of the one before. */
async function* walk(
  { pool, table, pageRows, conditions }: Reading,
  by: ('time' | 'key')[],
  range: string[],
  select: string,
  signal: AbortSignal,
): AsyncGenerator<RowText[]> {
  const { mapping, sql } = table;
  const columns = by.map((role) => columnOf(table, role));
  const fixed = [...range, ...conditions, `${columnOf(table, 'key')} IS NOT NULL`];
  const behind = `(${columns.join(', ')}) > (${by.map((role, i) => `$${i + 1}::${typeOf(table, role)}`).join(', ')})`;
  let last: RowText | null = null;
  // Growing slowly, shrinking at once: a row may hold megabytes.
  let limit = Math.min(256, pageRows);
  while (!signal.aborted) {
    const where: string = [...fixed, ...(last === null ? [] : [behind])].join(' AND ');
    const text = `SELECT ${select} FROM ${sql} WHERE ${where} ORDER BY ${columns.join(', ')} LIMIT ${limit}`;
    const values: unknown[] = last === null ? [] : by.map((role) => last?.[mapping.at[role]]);
    const rows = await textRows(pool, text, values);
    if (rows.length > 0) yield rows;
    if (rows.length < limit) return;
    last = rows.at(-1)!;
    const fitting = Math.floor((pageBytes / Math.max(1, sizeOf(rows))) * rows.length);
    limit = Math.max(1, Math.min(pageRows, limit * 4, fitting));
  }
}

function sizeOf(rows: RowText[]): number {
  let size = 0;
  for (const row of rows) for (const text of row) size += text?.length ?? 0;
  return size;
}

async function countWithoutKey({ pool, table, conditions }: Reading, range: HourRange): Promise<number> {
  if (!(await isNullable(pool, table))) return 0;
  const where = [...timeConditions(table, range), ...conditions, `${columnOf(table, 'key')} IS NULL`];
  const { rows } = await pool.query(`SELECT count(*) AS n FROM ${table.sql} WHERE ${where.join(' AND ')}`);
  return Number(rows[0].n);
}

async function isNullable(pool: pg.Pool, { oid, mapping }: AuditTable): Promise<boolean> {
  const sql = 'SELECT attnotnull FROM pg_attribute WHERE attrelid = $1::oid AND attname = $2';
  const { rows } = await pool.query(sql, [String(oid), mapping.names[mapping.at.key]]);
  return rows[0]?.attnotnull !== 't';
}

function timeConditions(table: AuditTable, { since, until }: HourRange): string[] {
  if (since === null && until === null) return [];
  return timesBetween(table, since === null ? firstTime : hourSql(since), until === null ? lastTime : hourSql(until));
}

function timesBetween(table: AuditTable, from: string, to: string): string[] {
  const [time, type] = [columnOf(table, 'time'), typeOf(table, 'time')];
  return [`${time} >= ${from}::${type}`, `${time} < ${to}::${type}`];
}

/** As text it would fail beyond the year 9999. */
const hourSql = (hour: number) => `to_timestamp(${hour * 3600})`;

const columnOf = ({ mapping }: { mapping: Mapping }, role: 'time' | 'key') =>
  quoteIdent(mapping.names[mapping.at[role]]!);

function typeOf({ mapping, columns }: AuditTable, role: 'time' | 'key'): string {
  const name = mapping.names[mapping.at[role]];
  return columns.find((column) => column.name === name)?.type ?? 'text';
}

/** Only times that Postgres orders as times can be asked for by the hour. */
export function hasTimestamps(table: AuditTable): boolean {
  return table.mapping.at.time >= 0 && /^(timestamp|date)/.test(typeOf(table, 'time'));
}

async function readIndexes(pool: pg.Pool, { oid, mapping }: AuditTable): Promise<{ time: boolean; key: boolean }> {
  const { rows } = await pool.query(
    `SELECT DISTINCT a.attname AS name
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indpred IS NULL`,
    [String(oid)],
  );
  const first = new Set(rows.map((row) => row.name as string));
  return {
    time: mapping.at.time >= 0 && first.has(mapping.names[mapping.at.time]!),
    key: first.has(mapping.names[mapping.at.key]!),
  };
}
