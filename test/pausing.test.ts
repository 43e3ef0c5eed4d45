import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { exitCodes, OperatorError, retry, stop } from '../src/errors.ts';
import { createPauses } from '../src/pausing.ts';
import { silent } from './support/capture.ts';

const never = new AbortController().signal;
const hour = 3_600_000;
const noMoney = () =>
  stop('budget_exhausted', 'the day is paid out', {
    exitCode: exitCodes.budget,
    resumeAt: new Date(Date.now() + hour),
  });
const modelAway = () => stop('model_unavailable', 'away', { resumeAt: new Date(Date.now() + 30_000) });

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Fails so often, then resolves with how often it was done. */
function work(failures: number, error: () => Error) {
  let done = 0;
  return async () => {
    done += 1;
    if (done <= failures) throw error();
    return done;
  };
}

describe('a pause', () => {
  it('lasts until the money of the next period is there, looks now and then, and says what it waits for', async () => {
    const pauses = createPauses({ waitsForMoney: true, log: silent });
    const begun = Date.now();
    const resumed = new Date(begun + hour);
    const isOver = () => Date.now() >= resumed.getTime();
    const doing = pauses.outlast(async () => {
      if (!isOver()) throw stop('budget_exhausted', 'paid out', { exitCode: exitCodes.budget, resumeAt: resumed });
      return Date.now();
    }, never);
    await vi.advanceTimersByTimeAsync(1);
    expect(pauses.current()).toEqual({ code: 'budget_exhausted', message: 'paid out', until: resumed });
    await vi.advanceTimersByTimeAsync(hour);
    expect((await doing) - begun).toBe(hour);
    expect(pauses.current()).toBeNull();
  });

  it('is left out by whoever wants to end, unless a model is only away for a moment', async () => {
    const pauses = createPauses({ waitsForMoney: false, log: silent });
    await expect(pauses.outlast(work(1, noMoney), never)).rejects.toMatchObject({ code: 'budget_exhausted' });
    const doing = pauses.outlast(work(2, modelAway), never);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await doing).toBe(3);
  });

  it('ends with what it waited for when it is told to stop, so that the message stays where it is', async () => {
    const pauses = createPauses({ waitsForMoney: true, log: silent });
    const controller = new AbortController();
    const doing = pauses.outlast(work(1, noMoney), controller.signal);
    const ended = expect(doing).rejects.toMatchObject({ kind: 'stop', code: 'budget_exhausted' });
    await vi.advanceTimersByTimeAsync(1);
    controller.abort();
    await ended;
  });

  it('is what a rate limit means too, and one that is told to stop meanwhile has not failed', async () => {
    const pauses = createPauses({ waitsForMoney: false, log: silent });
    const limited = () =>
      new OperatorError('fewer calls', { kind: 'retry', code: 'limited', resumeAt: new Date(Date.now() + 90_000) });
    const doing = pauses.outlast(work(2, limited), never);
    await vi.advanceTimersByTimeAsync(180_000);
    expect(await doing).toBe(3);
    const controller = new AbortController();
    const stopped = expect(pauses.outlast(work(1, limited), controller.signal)).rejects.toMatchObject({ kind: 'stop' });
    controller.abort();
    await stopped;
  });

  it('is nothing for other errors', async () => {
    const pauses = createPauses({ waitsForMoney: true, log: silent });
    for (const error of [retry('away', 'away'), stop('refused', 'refused'), new Error('unknown')])
      await expect(
        pauses.outlast(
          work(1, () => error),
          never,
        ),
      ).rejects.toBe(error);
  });
});
