/** Waiting, backing off and closing: what everything long-lived here needs. */
import { kindOf, messageOf, OperatorError } from './errors.ts';
import type { Logger } from './log.ts';

/** Resolves after `ms`, or at once when the signal fires: a wait is never a reason to stop late. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** What `work` resolves with, or undefined where `ms` pass before; leaves no timer behind, which would hold the process. */
export async function within<T>(ms: number, work: Promise<T> | undefined): Promise<T | undefined> {
  const over = new AbortController();
  try {
    return await Promise.race([work, pause(ms, over.signal).then(() => undefined)]);
  } finally {
    over.abort();
  }
}

export interface BackoffOptions {
  baseMs: number;
  maxMs: number;
  random?: () => number;
}

/**
 * Milliseconds before attempt `attempt` (1 is the first retry): full jitter, so that what failed together does not come
 * back together. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(attempt: number, { baseMs, maxMs, random = Math.random }: BackoffOptions): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(ceiling * (0.1 + 0.9 * random()));
}

export interface Perseverance {
  /** Ends the patience: the next failure is thrown. */
  signal: AbortSignal;
  log: Logger;
  /** What is tried, as it follows "can't". */
  doing: string;
  backoff?: BackoffOptions;
}

/** Attempts after which what does not work is no longer a hiccup. */
const hiccupAttempts = 5;

/**
 * Repeats `work`, ever more slowly, for as long as it fails with an error that says it may pass by itself, however long
 * that takes: the other side may be away for a day.
 *
 * @throws what is of another kind or unclassified, at once.
 */
export async function persevere<T>(work: () => Promise<T>, { signal, log, doing, ...more }: Perseverance): Promise<T> {
  const { backoff = { baseMs: 500, maxMs: 30_000 } } = more;
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await work();
      if (attempt > hiccupAttempts) log.info({ attempt }, `can ${doing} again`);
      return result;
    } catch (error) {
      if (!(error instanceof OperatorError) || kindOf(error) !== 'retry' || signal.aborted) throw error;
      const waitMs = Math.max(error.retryAfterMs ?? 0, backoffMs(attempt, backoff));
      const level = attempt < hiccupAttempts ? 'warn' : 'error';
      log[level]({ code: error.code, attempt, waitMs }, `can't ${doing}, trying again: ${messageOf(error)}`);
      await pause(waitMs, signal);
      if (signal.aborted) throw error;
    }
  }
}

type Release = () => void | Promise<void>;

/** Whoever opens a thing pushes how to close it; they are closed in reverse, each even if another fails. */
export class Releasers {
  readonly #stack: { name: string; release: Release }[] = [];

  push(name: string, release: Release): void {
    this.#stack.push({ name, release });
  }

  /** Closes all. Returns what did not close, by name. */
  async unwind(): Promise<{ name: string; error: unknown }[]> {
    const failures: { name: string; error: unknown }[] = [];
    for (let entry = this.#stack.pop(); entry !== undefined; entry = this.#stack.pop()) {
      try {
        await entry.release();
      } catch (error) {
        failures.push({ name: entry.name, error });
      }
    }
    return failures;
  }
}
