import { expect, it } from 'vitest';
import { createBreaker, type Sign } from '../../../src/compile/models/breaker.ts';

const forever = new AbortController().signal;

function breakerAt(start = Date.parse('2026-11-21T12:00:00Z')) {
  let at = start;
  const now = () => new Date(at);
  const breaker = createBreaker('model-1', { failures: 3, openMs: 30_000, maxOpenMs: 100_000, now });
  const call = async (sign: Sign) => (await breaker.admit(forever)).end(sign);
  return {
    breaker,
    call,
    in: (seconds: number) => {
      at += seconds * 1000;
    },
    fail: async (times: number) => {
      for (let n = 0; n < times; n++) await call('failed');
    },
    refused: () => breaker.admit(forever).catch((error: { code: string; resumeAt: Date }) => error),
  };
}

it('opens after so many failures in a row, and says until when nothing is sent', async () => {
  const { breaker, call, fail, refused } = breakerAt();
  await fail(2);
  await call('answered');
  await fail(2);
  // Says nothing of whether the model is there.
  await call('unknown');
  expect(breaker.status()).toEqual({ state: 'closed', resumeAt: null });
  await fail(1);
  const resumeAt = new Date('2026-11-21T12:00:30Z');
  expect(breaker.status()).toEqual({ state: 'open', resumeAt });
  expect(await refused()).toMatchObject({ kind: 'stop', code: 'model_unavailable', resumeAt });
});

it('lets one call through once its time is over; the others wait for what it brings', async () => {
  const { breaker, call, fail, in: later } = breakerAt();
  await fail(3);
  later(30);
  expect(breaker.status().state).toBe('half_open');
  const probe = await breaker.admit(forever);
  let others = 0;
  const waiting = [1, 2].map(() => breaker.admit(forever).finally(() => others++));
  const controller = new AbortController();
  const gone = breaker.admit(controller.signal);
  controller.abort(new Error('second signal'));
  await expect(gone).rejects.toThrow('second signal');
  expect(others).toBe(0);
  probe.end('answered');
  await Promise.all(waiting);
  expect(breaker.status().state).toBe('closed');
  // Closed means closed: the count begins anew.
  await call('failed');
  expect(breaker.status().state).toBe('closed');
});

it('opens for twice as long after each failure of that one call, up to a limit', async () => {
  const { breaker, call, fail, in: later, refused } = breakerAt();
  await fail(3);
  for (const wait of [30, 60, 100, 100]) {
    const until = breaker.status().resumeAt!;
    later(wait - 1);
    expect(await refused()).toMatchObject({ resumeAt: until });
    later(1);
    const probe = await breaker.admit(forever);
    const other = breaker.admit(forever);
    probe.end('failed');
    await expect(other).rejects.toMatchObject({ code: 'model_unavailable' });
  }
  later(100);
  await call('answered');
  await fail(3);
  expect(breaker.status().resumeAt).toEqual(new Date(Date.parse('2026-11-21T12:00:30Z') + 390_000));
});

it('lets the next one through where that call never came to be made', async () => {
  const { breaker, fail, in: later } = breakerAt();
  await fail(3);
  later(30);
  const probe = await breaker.admit(forever);
  const next = breaker.admit(forever);
  probe.end('unknown');
  (await next).end('answered');
  expect(breaker.status().state).toBe('closed');
});

it('stops those who had leave before it opened, and calls under way do not prolong it', async () => {
  const { breaker, fail, in: later } = breakerAt();
  const [waiting, late, answering] = await Promise.all([1, 2, 3].map(() => breaker.admit(forever)));
  await fail(3);
  expect(() => waiting?.check()).toThrow(/model-1/);
  later(10);
  late?.end('failed');
  expect(breaker.status().resumeAt).toEqual(new Date('2026-11-21T12:00:30Z'));
  // It is there after all.
  answering?.end('answered');
  expect(breaker.status().state).toBe('closed');
});
