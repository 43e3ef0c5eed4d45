/** A table of turns, as pages of it are read. */
import { defaultColumns, mapColumns } from '../../src/postgres/audit-table.ts';
import type { PageReader } from '../../src/postgres/row-pages.ts';
import type { Turn } from '../../src/records.ts';
import { bucketOf } from '../../src/sessionizer/ledger.ts';

export interface TableStub {
  /** What it shows when it is read for its keys alone; by default the same rows. */
  keysOf: () => Turn[];
  oldestHour: number;
  /** A rule leaves its rows out. */
  excludedTool: string;
}

const columns = Object.values(defaultColumns).map((name) => ({ name, type: 'text' }));

export function describeRows(
  rows: Turn[],
  { keysOf = () => rows, oldestHour, excludedTool }: Partial<TableStub> = {},
): PageReader {
  const exclude = excludedTool === undefined ? [] : [{ column: defaultColumns.tool, equals: excludedTool }];
  const mapping = mapColumns(columns, { table: 'public.audit_log', exclude }, 'public.audit_log');
  const textOf = (turn: Turn) => mapping.names.map((name) => textIn(turn, name));
  const hours = rows.flatMap(({ createdAt }) => bucketOf(createdAt) ?? []);
  return {
    table: { schema: 'public', name: 'audit_log', oid: 1, sql: 'audit_log', partitioned: false, columns, mapping },
    source: 'test',
    indexed: { time: true, key: true },
    order: 'time',
    async *pages() {
      for (let at = 0; at < rows.length; at += 2) yield rows.slice(at, at + 2).map(textOf);
    },
    async *keys() {
      yield keysOf().map(({ rowKey, createdAt }) => ({ rowKey, createdAt }));
    },
    oldestHour: async () => oldestHour ?? (hours.length === 0 ? null : Math.min(...hours)),
    countWithoutKey: async () => 0,
    close: async () => {},
  };
}

function textIn(turn: Turn, name: string): string | null {
  const values: Record<string, string | null> = {
    [defaultColumns.key]: turn.rowKey,
    [defaultColumns.sessionId]: turn.sessionId,
    [defaultColumns.agent]: turn.agent,
    [defaultColumns.tool]: turn.tool,
    [defaultColumns.arguments]: turn.arguments,
    [defaultColumns.response]: turn.response,
    [defaultColumns.cost]: turn.costUsd,
    [defaultColumns.duration]: turn.durationMs,
    [defaultColumns.time]: turn.createdAt,
  };
  return values[name] ?? null;
}
