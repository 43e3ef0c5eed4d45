/**
 * Keeps calls from a model that does not answer.
 *
 *   closed ──▶ open          after so many failures in a row
 *   open ──▶ half_open       once its time is over: one call goes through, the others wait for what it brings
 *   half_open ──▶ closed     an answer, whatever it says
 *   half_open ──▶ open       another failure: for twice as long, up to a limit
 */
import { type OperatorError, stop } from '../../errors.ts';
import { orAborted } from './or-aborted.ts';

export interface BreakerOptions {
  /** Failures in a row after which it opens. */
  failures?: number;
  /** How long it stays open at first, and at most. */
  openMs?: number;
  maxOpenMs?: number;
  now?: () => Date;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

/** Whether the model is there; `unknown` where the call says nothing about that. */
export type Sign = 'answered' | 'failed' | 'unknown';

/** Leave to make one call. */
export interface Pass {
  /** @throws OperatorError `model_unavailable` where it opened since; for the one that is let through never. */
  check(): void;
  /** Ends it; the first word counts. */
  end(sign: Sign): void;
}

export interface Breaker {
  /**
   * Resolves when a call may be made.
   *
   * @throws OperatorError `model_unavailable` (stop, with `resumeAt`) while it is open; the signal's reason where it fired.
   */
  admit(signal: AbortSignal): Promise<Pass>;
  /** What `admit` would throw just now; null where it would not. */
  refusal(): OperatorError | null;
  status(): { state: BreakerState; resumeAt: Date | null };
}

export function createBreaker(model: string, options: BreakerOptions = {}): Breaker {
  const { failures: limit = 5, openMs = 30_000, maxOpenMs = 300_000, now = () => new Date() } = options;
  let failures = 0;
  let openings = 0;
  let openUntil: Date | null = null;
  /** Resolves when the one call that is let through has ended. */
  let probe: Promise<void> | null = null;

  function refusal(): OperatorError | null {
    if (openUntil === null || now() >= openUntil) return null;
    const until = openUntil.toISOString();
    const message = `${model} did not answer ${limit} times in a row or more: nothing is sent to it until ${until}; see that it is served and can be reached`;
    return stop('model_unavailable', message, { resumeAt: openUntil });
  }

  function throwIfOpen(): void {
    const error = refusal();
    if (error !== null) throw error;
  }

  function open(): void {
    openUntil = new Date(now().getTime() + Math.min(maxOpenMs, openMs * 2 ** openings));
    openings += 1;
  }

  function close(): void {
    failures = 0;
    openings = 0;
    openUntil = null;
  }

  function hear(sign: Sign, isProbe: boolean): void {
    if (sign === 'answered') close();
    if (sign !== 'failed') return;
    failures += 1;
    // Calls that were under way when it opened say nothing new.
    if (isProbe || (openUntil === null && failures >= limit)) open();
  }

  function pass(over: (() => void) | null): Pass {
    let ended = false;
    return {
      check: () => {
        if (over === null) throwIfOpen();
      },
      end(sign) {
        if (ended) return;
        ended = true;
        hear(sign, over !== null);
        over?.();
      },
    };
  }

  async function admit(signal: AbortSignal): Promise<Pass> {
    for (;;) {
      signal.throwIfAborted();
      throwIfOpen();
      if (openUntil === null) return pass(null);
      if (probe !== null) {
        await orAborted(probe, signal);
        continue;
      }
      let over = () => {};
      probe = new Promise((resolve) => {
        over = () => {
          probe = null;
          resolve();
        };
      });
      return pass(over);
    }
  }

  function status() {
    if (openUntil === null) return { state: 'closed' as const, resumeAt: null };
    return now() < openUntil
      ? { state: 'open' as const, resumeAt: openUntil }
      : { state: 'half_open' as const, resumeAt: null };
  }
  return { admit, refusal, status };
}
