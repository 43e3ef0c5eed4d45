/** What must hold when the noise is over. */
import { join } from 'node:path';
import { tableNames } from '../../src/dataset-tables.ts';
import { isoOf, microsOf } from '../../src/records.ts';
import { digestOfTurns, sessionsOfTable, trajectoriesOf } from '../../test/e2e/pipe.ts';
import { dumpMirror } from '../../test/sinks/mirror-harness.ts';
import { dumpOf } from '../../test/sinks/sqlite-harness.ts';
import { queryOn } from '../../test/support/postgres.ts';

export interface Comparison {
  /** Sessions of the log with ten turns or more. */
  qualifying: number;
  /** In neither sink, or in one only. */
  lost: number;
  /** In a sink more than once, or though they should not be there. */
  tooMany: number;
  /** With turns that are not the log's, in their order and text. */
  altered: number;
  /** Tables in which the two sinks differ. */
  unequalTables: string[];
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
    lost: [...qualifying].filter((id) => !times.has(id) || !mirrored.has(id)).length,
    tooMany: [...times].filter(([id, n]) => n > 1 || !qualifying.has(id)).length,
    altered: stored.filter(({ sessionId, turns }) => digestOfTurns(turns) !== digests.get(sessionId)).length,
    unequalTables: [...tableNames, 'sessions' as const].filter(
      (table) => textOf(file[table]) !== textOf(mirror[table]),
    ),
    pairs: file.qa_pairs.length,
  };
}

export async function qualifyingSessions(logUrl: string): Promise<Set<string>> {
  const rows = await queryOn(logUrl, 'SELECT session_id FROM audit_log GROUP BY session_id HAVING count(*) >= 10');
  return new Set(rows.map((row) => row.session_id ?? ''));
}

const timeColumns = ['compiled_at', 'started_at', 'ended_at'];

/** Rows in an order of their own; the file keeps times as text, the mirror as moments. */
function textOf(rows: Row[]): string {
  const plain = (row: Row) =>
    Object.entries(row).map(([column, value]) => [
      column,
      timeColumns.includes(column) ? isoOf(microsOf(String(value))!) : value,
    ]);
  return JSON.stringify(rows.map((row) => JSON.stringify(inOrder(Object.fromEntries(plain(row))))).sort());
}

/** A database keeps the members of JSON objects in an order of its own. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, inner]) => [name, inOrder(inner)] as const);
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}
