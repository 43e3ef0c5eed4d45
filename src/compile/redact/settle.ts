/** Detections of a text as they are replaced: in order, none over another. */
import type { Detection } from './detection.ts';
import { secretKinds } from './kinds.ts';

/**
 * What overlaps becomes one, so that no piece of either is left over; it is of the kind that says most. Detections that
 * touch a placeholder (`taken`, in order) are none: what it stands for is gone.
 */
export function settle(found: readonly Detection[], taken: readonly { from: number; to: number }[]): Detection[] {
  const settled: Detection[] = [];
  let beside = 0;
  const ordered = found.length < 2 ? found : [...found].sort((a, b) => a.from - b.from || b.to - a.to);
  for (const detection of ordered) {
    const { from, to } = detection;
    while (beside < taken.length && taken[beside]!.to <= from) beside++;
    if (from >= to || (beside < taken.length && taken[beside]!.from < to)) continue;
    const last = settled.at(-1);
    if (last === undefined || last.to <= from) settled.push(detection);
    else settled[settled.length - 1] = merged(last, detection);
  }
  return settled;
}

function merged(first: Detection, second: Detection): Detection {
  const stronger = strengthOf(second) > strengthOf(first) ? second : first;
  return { ...stronger, from: Math.min(first.from, second.from), to: Math.max(first.to, second.to) };
}

/** Secrets first, then what is certain. */
export function strengthOf({ kind, certain }: Pick<Detection, 'kind' | 'certain'>): number {
  return (secretKinds.has(kind) ? 2 : 0) + (certain ? 1 : 0);
}
