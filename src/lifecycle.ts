/** Waiting, backing off and closing: what everything long-lived here needs. */

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
