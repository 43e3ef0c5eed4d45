/** A sealed part as a trajectory: the order of its turns, its id and the hash of its content. */
import { createHash } from 'node:crypto';
import { type CloseReason, type Micros, microsOf, type Position, type Trajectory, type Turn } from '../records.ts';
import type { PartState } from './part.ts';
import { comparePositions } from './sessionize.ts';

/** What a turn is ordered by. */
export interface OrderKey {
  rowKey: string;
  createdAt: string | null;
  committedAt: Micros | null;
  position: Position;
}

/**
 * By `createdAt`, where there is none by commit time, where there is neither next to the turn before it; ties by
 * position. Arrival order does not matter.
 */
export function inTurnOrder<T extends OrderKey>(turns: readonly T[]): T[] {
  const arrived = [...turns].sort((a, b) => comparePositions(a.position, b.position));
  let previous = Number.NEGATIVE_INFINITY;
  const timed = arrived.map((turn) => {
    previous = timeOf(turn) ?? previous;
    return { turn, at: previous };
  });
  // The sort is stable, so equal times stay by position. Subtraction would make NaN of two infinities.
  return timed.sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at))).map(({ turn }) => turn);
}

/** Null where neither of the two is a finite time. */
export function timeOf({ createdAt, committedAt }: OrderKey): Micros | null {
  const created = createdAt === null ? null : microsOf(createdAt);
  return created !== null && Number.isFinite(created) ? created : committedAt;
}

/** SHA-256 hex over source, session and the ordered row keys, framed as JSON so that no two lists run together. */
export function trajectoryIdOf(source: string, sessionId: string, orderedRowKeys: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify(['trajectory/1', source, sessionId, orderedRowKeys]))
    .digest('hex');
}

/** SHA-256 hex over the text of ordered turns: what the audit log's rows hold, nothing of when or how they came. */
export function contentHashOf(turns: readonly Turn[]): string {
  const hash = createHash('sha256');
  for (const t of turns) {
    const metadata = Object.entries(t.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    const text = [t.rowKey, t.agent, t.tool, t.arguments, t.response, t.costUsd, t.durationMs, t.createdAt, metadata];
    // A line of JSON holds no raw line break: the end of line is an unambiguous frame.
    hash.update(`${JSON.stringify(text)}\n`);
  }
  return hash.digest('hex');
}

export interface SealedPart {
  source: string;
  part: Pick<PartState, 'sessionId' | 'part' | 'firstAt' | 'lastAt'>;
  closedBy: CloseReason;
  /** In any order. */
  turns: readonly Turn[];
}

export function assembleTrajectory({ source, part, closedBy, turns }: SealedPart): Trajectory {
  const ordered = inTurnOrder(turns);
  const rowKeys = ordered.map((turn) => turn.rowKey);
  return {
    spec: 'trajectory/1',
    id: trajectoryIdOf(source, part.sessionId, rowKeys),
    source,
    sessionId: part.sessionId,
    part: part.part,
    agents: [...new Set(ordered.flatMap((turn) => turn.agent ?? []))],
    turns: ordered,
    startedAt: part.firstAt,
    endedAt: part.lastAt,
    closedBy,
    contentHash: contentHashOf(ordered),
  };
}
