import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { park, retry, stop } from '../src/errors.ts';
import { backoffMs, pause, persevere, Releasers } from '../src/lifecycle.ts';
import { createLogger } from '../src/log.ts';

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

describe('persevering', () => {
  const log = createLogger('silent');
  const backoff = { baseMs: 1, maxMs: 2 };

  it('goes on for as long as the failure may pass', async () => {
    let attempts = 0;
    const work = async () => {
      if (++attempts < 20) throw retry('away', 'the other side is away');
      return 'done';
    };
    const signal = new AbortController().signal;
    expect(await persevere(work, { signal, log, doing: 'try', backoff })).toBe('done');
    expect(attempts).toBe(20);
  });

  it.each([
    ['parks', park('bad', 'no good')],
    ['stops', stop('worse', 'no use')],
    ['nobody classified', new Error('a fault of ours')],
  ])('throws at once what %s', async (_, error) => {
    let attempts = 0;
    const work = async () => {
      attempts++;
      throw error;
    };
    const signal = new AbortController().signal;
    await expect(persevere(work, { signal, log, doing: 'try', backoff })).rejects.toBe(error);
    expect(attempts).toBe(1);
  });

  it('ends its wait when it is stopped, with the failure', async () => {
    const stopping = new AbortController();
    const away = retry('away', 'the other side is away', { retryAfterMs: 3_600_000 });
    const ended = persevere(
      async () => {
        throw away;
      },
      { signal: stopping.signal, log, doing: 'try', backoff },
    );
    stopping.abort();
    await expect(ended).rejects.toBe(away);
  });
});
