import { describe, expect, it } from 'vitest';
import { park, retry, stop } from '../../src/errors.ts';
import { decideFailure, killsItsConsumer, maxUnfinishedDeliveries, pollMs } from '../../src/topic/decide.ts';

const rules = { maxAttempts: 3, backoff: { baseMs: 100, maxMs: 1_000, random: () => 1 } };

describe('what becomes of a failed delivery', () => {
  it('is decided by the kind of the error', () => {
    const stopping = stop('s', 'm');
    expect(decideFailure(stopping, 9, rules)).toEqual({ do: 'stop', error: stopping });
    expect(decideFailure(park('p', 'm'), 1, rules)).toEqual({ do: 'park', code: 'p', error: 'm' });
    expect(decideFailure(retry('r', 'm'), 1, rules)).toEqual({ do: 'retry', afterMs: 100 });
    expect(decideFailure(new Error('m'), 2, rules)).toEqual({ do: 'retry', afterMs: 200 });
  });

  it('is a dead letter once it has failed too often', () => {
    expect(decideFailure(retry('r', 'm'), 3, rules)).toEqual({ do: 'park', code: 'r', error: 'm' });
  });

  it('waits as long as the other side asked, if that is longer', () => {
    expect(decideFailure(retry('r', 'm', { retryAfterMs: 5_000 }), 1, rules)).toEqual({ do: 'retry', afterMs: 5_000 });
    expect(decideFailure(retry('r', 'm', { retryAfterMs: 5 }), 1, rules)).toEqual({ do: 'retry', afterMs: 100 });
  });

  it('counts deliveries without an outcome apart from failures', () => {
    expect(killsItsConsumer({ attempts: maxUnfinishedDeliveries, failures: 1 })).toBe(false);
    expect(killsItsConsumer({ attempts: maxUnfinishedDeliveries, failures: 0 })).toBe(true);
  });
});

it('looks for messages of other processes less often the longer there are none', () => {
  expect([0, 1, 2, 3, 50].map(pollMs)).toEqual([250, 250, 500, 1_000, 1_000]);
});
