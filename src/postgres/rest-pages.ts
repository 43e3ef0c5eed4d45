/** Pages of a table through PostgREST: every value as the server's text, in an order that a page can begin anywhere in. */
import type { Mapping, RowText } from './audit-table.ts';
import type { Query, RestRow, RestTable } from './rest-client.ts';
import { restFilterName, restName, restText } from './rest-grammar.ts';

export interface PageOptions {
  /** `history`: by time and key, as turns are ordered. `key`: what an index serves. */
  order: 'history' | 'key';
  filters: Query;
  /** A server may give fewer: 1,000 is what Supabase has for a default. */
  pageRows: number;
}

/**
 * Rows in the order of {@link Mapping.names}, page by page. A row is found by what stands before it, not by its number,
 * so rows that are added meanwhile move no other. The end is a page without rows: a short one may be the server's limit.
 */
export async function* pagesOf(
  table: RestTable,
  mapping: Mapping,
  { order, filters, pageRows }: PageOptions,
): AsyncGenerator<RowText[]> {
  const { names, at } = mapping;
  const key = names[at.key]!;
  const time = order === 'key' || at.time < 0 ? null : names[at.time]!;
  const sorting: Query = [
    ['select', selectionOf(mapping)],
    ['order', [...(time === null ? [] : [`${restName(time)}.asc.nullslast`]), `${restName(key)}.asc`].join(',')],
    ['limit', String(pageRows)],
  ];
  let cursor: Query = [[restFilterName(key), 'not.is.null']];
  for (;;) {
    const rows = (await table.get([...sorting, ...filters, ...cursor])).map((row) => textOf(row, mapping));
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    const keyText = last[at.key]!;
    cursor =
      time === null
        ? [[restFilterName(key), `gt.${keyText}`]]
        : behind({ name: time, text: last[at.time]! }, { name: key, text: keyText });
  }
}

/** The rows behind this one by time and key. Those without a time stand last. */
function behind(time: { name: string; text: string | null }, key: { name: string; text: string }): Query {
  if (time.text === null) {
    return [
      [restFilterName(time.name), 'is.null'],
      [restFilterName(key.name), `gt.${key.text}`],
    ];
  }
  const [name, at] = [restName(time.name), restText(time.text)];
  const tie = `and(${name}.eq.${at},${restName(key.name)}.gt.${restText(key.text)})`;
  return [['or', `(${name}.gt.${at},${tie},${name}.is.null)`]];
}

/**
 * Cast to text, so that `9007199254740993`, `1.10` and microseconds survive JSON. The cast alone says `true` where every
 * other way of reading says `t`: columns that may hold booleans are asked for as they are, too.
 */
export function selectionOf(mapping: Mapping): string {
  const plain = plainOf(mapping);
  return mapping.names
    .flatMap((name, index) => [
      `c${index}:${restName(name)}::text`,
      ...(plain.has(index) ? [`p${index}:${restName(name)}`] : []),
    ])
    .join(',');
}

/** Columns of the turn itself are text, numbers and times. */
function plainOf({ metadata, exclude }: Mapping): Set<number> {
  return new Set([...metadata, ...exclude].map(({ at }) => at));
}

export function textOf(row: RestRow, { names }: Mapping): RowText {
  return names.map((_, index) => {
    const plain = row[`p${index}`];
    if (typeof plain === 'boolean') return plain ? 't' : 'f';
    return (row[`c${index}`] as string | null | undefined) ?? null;
  });
}
