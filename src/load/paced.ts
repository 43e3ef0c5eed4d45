/** Hands out rows at the moment their offset says, faster by a factor: how recorded or simulated hours pass in seconds. */
import { pause } from '../lifecycle.ts';

export interface PaceOptions {
  /** Recorded milliseconds that pass in one real one: 60 shows a minute in a second; `Infinity` never waits. */
  speed: number;
  signal?: AbortSignal | undefined;
  /** Real milliseconds between two looks at the clock: rows that fall due between them come as one batch. */
  tickMs?: number;
  /** A batch ends with the row that reaches either; rows that say no size count as 0 bytes. */
  batchRows?: number;
  batchBytes?: number;
  /** A clock that never steps back, in milliseconds. */
  now?: () => number;
  wait?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** What can be paced: `offsetMs` counts from the start of the recording, `bytes` is the size in memory, roughly. */
export interface Timed {
  offsetMs: number;
  bytes?: number;
}

/** The longest wait in one piece: a laptop that slept is noticed within it. */
const longestWaitMs = 1_000;

/**
 * Batches of rows, each as soon as the last of it is due. `rows` come in the order of `offsetMs`; one that is out of
 * order is due at once. A consumer that is slow gets larger batches, never a longer show. Ends without an error when the
 * signal fires; rows not handed out by then are left.
 */
export async function* paced<T extends Timed>(
  rows: Iterable<T> | AsyncIterable<T>,
  options: PaceOptions,
): AsyncGenerator<T[]> {
  const { speed, signal, tickMs = 50, now = () => performance.now(), wait = pause } = options;
  const { batchRows = 1_000, batchBytes = 8 * 1024 * 1024 } = options;
  const startedAt = now();
  let due: T[] = [];
  let bytes = 0;
  for await (const row of rows) {
    const dueAt = startedAt + row.offsetMs / speed;
    while (dueAt > now() || due.length >= batchRows || bytes >= batchBytes) {
      if (due.length > 0) yield due;
      due = [];
      bytes = 0;
      if (signal?.aborted === true) return;
      if (dueAt > now()) await wait(Math.max(tickMs, Math.min(dueAt - now(), longestWaitMs)), signal);
    }
    due.push(row);
    bytes += row.bytes ?? 0;
  }
  if (due.length > 0) yield due;
}
