import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Budget, BudgetRefusal, type SpendAsk } from '../../../src/compile/budget/budget.ts';
import { type CallStore, openCallStore } from '../../../src/compile/calls.ts';
import { createDoor, type DoorOptions } from '../../../src/compile/models/door.ts';
import { createDoors } from '../../../src/compile/models/doors.ts';
import { type Model, ModelFault, type ModelReply } from '../../../src/compile/models/model.ts';
import type { Question } from '../../../src/compile/models/question.ts';
import { until } from '../../support/capture.ts';

let calls: CallStore;
beforeEach(() => {
  calls = openCallStore(':memory:');
});
afterEach(() => calls.close());

const forever = new AbortController().signal;
const questionOf = (prompt: string): Question => ({
  request: { system: 'fixed', prompt, schema: {}, maxOutputTokens: 1_000 },
  segmentId: 'segment-1',
  trajectoryId: 'trajectory-1',
  agent: 'tester',
  stage: 'compile',
  fresh: false,
});

const reply: ModelReply = {
  text: '{}',
  model: 'model-1',
  finishReason: 'STOP',
  blockReason: null,
  usage: { promptTokens: 100, cachedTokens: 0, outputTokens: 50, thinkingTokens: 0 },
};
const refused = new ModelFault('rate_limited', 'fewer calls', { kind: 'retry', mayBeBilled: false });
const unavailable = new ModelFault('unavailable', 'not there', { kind: 'retry', mayBeBilled: false });

/** A model that does what it is told in turn, the last thing for ever. */
function modelOf(...turns: (ModelReply | Error | ((signal: AbortSignal) => Promise<ModelReply>))[]) {
  let asked = 0;
  const model: Model = {
    provider: 'local',
    name: 'model-1',
    serviceTier: 'standard',
    settings: '{}',
    generate: async (_request, signal) => {
      const turn = turns[Math.min(asked++, turns.length - 1)]!;
      if (turn instanceof Error) throw turn;
      return typeof turn === 'function' ? turn(signal) : turn;
    },
  };
  return { model, asked: () => asked };
}

const never = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

const prices = { 'model-1': { input: 10, output: 20 } };
const doorOf = (model: Model, options: Partial<DoorOptions> = {}) =>
  createDoor({ model, calls, prices, backoff: { baseMs: 1, maxMs: 2 }, ...options });

/** A budget that writes down what it hears. */
function budgetOf(admit: (ask: SpendAsk, signal: AbortSignal) => Promise<void> | void = () => {}) {
  const heard: string[] = [];
  const asks: SpendAsk[] = [];
  const budget: Budget = {
    async reserve(ask, signal) {
      asks.push(ask);
      await admit(ask, signal);
      heard.push('reserved');
      return {
        async settle(costUsd) {
          const recorded = (await calls.unsettled('segment-1')).some(({ id }) => id === ask.callId);
          heard.push(`settled ${costUsd}${recorded ? ', recorded' : ''}`);
        },
      };
    },
    levels: async () => [],
    close: async () => {},
  };
  return { budget, heard, asks };
}

