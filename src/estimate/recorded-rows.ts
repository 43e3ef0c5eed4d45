/** A file of recorded rows as the trajectories that capture would have made of them. */
import { openInput } from '../load/lines.ts';
import { parseLine, type RecordedRow } from '../load/row.ts';
import type { Lsn, Trajectory, Turn } from '../records.ts';
import { groupHistory } from '../sessionizer/history.ts';
import type { SessionRules } from '../sessionizer/part.ts';

export interface RecordedTrajectories {
  /** Of at least `minTurns` rows. */
  sessions: number;
  /** By their ends. */
  trajectories: Trajectory[];
}

const nowhere = '00000000/00000000' as Lsn;

/**
 * Lines that are no rows are left out.
 *
 * @throws OperatorError `file_unreadable`, `file_damaged`.
 */
export async function recordedTrajectories(file: string, rules: SessionRules): Promise<RecordedTrajectories> {
  const sessions = await sessionsOf(file);
  let last = 0;
  for (const rows of sessions.values()) for (const { at } of rows) last = Math.max(last, at);
  const options = { source: file, rules, snapshotAt: last + rules.idleTimeout + 1 };
  const trajectories: Trajectory[] = [];
  const long = [...sessions.values()].filter((rows) => rows.length >= rules.minTurns);
  for (const rows of long) {
    const inOrder = rows.toSorted((a, b) => a.at - b.at || a.line - b.line);
    for await (const { standing, trajectory } of groupHistory(inOrder.map(turnOf), options)) {
      if (standing === 'sealed') trajectories.push(trajectory);
    }
  }
  return { sessions: long.length, trajectories: trajectories.sort((a, b) => a.endedAt - b.endedAt) };
}

async function sessionsOf(file: string): Promise<Map<string, RecordedRow[]>> {
  const sessions = new Map<string, RecordedRow[]>();
  const input = await openInput(file);
  for await (const { number, bytes } of input.lines()) {
    const parsed = bytes === null ? null : parseLine(number, bytes);
    if (parsed === null || !parsed.ok) continue;
    const rows = sessions.get(parsed.row.sessionId) ?? [];
    sessions.set(parsed.row.sessionId, rows);
    rows.push(parsed.row);
  }
  return sessions;
}

function turnOf(row: RecordedRow, index: number): Turn {
  const { sessionId, agent, tool, arguments: args, response, costUsd, durationMs, createdAt } = row;
  const told = { sessionId, agent, tool, arguments: args, response, costUsd, durationMs, createdAt };
  return { ...told, rowKey: `line ${row.line}`, committedAt: null, position: { lsn: nowhere, ordinal: index } };
}
