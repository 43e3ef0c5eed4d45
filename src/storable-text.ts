/**
 * Text that every database of ours can hold. Postgres takes neither U+0000 nor half a surrogate pair, and `jsonb` not
 * even their escapes; each is replaced by U+FFFD everywhere, so that all sinks hold the same.
 */
import { type Row, type TableName, tables } from './dataset-tables.ts';

/** The row with every text in it storable. */
export function storableRow<R extends Row>(table: TableName, row: R): R {
  const json: readonly string[] = tables[table].json;
  const cells = Object.entries(row).map(([column, cell]) => {
    if (typeof cell !== 'string') return [column, cell];
    return [column, json.includes(column) ? storableJson(cell) : storableText(cell)];
  });
  return Object.fromEntries(cells) as R;
}

export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

// Whole escapes and whole pairs of them, so that neither a pair nor the `u0000` behind an escaped backslash is taken
// for what it looks like in part.
const escapes = /\\(?:ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|u([0-9a-f]{4})|.)/gi;

function storableJson(text: string): string {
  return storableText(text).replace(escapes, (whole, unit?: string) =>
    unit !== undefined && /^(0000|d[89a-f]..)$/i.test(unit) ? '\\ufffd' : whole,
  );
}