describe('what a call may cost', () => {
  it('is reserved before each attempt, and settled by what it did cost once that is on disk', async () => {
    const { budget, heard, asks } = budgetOf();
    const { model } = modelOf(refused, new Error('nobody knows why'), reply);
    const { calls: made } = await doorOf(model, { budget }).ask(questionOf('12 bytes, €'), forever);
    // 100 × 10 + 50 × 20 millionths; a refused call costs nothing, of a failed one nobody knows.
    const settled = ['0', 'null', '0.002'].flatMap((usd) => ['reserved', `settled ${usd}, recorded`]);
    expect(heard).toEqual(settled);
    expect(asks.map(({ callId }) => callId)).toEqual(made.map(({ id }) => id));
    // A token is a byte at least: 5 + 13 + 2 of them and 512 for what stands around, 1,000 out.
    const maxUsd = ((5 + 13 + 2 + 512) * 10 + 1_000 * 20) / 1e6;
    expect(asks[0]).toMatchObject({ trajectoryId: 'trajectory-1', agent: 'tester', stage: 'compile', maxUsd });
  });

  it('is not known of a model without a price, nor of one that answers under a name without one', async () => {
    const { budget, asks } = budgetOf();
    const { model } = modelOf({ ...reply, model: 'renamed' });
    await doorOf(model, { budget, prices: {} }).ask(questionOf('a'), forever);
    const door = doorOf(model, { budget });
    await door.ask(questionOf('b'), forever);
    await door.ask(questionOf('c'), forever);
    expect(asks.map(({ maxUsd }) => maxUsd === null)).toEqual([true, false, true]);
  });

  it('holds no place in the line while its money is waited for', async () => {
    let pay = () => {};
    const paid = new Promise<void>((resolve) => {
      pay = resolve;
    });
    const poor = budgetOf(({ agent }) => (agent === 'poor' ? paid : undefined));
    const door = doorOf(modelOf(reply).model, { budget: poor.budget, concurrency: 1 });
    const waiting = door.ask({ ...questionOf('poor'), agent: 'poor' }, forever);
    await until('the question for money', () => poor.asks.length === 1);
    await door.ask(questionOf('rich'), forever);
    pay();
    await waiting;
    // Otherwise they would wait for each other.
  }, 10_000);

  it('stays spent where nobody could write down what it did cost', async () => {
    const { budget, heard } = budgetOf();
    const broken: CallStore = {
      ...calls,
      answer: (key) => calls.answer(key),
      record: () => Promise.reject(new Error('disk full')),
    };
    const door = doorOf(modelOf(reply).model, { budget, calls: broken });
    await expect(door.ask(questionOf('a'), forever)).rejects.toThrow('disk full');
    expect(heard).toEqual(['reserved', 'settled null']);
  });

  it('is given back whole where the call was never made', async () => {
    const { budget, heard } = budgetOf();
    const { model, asked } = modelOf(never);
    const door = doorOf(model, { budget, concurrency: 1 });
    const holding = new AbortController();
    const first = door.ask(questionOf('first'), holding.signal);
    await until('the first call', () => asked() === 1);
    const leaving = new AbortController();
    const second = door.ask(questionOf('second'), leaving.signal);
    await until('the second in line', () => door.status().waiting === 1);
    leaving.abort(new Error('left'));
    await expect(second).rejects.toThrow('left');
    expect(heard).toEqual(['reserved', 'reserved', 'settled 0']);
    holding.abort(new Error('left too'));
    await expect(first).rejects.toThrow('left too');
    expect(heard.at(-1)).toBe('settled null, recorded');
  });

  it('refused to one trajectory says nothing about another with the same question', async () => {
    const refusal = new BudgetRefusal('too dear', { scope: 'trajectory', since: new Date() });
    let asked = 0;
    const { budget } = budgetOf(async () => {
      asked += 1;
      if (asked > 1) return;
      await new Promise((resolve) => setImmediate(resolve));
      throw refusal;
    });
    const door = doorOf(modelOf(reply).model, { budget });
    const both = await Promise.allSettled([
      door.ask(questionOf('same'), forever),
      door.ask(questionOf('same'), forever),
    ]);
    expect(both).toMatchObject([{ reason: refusal }, { value: { reply } }]);
  });
});

describe('trying again', () => {
  it('waits as long as was asked, and by chance some more, and others wait as well', async () => {
    const { model, asked } = modelOf(
      new ModelFault('rate_limited', 'fewer', { kind: 'retry', mayBeBilled: false, retryAfterMs: 40 }),
      reply,
    );
    const door = doorOf(model);
    const from = performance.now();
    const first = door.ask(questionOf('first'), forever);
    await until('the first attempt', () => asked() === 1);
    await door.ask(questionOf('second'), forever);
    expect(performance.now() - from).toBeGreaterThanOrEqual(40);
    await first;
  });

  it('is as random as it is told to be: what failed together does not come back together', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout');
    for (const random of [() => 0, () => 1]) {
      const { model } = modelOf(refused, reply);
      const question = { ...questionOf('x'), fresh: true };
      await doorOf(model, { backoff: { baseMs: 31, maxMs: 31 }, random }).ask(question, forever);
    }
    expect(timers.mock.calls.map(([, ms]) => ms)).toEqual(expect.arrayContaining([3, 31]));
    timers.mockRestore();
  });

  it('ends where it would last for too long, however many attempts are left', async () => {
    const { model, asked } = modelOf(new ModelFault('x', 'x', { kind: 'retry', mayBeBilled: false, retryAfterMs: 20 }));
    const error = doorOf(model, { maxElapsedMs: 15 }).ask(questionOf('a'), forever);
    await expect(error).rejects.toMatchObject({ kind: 'retry', retryAfterMs: 20 });
    expect(asked()).toBe(1);
  });

  it('is left to whoever can wait where there are too many calls, but not for years', async () => {
    const at = new Date('2026-11-21T12:00:00Z');
    const failure = (retryAfterMs?: number) => {
      const limited = new ModelFault('rate_limited', 'x', { kind: 'retry', mayBeBilled: false, retryAfterMs });
      return doorOf(modelOf(limited).model, { maxAttempts: 1, now: () => at }).ask(questionOf('a'), forever);
    };
    await expect(failure()).rejects.toMatchObject({ kind: 'retry', resumeAt: new Date('2026-11-21T12:00:30Z') });
    const hours = { retryAfterMs: 3_600_000, resumeAt: new Date('2026-11-21T13:00:00Z') };
    await expect(failure(1e12)).rejects.toMatchObject(hours);
  });

  it('ends at once when given up', async () => {
    const { model, asked } = modelOf(
      new ModelFault('x', 'x', { kind: 'retry', mayBeBilled: false, retryAfterMs: 9_000 }),
    );
    const controller = new AbortController();
    const asking = doorOf(model).ask(questionOf('a'), controller.signal);
    await until('the first attempt', () => asked() === 1);
    controller.abort(new Error('second signal'));
    await expect(asking).rejects.toThrow('second signal');
  });
});

