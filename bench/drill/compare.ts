/** What must hold when the noise is over. */
import { join } from 'node:path';
import { tableNames, tables } from '../../src/dataset-tables.ts';
import { isoOf, microsOf } from '../../src/records.ts';
import { digestOfTurns, sessionsOfTable, trajectoriesOf } from '../../test/e2e/pipe.ts';
import { dumpMirror } from '../../test/sinks/mirror-harness.ts';
import { dumpOf } from '../../test/sinks/sqlite-harness.ts';
import { queryOn } from '../../test/support/postgres.ts';

export interface Comparison {
  /** Sessions of the log with ten turns or more. */
  qualifying: number;
  /** Sessions that are missing in a sink. */
  lost: string[];
  /** In a sink more than once, or though they should not be there. */
  tooMany: string[];
  /** With turns that are not the log's, in their order and text. */
  altered: string[];
  /** Where the two sinks differ: `table.column`, or `table` where rows are missing. */
  unequal: string[];
  pairs: number;
}

type Row = Record<string, unknown>;

export async function compareSinks(logUrl: string, mirrorUrl: string, dataDir: string): Promise<Comparison> {
  const digests = await sessionsOfTable(logUrl);
  const qualifying = await qualifyingSessions(logUrl);
  const stored = trajectoriesOf(dataDir);
  const times = new Map<string, number>();
  for (const { sessionId } of stored) times.set(sessionId, (times.get(sessionId) ?? 0) + 1);
  const file = dumpOf(join(dataDir, 'qa_pairs.sqlite'));
  const mirror = await dumpMirror(mirrorUrl);
  const mirrored = new Set(mirror.trajectories.map((row) => row.session_id));
  return {
    qualifying: qualifying.size,
    lost: [...qualifying].filter((id) => !times.has(id) || !mirrored.has(id)),
    tooMany: [...times].filter(([id, n]) => n > 1 || !qualifying.has(id)).map(([id]) => id),
    altered: stored
      .filter(({ sessionId, turns }) => digestOfTurns(turns) !== digests.get(sessionId))
      .map(({ sessionId }) => sessionId),
    unequal: [...tableNames, 'sessions' as const].flatMap((table) => differences(table, file[table], mirror[table])),
    pairs: file.qa_pairs.length,
  };
}

export async function qualifyingSessions(logUrl: string): Promise<Set<string>> {
  const rows = await queryOn(logUrl, 'SELECT session_id FROM audit_log GROUP BY session_id HAVING count(*) >= 10');
  return new Set(rows.map((row) => row.session_id ?? ''));
}

const timeColumns = ['created_at', 'compiled_at', 'started_at', 'ended_at'];

function differences(table: string, file: Row[], mirror: Row[]): string[] {
  if (file.length !== mirror.length) return [table];
  const [ours, theirs] = [inRowOrder(file), inRowOrder(mirror)];
  const columns = ours.flatMap((row, at) => Object.keys(row).filter((column) => row[column] !== theirs[at]?.[column]));
  // A pass over the dataset sets them, and tells the mirror when it can.
  const later: readonly string[] = table === 'qa_pairs' ? tables.qa_pairs.later : [];
  return [...new Set(columns)].filter((column) => !later.includes(column)).map((column) => `${table}.${column}`);
}

/** Rows as text by column; the file keeps times as they were written, the mirror as moments. */
function inRowOrder(rows: Row[]): Record<string, string>[] {
  const texts = rows.map((row) => {
    const cells = Object.entries(row).map(([column, value]) => {
      const same = timeColumns.includes(column) && value !== null ? isoOf(microsOf(String(value))!) : value;
      return [column, JSON.stringify(inOrder(same))] as const;
    });
    return Object.fromEntries(cells.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
  const keyOf = (row: Record<string, string>) =>
    `${row.id ?? row.key ?? row.session_id ?? row.trajectory_id}/${row.turn ?? ''}`;
  return texts.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** A database keeps the members of JSON objects in an order of its own. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, inner]) => [name, inOrder(inner)] as const);
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}
