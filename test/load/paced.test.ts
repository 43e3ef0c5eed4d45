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

  it('hands out what is there while a slow source lets it wait for more', async () => {
    let release = () => {};
    async function* slow() {
      yield { offsetMs: 0 };
      yield { offsetMs: 0 };
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      yield { offsetMs: 0 };
    }
    const sizes: number[] = [];
    for await (const batch of paced(slow(), { speed: Number.POSITIVE_INFINITY, tickMs: 1 })) {
      sizes.push(batch.length);
      release();
    }
    expect(sizes).toEqual([2, 1]);
  });

  it('ends a batch at the row that reaches its size in rows or bytes', async () => {
    const sizes = async (more: { batchRows?: number; batchBytes?: number }) => {
      const found: number[] = [];
      const heavy = Array.from({ length: 5 }, () => ({ offsetMs: 0, bytes: 10 }));
      for await (const batch of paced(heavy, { speed: 1, ...more })) found.push(batch.length);
      return found;
    };
    expect(await sizes({ batchRows: 2 })).toEqual([2, 2, 1]);
    expect(await sizes({ batchBytes: 25 })).toEqual([3, 2]);
  });

  it('closes its source, also when the consumer leaves early', async () => {
    let closed = 0;
    function* source() {
      try {
        for (let i = 0; i < 10; i++) yield { offsetMs: 0 };
      } finally {
        closed++;
      }
    }
    for await (const _ of paced(source(), { speed: 1, batchRows: 2 })) break;
    for await (const _ of paced(source(), { speed: 1 }));
    expect(closed).toBe(2);
  });
});