describe('a call that is made because one failed', () => {
  it('is told of with the one that failed', async () => {
    const heard: string[] = [];
    const { model } = modelOf(refused, unavailable, reply);
    const { calls: made } = await doorOf(model, { onRetry: ({ id }) => heard.push(id) }).ask(questionOf('a'), forever);
    expect(heard).toEqual(made.slice(0, 2).map(({ id }) => id));
  });

  it('is told of too where the full price takes the place of half of it', async () => {
    const heard: string[] = [];
    const flex = { ...modelOf(refused, refused, reply).model, serviceTier: 'flex' };
    const onRetry = ({ serviceTier, outcome }: { serviceTier: string; outcome: string }) =>
      heard.push(`${serviceTier} ${outcome}`);
    const { calls: made } = await doorOf(flex, { onRetry }).ask(questionOf('a'), forever);
    expect(heard).toEqual(['flex rate_limited', 'flex rate_limited']);
    expect(made.at(-1)?.serviceTier).toBe('standard');
  });

  it('is not told of where it is never made', async () => {
    const onRetry = vi.fn();
    const poor = budgetOf(({ callId }) => {
      if (poor.asks[0]?.callId !== callId) throw new BudgetRefusal('no more', { scope: 'day', since: new Date() });
    });
    const door = doorOf(modelOf(refused, reply).model, { budget: poor.budget, onRetry });
    await expect(door.ask(questionOf('a'), forever)).rejects.toThrow('no more');
    await doorOf(modelOf(refused).model, { maxAttempts: 1, onRetry })
      .ask(questionOf('b'), forever)
      .catch(() => {});
    expect(onRetry).not.toHaveBeenCalled();
  });
});

describe('the end of a model', () => {
  const shutdownAt = new Date(Date.UTC(2026, 11, 1));

  it('is midnight UTC of the day that was announced', () => {
    const named = (name: string) => doorOf({ ...modelOf(reply).model, name }).status().shutdownAt;
    expect(named('gemini-2.5-flash')).toEqual(shutdownAt);
    expect(named('google/gemini-2.5-pro')).toEqual(shutdownAt);
    expect(named('gemini-2.5-flash-lite')).toBeNull();
  });

  it('is that of the model behind another name too, once it has answered', async () => {
    const door = doorOf(modelOf({ ...reply, model: 'gemini-2.5-flash' }).model);
    expect(door.status().shutdownAt).toBeNull();
    await door.ask(questionOf('a'), forever);
    expect(door.status()).toMatchObject({ model: 'model-1', shutdownAt });
  });
});

it('a prompt that still holds what redaction should have taken out is not sent, and nobody hears which', async () => {
  const { model, asked } = modelOf(reply);
  const leaks = (text: string) => (text.includes('a@b.example') ? ['email'] : []);
  const error = await doorOf(model, { leaks })
    .ask(questionOf('mail a@b.example'), forever)
    .catch((e: unknown) => e);
  expect(error).toMatchObject({ kind: 'park', code: 'redaction_leak', message: expect.stringContaining('email') });
  expect(String(error)).not.toContain('a@b.example');
  expect(asked()).toBe(0);
});

