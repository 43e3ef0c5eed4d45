import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, pause, Releasers } from '../src/lifecycle.ts';

describe('lifecycle', () => {
  it('a pause ends at once when its signal fires, and leaves no listener behind', async () => {
    const controller = new AbortController();
    const waited = pause(60_000, controller.signal).then(() => 'ended');
    controller.abort();
    expect(await waited).toBe('ended');
    await expect(pause(60_000, controller.signal)).resolves.toBeUndefined();
  });

  it('backoff grows to its ceiling and never beyond, whatever the dice say', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, dice) => {
        const ms = backoffMs(attempt, { baseMs: 100, maxMs: 5000, random: () => dice });
        expect(ms).toBeGreaterThanOrEqual(10);
        expect(ms).toBeLessThanOrEqual(5000);
      }),
    );
    expect(backoffMs(3, { baseMs: 100, maxMs: 5000, random: () => 1 })).toBe(400);
  });

  it('what was opened is closed in reverse, each even if another fails, and failures are named', async () => {
    const closed: string[] = [];
    const releasers = new Releasers();
    releasers.push('first', () => void closed.push('first'));
    releasers.push('second', () => {
      throw new Error('stuck');
    });
    releasers.push('third', async () => void closed.push('third'));
    const failures = await releasers.unwind();
    expect(closed).toEqual(['third', 'first']);
    expect(failures.map((f) => f.name)).toEqual(['second']);
  });
});
