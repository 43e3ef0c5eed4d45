/** How far behind a group is. Pure. */
import { AckWindow } from './ack-window.ts';
import type { Lane } from './lane.ts';
import type { Committed, Range } from './offsets.ts';

/** Messages of one topic that the group has not finished: by our windows where we work, by the commits elsewhere. */
export function unfinishedOf(
  topic: string,
  ranges: Map<number, Range>,
  committed: Map<number, Committed> | undefined,
  lanes: readonly Lane[],
): number {
  let messages = 0;
  for (const [partition, { low, high }] of ranges) {
    const lane = lanes.find((one) => one.partition === partition);
    const window = lane?.backlogOf(topic).window ?? windowOf(committed?.get(partition), low);
    messages += Math.max(0, high - window.base - window.finishedBeyond);
  }
  return messages;
}

function windowOf(committed: Committed | undefined, low: number): AckWindow {
  if (committed === undefined || committed.base === null) return new AckWindow(low);
  return new AckWindow(committed.base, committed.note.finished);
}

/** Milliseconds; null where nothing unfinished was read here. */
export function oldestAgeOf(lanes: readonly Lane[], now: number): number | null {
  const oldest = lanes.flatMap(({ main, retry }) => [main.oldestPublishedAt(), retry.oldestPublishedAt()]);
  const known = oldest.filter((at) => at !== null);
  return known.length === 0 ? null : Math.max(0, now - Math.min(...known));
}
