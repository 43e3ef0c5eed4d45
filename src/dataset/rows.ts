/** A table of the dataset from beginning to end, as the sinks write it: what fills another sink with it. */
import { type Row, type TableName, tables } from '../dataset-tables.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { storableRow } from '../storable-text.ts';
import { turnText } from './turns.ts';

/**
 * Rows of `table` by key, up to `batch` at a time, with `status` and the columns that later passes set as they are
 * stored. Nothing is held open between two batches, so the consumer may take its time; a row that is written meanwhile
 * is among them or not. Tables are to be taken in the order of `tableNames`.
 */
export function* datasetRows(db: SqliteDatabase, table: TableName, batch: number): Iterable<Row[]> {
  const { key, columns, later }: { key: readonly string[]; columns: readonly string[]; later: readonly string[] } =
    tables[table];
  const keys = key.join(', ');
  const select = `SELECT ${[...columns, ...later].join(', ')} FROM ${table}`;
  const first = db.prepare(`${select} ORDER BY ${keys} LIMIT ?`);
  const next = db.prepare(`${select} WHERE (${keys}) > (${key.map(() => '?').join(', ')}) ORDER BY ${keys} LIMIT ?`);
  for (let rows = first.all(batch) as Row[]; rows.length > 0; ) {
    yield rows.map((row) => storableRow(table, withText(row)));
    const last = rows.at(-1)!;
    rows = next.all(...key.map((column) => last[column]), batch) as Row[];
  }
}

/** A turn's body is stored compressed. */
function withText(row: Row): Row {
  const body: unknown = row.body;
  return body instanceof Uint8Array ? { ...row, body: turnText(body) } : row;
}
