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
 * order is due at once. A consumer that is slow gets larger batches, never a longer show, and a source that is slow
 * holds back no row that is there. Ends without an error when the signal fires; rows not handed out by then are left.
 */
export async function* paced<T extends Timed>(
  rows: Iterable<T> | AsyncIterable<T>,
  options: PaceOptions,
): AsyncGenerator<T[]> {
  const { speed, signal, tickMs = 50, now = () => performance.now(), wait = pause } = options;
  const { batchRows = 1_000, batchBytes = 8 * 1024 * 1024 } = options;
  const source = Symbol.asyncIterator in rows ? rows[Symbol.asyncIterator]() : rows[Symbol.iterator]();
  const startedAt = now();
  let due: T[] = [];
  let bytes = 0;
  const take = () => {
    const batch = due;
    due = [];
    bytes = 0;
    return batch;
  };
  try {
    for (;;) {
      const pending = source.next();
      if (due.length > 0 && pending instanceof Promise && (await isLate(pending, tickMs))) yield take();
      const next = await pending;
      if (next.done === true) break;
      const row = next.value;
      const dueAt = startedAt + row.offsetMs / speed;
      while (dueAt > now() || due.length >= batchRows || bytes >= batchBytes) {
        if (due.length > 0) yield take();
        if (signal?.aborted === true) return;
        if (dueAt > now()) await wait(Math.max(tickMs, Math.min(dueAt - now(), longestWaitMs)), signal);
      }
      due.push(row);
      bytes += row.bytes ?? 0;
    }
    if (due.length > 0) yield take();
  } finally {
    // Not awaited: a source that is asked for its next row closes only after it has given one.
    Promise.resolve(source.return?.()).catch(() => {});
  }
}

/** Whether the source lets us wait for longer than `ms`. */
async function isLate(pending: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), ms);
  });
  const there = () => false;
  try {
    return await Promise.race([pending.then(there, there), late]);
  } finally {
    clearTimeout(timer);
  }
}
