import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createLimiter, type LimiterOptions } from '../../../src/compile/models/limiter.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const forever = new AbortController().signal;

/** Calls of so many tokens each, that last for no time; tells when each began, in seconds. */
async function startsOf(options: LimiterOptions, estimates: number[], used: number | null = null): Promise<number[]> {
  const limiter = createLimiter(options);
  const starts: number[] = [];
  const from = performance.now();
  const all = Promise.all(
    estimates.map(async (tokens) => {
      const lease = await limiter.acquire(tokens, forever);
      starts.push((performance.now() - from) / 1000);
      lease.release(used);
    }),
  );
  await vi.runAllTimersAsync();
  await all;
  return starts;
}

it('no window of a minute holds more calls than are allowed', async () => {
  const starts = await startsOf({ concurrency: 10, requestsPerMinute: 3 }, Array(8).fill(1));
  expect(starts).toEqual([0, 0, 0, 60, 60, 60, 120, 120]);
});

it('no window of a minute holds more tokens than are allowed, in the order in which they were asked for', async () => {
  const starts = await startsOf({ concurrency: 10, tokensPerMinute: 100 }, [60, 30, 50, 10, 100]);
  // The small call behind the large one waits its turn: else the large one might wait for ever.
  expect(starts).toEqual([0, 0, 60, 60, 120]);
});

it('what was counted takes the place of what was estimated', async () => {
  expect(await startsOf({ concurrency: 1, tokensPerMinute: 100 }, [90, 90, 90], 5)).toEqual([0, 0, 0]);
});

it('a call that is larger than a minute allows goes when nothing else was sent for one', async () => {
  expect(await startsOf({ concurrency: 10, tokensPerMinute: 100 }, [10, 500, 10])).toEqual([0, 60, 120]);
});

it('what is allowed is filled up, and no more is begun at once', async () => {
  const limiter = createLimiter({ concurrency: 2 });
  const leases = [await limiter.acquire(1, forever), await limiter.acquire(1, forever)];
  const third = limiter.acquire(1, forever);
  const full = { inFlight: 2, waiting: 1, limits: [{ limit: 'concurrency', allowed: 2, used: 2 }] };
  expect(limiter.status()).toEqual(full);
  // Said twice, it frees one place all the same.
  leases[0]?.release(null);
  leases[0]?.release(null);
  await third;
  const fourth = limiter.acquire(1, forever);
  expect(limiter.status()).toEqual(full);
  leases[1]?.release(null);
  await fourth;
});

it('nothing begins while the provider wants less', async () => {
  const limiter = createLimiter({ concurrency: 2 });
  limiter.hold(5_000);
  const from = performance.now();
  const waiting = limiter.acquire(1, forever).then(() => performance.now() - from);
  await vi.runAllTimersAsync();
  expect(await waiting).toBe(5_000);
});

it('whoever gives up leaves the line, and those behind go ahead', async () => {
  const limiter = createLimiter({ concurrency: 5, tokensPerMinute: 100 });
  await limiter.acquire(90, forever);
  const controller = new AbortController();
  const large = limiter.acquire(90, controller.signal);
  const small = limiter.acquire(10, forever);
  controller.abort(new Error('second signal'));
  await expect(large).rejects.toThrow('second signal');
  await small;
  expect(limiter.status()).toMatchObject({ inFlight: 2, waiting: 0 });
  await expect(limiter.acquire(1, controller.signal)).rejects.toThrow('second signal');
});

it('tells of each limit that is set what it allows and how much of it is used', async () => {
  const limiter = createLimiter({ concurrency: 3, requestsPerMinute: 10, tokensPerMinute: 1_000 });
  const used = () => limiter.status().limits.map((limit) => limit.used);
  expect(limiter.status().limits).toEqual([
    { limit: 'concurrency', allowed: 3, used: 0 },
    { limit: 'requests_per_minute', allowed: 10, used: 0 },
    { limit: 'tokens_per_minute', allowed: 1_000, used: 0 },
  ]);
  const first = await limiter.acquire(400, forever);
  vi.advanceTimersByTime(40_000);
  await limiter.acquire(100, forever);
  expect(used()).toEqual([2, 2, 500]);
  first.release(50);
  expect(used()).toEqual([1, 2, 150]);
  // What began a minute ago is none of the last one's.
  vi.advanceTimersByTime(20_000);
  expect(used()).toEqual([1, 1, 100]);
});

it('tells nothing of a limit that is not set', () => {
  const limits = createLimiter({ concurrency: 1, requestsPerMinute: 5, tokensPerMinute: null }).status().limits;
  expect(limits.map(({ limit }) => limit)).toEqual(['concurrency', 'requests_per_minute']);
});
