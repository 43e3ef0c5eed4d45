/** By what a row is recognised when it is read again: its key and its time, as text. Other columns may change. */
import type pg from 'pg';
import { exitCodes, stop } from '../errors.ts';
import { type AuditTable, describeTable, type TableSettings } from './audit-table.ts';

/** Name and type, as `id (bigint)`. */
export interface RowColumns {
  key: string;
  /** Null where the table has none. */
  time: string | null;
}

export function rowColumnsOf({ columns, mapping: { names, at } }: Pick<AuditTable, 'columns' | 'mapping'>): RowColumns {
  const named = (name: string) => `${name} (${textType(columns.find((column) => column.name === name)!.type)})`;
  return { key: named(names[at.key]!), time: at.time < 0 ? null : named(names[at.time]!) };
}

/** Types that write the same text are one. */
function textType(type: string): string {
  if (/^(?:smallint|integer|bigint)$/.test(type)) return 'integer';
  return /^(?:text|character varying(?:\(\d+\))?)$/.test(type) ? 'text' : type;
}

/** @throws OperatorError as {@link describeTable}. */
export async function readRowColumns(client: pg.ClientBase | pg.Pool, settings: TableSettings): Promise<RowColumns> {
  return rowColumnsOf(await describeTable(client, settings));
}

/**
 * Under another key or time every row that was taken in would look unknown, and be taken in twice.
 *
 * @param before null where none was taken in.
 * @throws OperatorError `columns_changed`.
 */
export function refuseOtherColumns(before: RowColumns | null, now: RowColumns, table: string): void {
  if (before === null || (before.key === now.key && before.time === now.time)) return;
  const said = ({ key, time }: RowColumns) => `key ${key} and ${time === null ? 'no time' : `time ${time}`}`;
  throw stop(
    'columns_changed',
    `rows of ${table} were taken in by ${said(before)}, and it has ${said(now)} now: none would be recognised, so nothing is read from the table beside the stream; set columns.key and columns.time, or the types, back, or capture into a fresh dataDir`,
    { exitCode: exitCodes.configuration },
  );
}
