/** How far behind a group is. Pure. */
import { AckWindow } from './ack-window.ts';
import type { Lane } from './lane.ts';
import type { Committed, Range } from './offsets.ts';

/** What the group has not finished of one partition of one topic. */
export interface Unfinished {
  topic: string;
  partition: number;
  messages: number;
  /** Offset of the first of them. */
  first: number;
}

/** By our windows where we work, by the commits elsewhere. */
export function unfinishedOf(
  topic: string,
  ranges: Map<number, Range>,
  committed: Map<number, Committed> | undefined,
  lanes: readonly Lane[],
): Unfinished[] {
  return [...ranges].map(([partition, { low, high }]) => {
    const lane = lanes.find((one) => one.partition === partition);
    const window = lane?.backlogOf(topic).window ?? windowOf(committed?.get(partition), low);
    const messages = Math.max(0, high - window.base - window.finishedBeyond);
    return { topic, partition, messages, first: Math.max(low, window.base) };
  });
}

function windowOf(committed: Committed | undefined, low: number): AckWindow {
  if (committed === undefined || committed.base === null) return new AckWindow(low);
  return new AckWindow(committed.base, committed.note.finished);
}

/** What waits in the retry topic is counted with the partition that it came from. */
export function byPartition(unfinished: readonly Unfinished[]): { partition: number; messages: number }[] {
  const sums = new Map<number, number>();
  for (const { partition, messages } of unfinished) sums.set(partition, (sums.get(partition) ?? 0) + messages);
  return [...sums].sort(([a], [b]) => a - b).map(([partition, messages]) => ({ partition, messages }));
}

/** Milliseconds since 1970; null where nothing unfinished was read here. */
export function oldestReadHere(lanes: readonly Lane[]): number | null {
  const oldest = lanes.flatMap(({ main, retry }) => [main.oldestPublishedAt(), retry.oldestPublishedAt()]);
  const known = oldest.filter((at) => at !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Partitions whose messages are read elsewhere, or were not read here yet. */
export function notReadHere(unfinished: readonly Unfinished[], lanes: readonly Lane[]): Unfinished[] {
  return unfinished.filter(({ topic, partition, messages }) => {
    const lane = lanes.find((one) => one.partition === partition);
    return lane === undefined || (messages > 0 && lane.backlogOf(topic).oldestPublishedAt() === null);
  });
}
