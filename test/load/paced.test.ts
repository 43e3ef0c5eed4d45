import { describe, expect, it } from 'vitest';
import { paced } from '../../src/load/paced.ts';

const rows = [0, 10, 600, 60_000, 60_010, 120_000].map((offsetMs) => ({ offsetMs }));

/** A clock that only waiting moves. */
function stoppedClock() {
  let at = 1_000;
  return {
    now: () => at,
    wait: async (ms: number) => {
      at += ms;
    },
    spend: (ms: number) => {
      at += ms;
    },
  };
}

describe('paced', () => {
  it('hands out every row once, in order, none before its time', async () => {
    const clock = stoppedClock();
    const seen: { offsetMs: number }[] = [];
    for await (const batch of paced(rows, { speed: 60, ...clock })) {
      for (const row of batch) expect(clock.now() - 1_000).toBeGreaterThanOrEqual(row.offsetMs / 60);
      seen.push(...batch);
    }
    expect(seen).toEqual(rows);
  });

  it('takes the length of the recording divided by the speed', async () => {
    const clock = stoppedClock();
    for await (const _ of paced(rows, { speed: 60, ...clock }));
    expect(clock.now() - 1_000).toBeGreaterThanOrEqual(2_000);
    expect(clock.now() - 1_000).toBeLessThan(2_100);
  });

  it('gives a slow consumer what has fallen due meanwhile as one batch', async () => {
    const clock = stoppedClock();
    const sizes: number[] = [];
    for await (const batch of paced(rows, { speed: 60, ...clock })) {
      sizes.push(batch.length);
      clock.spend(5_000);
    }
    expect(sizes).toEqual([1, 5]);
  });

  it('ends at once when the signal fires while it waits', async () => {
    const controller = new AbortController();
    const seen: unknown[] = [];
    for await (const batch of paced([{ offsetMs: 0 }, { offsetMs: 3_600_000 }], {
      speed: 1,
      signal: controller.signal,
    })) {
      seen.push(...batch);
      controller.abort();
    }
    expect(seen).toHaveLength(1);
  });
});
