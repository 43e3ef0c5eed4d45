/** Calls of one model at once, requests a minute and tokens a minute, in the order in which they were asked for. */

export interface LimiterOptions {
  concurrency: number;
  /** Null for no limit. */
  requestsPerMinute?: number | null;
  tokensPerMinute?: number | null;
}

/** A limit of this process on one model. */
export interface LimitUse {
  limit: 'concurrency' | 'requests_per_minute' | 'tokens_per_minute';
  allowed: number;
  /** Now, or within the last minute; tokens by estimate until they are counted. */
  used: number;
}

export interface Lease {
  /** Ends the call; a second word changes nothing. `tokens` replaces what was estimated; null where they are not known. */
  release(tokens: number | null): void;
}

export interface Limiter {
  /**
   * Resolves when the call may begin. Whoever asks for more than a minute allows goes when nothing else was sent for one.
   *
   * @throws the signal's reason where it fired.
   */
  acquire(estimatedTokens: number, signal: AbortSignal): Promise<Lease>;
  /** Lets nothing begin for so long: the provider asked for fewer calls. */
  hold(ms: number): void;
  /** `limits`: those that are set. */
  status(): { inFlight: number; waiting: number; limits: LimitUse[] };
}

const minuteMs = 60_000;

interface Waiting {
  tokens: number;
  start(lease: Lease): void;
}

/** A call that began within the last minute: no window of a minute holds more than is allowed. */
interface Begun {
  at: number;
  tokens: number;
}

export function createLimiter({ concurrency, requestsPerMinute, tokensPerMinute }: LimiterOptions): Limiter {
  const requests = requestsPerMinute ?? Number.POSITIVE_INFINITY;
  const tokens = tokensPerMinute ?? Number.POSITIVE_INFINITY;
  const queue: Waiting[] = [];
  const begun: Begun[] = [];
  let inFlight = 0;
  let heldUntil = 0;
  let timer: NodeJS.Timeout | undefined;

  /** What began more than a minute ago. */
  function forget(now: number): void {
    while (begun[0] !== undefined && begun[0].at + minuteMs <= now) begun.shift();
  }

  const tokensBegun = () => begun.reduce((sum, call) => sum + call.tokens, 0);

  /** Milliseconds until the first in line may begin; 0 for now. */
  function waitMs(needed: number, now: number): number {
    forget(now);
    let left = begun.length;
    let taken = tokensBegun();
    let freeAt = now;
    for (const call of begun) {
      if (left < requests && taken + needed <= tokens) break;
      left -= 1;
      taken -= call.tokens;
      freeAt = call.at + minuteMs;
    }
    return Math.max(freeAt, heldUntil) - now;
  }

  function begin(estimated: number): Lease {
    const call = { at: performance.now(), tokens: estimated };
    let over = false;
    begun.push(call);
    inFlight += 1;
    return {
      release(used) {
        if (over) return;
        over = true;
        call.tokens = used ?? call.tokens;
        inFlight -= 1;
        pump();
      },
    };
  }

  /** Strictly in order: a small call that went ahead of a large one would keep it waiting for ever. */
  function pump(): void {
    clearTimeout(timer);
    for (let first = queue[0]; first !== undefined && inFlight < concurrency; first = queue[0]) {
      const wait = waitMs(first.tokens, performance.now());
      if (wait > 0) {
        timer = setTimeout(pump, Math.ceil(wait));
        return;
      }
      queue.shift();
      first.start(begin(first.tokens));
    }
  }

  function acquire(estimatedTokens: number, signal: AbortSignal): Promise<Lease> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = () => {
        queue.splice(queue.indexOf(waiting), 1);
        reject(signal.reason);
        pump();
      };
      const waiting: Waiting = {
        tokens: estimatedTokens,
        start(lease) {
          signal.removeEventListener('abort', onAbort);
          resolve(lease);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(waiting);
      pump();
    });
  }

  return {
    acquire,
    hold(ms) {
      heldUntil = Math.max(heldUntil, performance.now() + ms);
    },
    status() {
      forget(performance.now());
      const limits: LimitUse[] = [
        { limit: 'concurrency', allowed: concurrency, used: inFlight },
        { limit: 'requests_per_minute', allowed: requests, used: begun.length },
        { limit: 'tokens_per_minute', allowed: tokens, used: tokensBegun() },
      ];
      return { inFlight, waiting: queue.length, limits: limits.filter(({ allowed }) => Number.isFinite(allowed)) };
    },
  };
}