describe('a model that is away', () => {
  it('is left alone after some failures: no fault of the trajectories, which wait until it may be back', async () => {
    let at = Date.parse('2026-11-21T12:00:00Z');
    const now = () => new Date(at);
    const { model, asked } = modelOf(...Array(5).fill(unavailable), reply);
    const door = doorOf(model, { now, maxAttempts: 3 });
    const ask = (prompt: string) => door.ask(questionOf(prompt), forever);
    await expect(ask('a')).rejects.toMatchObject({ kind: 'retry', code: 'model_unavailable' });
    const resumeAt = new Date('2026-11-21T12:00:30Z');
    // The one that finds it out does not pay for it with an attempt of its own.
    await expect(ask('b')).rejects.toMatchObject({ kind: 'stop', code: 'model_unavailable', resumeAt });
    await expect(ask('c')).rejects.toMatchObject({ kind: 'stop', resumeAt });
    expect(asked()).toBe(5);
    expect(door.status()).toMatchObject({ breaker: 'open', resumeAt });
    at += 30_000;
    expect((await ask('c')).reply).toEqual(reply);
    expect(door.status()).toMatchObject({ breaker: 'closed', resumeAt: null });
  });

  it('stays a matter of the question where it timed out: that may be billed, and go on for ever', async () => {
    const door = doorOf(modelOf(never).model, { timeoutMs: 5, maxAttempts: 5 });
    await expect(door.ask(questionOf('endless'), forever)).rejects.toMatchObject({
      kind: 'retry',
      code: 'model_timeout',
    });
    await expect(door.ask(questionOf('another'), forever)).rejects.toMatchObject({ code: 'model_unavailable' });
  });

  it('lets no question go on for ever that is all there is to ask, and never answered in time', async () => {
    let at = Date.parse('2026-11-21T12:00:00Z');
    const door = doorOf(modelOf(never).model, { timeoutMs: 2, now: () => new Date(at) });
    const codes: string[] = [];
    for (let asked = 0; asked < 10; asked += 1) {
      await door.ask(questionOf('endless'), forever).catch(({ code }: { code: string }) => codes.push(code));
      at += 300_000;
    }
    // Each of the former is a failure of its message, which is parked after so many.
    expect(codes.filter((code) => code === 'model_timeout').length, codes.join(' ')).toBeGreaterThan(2);
    expect(codes).toContain('model_unavailable');
  });

  it('is away too where somebody else answers in its place: a page is no failure of every trajectory', async () => {
    const page = new ModelFault('garbled', 'no chat completion', { kind: 'retry', mayBeBilled: true });
    const door = doorOf(modelOf(page).model);
    await expect(door.ask(questionOf('a'), forever)).rejects.toMatchObject({ kind: 'retry', code: 'model_garbled' });
    await expect(door.ask(questionOf('b'), forever)).rejects.toMatchObject({ kind: 'stop', code: 'model_unavailable' });
  });

  it('that asks for fewer calls is there', async () => {
    const door = doorOf(modelOf(refused).model, { maxAttempts: 10 });
    await expect(door.ask(questionOf('a'), forever)).rejects.toMatchObject({ code: 'model_rate_limited' });
    expect(door.status().breaker).toBe('closed');
  });

  it('is not asked by those who had waited for a place meanwhile, who pay nothing', async () => {
    const { budget, heard } = budgetOf();
    const { model, asked } = modelOf(...Array(5).fill(unavailable), reply);
    const door = doorOf(model, { budget, concurrency: 1, maxAttempts: 1 });
    const all = await Promise.allSettled([...'abcdefgh'].map((prompt) => door.ask(questionOf(prompt), forever)));
    expect(all.map((one) => one.status === 'rejected' && one.reason.kind)).toEqual([
      ...Array(4).fill('retry'),
      ...Array(4).fill('stop'),
    ]);
    expect(asked()).toBe(5);
    expect(heard.filter((word) => word === 'settled 0')).toHaveLength(3);
  });
});

it('who compiles and who verifies go through one door where they ask the same model', () => {
  const connections = {
    gemini: { apiKey: 'test-key' },
    openai: { baseUrl: 'http://127.0.0.1:9/v1', apiKey: null, usdPerHour: null },
  };
  const doors = createDoors({ connections, concurrency: 7, requestsPerMinute: 60 }, calls, pino({ level: 'silent' }));
  const gemini = { provider: 'gemini', model: 'gemini-3.8-flash' } as const;
  const door = doors.open(gemini);
  expect(doors.open({ ...gemini })).toBe(door);
  expect(doors.open({ ...gemini, provider: 'openai-compatible' })).not.toBe(door);
  expect(() => doors.open({ ...gemini, provider: 'vertex' })).toThrow(/vertex\.project/);
  const limits = [
    { limit: 'concurrency', allowed: 7, used: 0 },
    { limit: 'requests_per_minute', allowed: 60, used: 0 },
  ];
  const idle = { inFlight: 0, waiting: 0, limits, breaker: 'closed', resumeAt: null, shutdownAt: null };
  expect(doors.status()).toEqual([
    { ...idle, provider: 'gemini', model: 'gemini-3.8-flash' },
    { ...idle, provider: 'openai-compatible', model: 'gemini-3.8-flash' },
  ]);
});
