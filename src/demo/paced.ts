/** Hands out rows at the moment their offset says, faster by a factor: how recorded or simulated hours pass in seconds. */
import { pause } from '../lifecycle.ts';

export interface PaceOptions {
  /** Recorded milliseconds that pass in one real one: 60 shows a minute in a second. */
  speed: number;
  signal?: AbortSignal;
  /** Real milliseconds between two looks at the clock: rows that fall due between them come as one batch. */
  tickMs?: number;
  /** A clock that never steps back, in milliseconds. */
  now?: () => number;
  wait?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/**
 * Batches of rows, each as soon as the last of it is due. `rows` must be in the order of `offsetMs`. A consumer that is
 * slow gets larger batches, never a longer show. Ends without an error when the signal fires.
 */
export async function* paced<T extends { offsetMs: number }>(
  rows: Iterable<T>,
  { speed, signal, tickMs = 50, now = () => performance.now(), wait = pause }: PaceOptions,
): AsyncGenerator<T[]> {
  const startedAt = now();
  let due: T[] = [];
  for (const row of rows) {
    const dueAt = startedAt + row.offsetMs / speed;
    while (dueAt > now()) {
      if (due.length > 0) {
        yield due;
        due = [];
      }
      if (signal?.aborted === true) return;
      await wait(Math.max(tickMs, Math.min(dueAt - now(), 1_000)), signal);
    }
    due.push(row);
  }
  if (due.length > 0) yield due;
}
