/** Rows as the JSON that Postgres reads them from, whether PostgREST or a statement of ours hands it over. */
import { type Cell, type Row, type TableName, tables } from '../../dataset-tables.ts';
import type { TableRows } from './mirror.ts';

export interface EncodedRow {
  /** `trajectory_id=4f1c…, turn=3`. */
  key: string;
  json: string;
  /** Of `json` in UTF-8. */
  bytes: number;
}

export interface EncodedRows {
  table: TableName;
  columns: string[];
  /** By key, so that two writers lock the same rows in the same order. */
  rows: EncodedRow[];
}

/** Stored as 0 and 1 elsewhere. */
const flags: readonly string[] = ['complete', 'portable', 'same_family'];

/** Without `status`, which follows from the segments there. */
export function encodeRows({ table, rows }: TableRows): EncodedRows {
  const columns = Object.keys(rows[0] ?? {}).filter((column) => column !== 'status');
  const encoded = rows.map((row) => {
    const json = `{${columns.map((column) => `"${column}":${cellJson(table, column, row[column] ?? null)}`).join(',')}}`;
    return { key: keyOf(table, row), json, bytes: Buffer.byteLength(json) };
  });
  return { table, columns, rows: encoded.sort((a, b) => (a.key < b.key ? -1 : 1)) };
}

export function jsonArray(rows: readonly EncodedRow[]): string {
  return `[${rows.map(({ json }) => json).join(',')}]`;
}

/** In pieces of at most so many rows and bytes; a row that is larger than that is a piece of its own. */
export function* piecesOf(rows: readonly EncodedRow[], maxRows: number, maxBytes: number): Iterable<EncodedRow[]> {
  let piece: EncodedRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (piece.length > 0 && (piece.length === maxRows || bytes + row.bytes > maxBytes)) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(row);
    // With the comma behind it.
    bytes += row.bytes + 1;
  }
  if (piece.length > 0) yield piece;
}

function keyOf(table: TableName, row: Row): string {
  return tables[table].key.map((column) => `${column}=${row[column]}`).join(', ');
}

function cellJson(table: TableName, column: string, cell: Cell): string {
  if (cell === null) return 'null';
  if (flags.includes(column)) return String(cell === 1);
  // As it stands: parsed and written again, large numbers would be others.
  if ((tables[table].json as readonly string[]).includes(column) && isJson(String(cell))) return String(cell);
  return JSON.stringify(cell);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
