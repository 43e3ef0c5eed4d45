/** Everything that goes wrong with a model, the same for whoever serves it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CallStore, openCallStore } from '../../../src/compile/calls.ts';
import { createDoor, type DoorOptions } from '../../../src/compile/models/door.ts';
import { createGemini } from '../../../src/compile/models/gemini.ts';
import type { Model } from '../../../src/compile/models/model.ts';
import { createOpenAiCompatible } from '../../../src/compile/models/openai-compatible.ts';
import type { Question } from '../../../src/compile/models/question.ts';
import { exitCodes, OperatorError } from '../../../src/errors.ts';
import type { ModelCall } from '../../../src/records.ts';
import { until } from '../../support/capture.ts';
import * as gemini from '../../support/gemini-server.ts';
import * as openai from '../../support/openai-server.ts';

const providers = {
  gemini: {
    name: 'gemini-3.5-flash-lite',
    start: gemini.startGeminiServer,
    model: (baseUrl: string, name: string): Model => createGemini({ apiKey: 'test-key', model: name, baseUrl }),
    setting: 'gemini.apiKey',
    script: {
      answer: gemini.answer('{}'),
      other: gemini.answer('{}', { modelVersion: 'other-model' }),
      empty: gemini.answer(''),
      limited: gemini.rateLimited(),
      limitedFor: (seconds: number) => gemini.rateLimited(`${seconds}s`),
      daily: gemini.dailyQuota(),
      status: (code: number) => gemini.status(code, { message: 'cannot read: segment and ask' }),
      elsewhere: gemini.status(302, {}),
    },
  },
  'openai-compatible': {
    name: 'test-model',
    start: openai.startOpenAiServer,
    model: (baseUrl: string, name: string): Model =>
      createOpenAiCompatible({ apiKey: 'test-key', model: name, baseUrl, usdPerHour: null }),
    setting: 'openai.apiKey',
    script: {
      answer: openai.answer('{}'),
      other: openai.answer('{}', { model: 'other-model' }),
      empty: openai.answer(null),
      limited: openai.rateLimited(),
      limitedFor: (seconds: number) => openai.rateLimited(String(seconds)),
      daily: openai.dailyQuota(),
      status: (code: number) => openai.status(code, { message: 'cannot read: segment and ask' }),
      elsewhere: openai.raw(307, '', { location: 'http://127.0.0.1:9/v1/chat/completions' }),
    },
  },
};

const question: Question = {
  request: { system: 'fixed part', prompt: 'segment and ask', schema: { type: 'object' }, maxOutputTokens: 4_096 },
  segmentId: 'segment-1',
  trajectoryId: 'trajectory-1',
  agent: 'tester',
  stage: 'compile',
  fresh: false,
};
// By a price of its own each is billed, though this machine serves it.
const prices = { 'gemini-3.5-flash-lite': { input: 1, output: 4 }, 'test-model': { input: 1, output: 4 } };

describe.each(Object.entries(providers))(
  'a model served by %s',
  (_provider, { name, start, model, script, ...its }) => {
    let server: { baseUrl: string; received: unknown[]; play(...scripts: never[]): void; close(): Promise<void> };
    let calls: CallStore;
    let heard: ModelCall[];
    const play = (...scripts: unknown[]) => server.play(...(scripts as never[]));

    beforeEach(async () => {
      server = await start();
      calls = openCallStore(':memory:');
      heard = [];
    });
    afterEach(async () => {
      await server.close();
      await calls.close();
    });

    const doorOf = (options: Partial<DoorOptions> = {}) =>
      createDoor({
        model: model(server.baseUrl, name),
        calls,
        prices,
        backoff: { baseMs: 1, maxMs: 2 },
        onCall: (call) => heard.push(call),
        ...options,
      });
    const forever = new AbortController().signal;
    const ask = (options: Partial<DoorOptions> = {}) => doorOf(options).ask(question, forever);
    async function failureOf(options: Partial<DoorOptions> = {}): Promise<OperatorError> {
      const error = await ask(options).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(OperatorError);
      return error as OperatorError;
    }

    it.each([
      ['a rate limit without a word of when to come back', script.limited, 'rate_limited', 0],
      ['a rate limit that says when to come back', script.limitedFor(0.01), 'rate_limited', 0],
      ['a server error', script.status(500), 'unavailable', 0],
      ['an overloaded server', script.status(503), 'unavailable', 0],
      ['a connection that breaks before a byte', gemini.socketReset, 'network', null],
      ['a connection that breaks within the answer', gemini.socketResetWithin, 'network', null],
      ['a body that is no JSON', gemini.garbage, 'garbled', null],
    ])('is asked again after %s, each attempt recorded', async (_what, fault, outcome, costUsd) => {
      play(fault, fault, script.answer);
      const { reply, calls: made } = await ask();
      expect(reply).toMatchObject({ text: '{}', finishReason: 'STOP', model: name });
      expect(made.map((call) => call.outcome)).toEqual([outcome, outcome, 'ok']);
      // A refused call is not billed; one that was cut off may have been.
      expect(made.map((call) => call.costUsd)).toEqual([costUsd, costUsd, 0.0018]);
      expect(heard).toEqual(made);
      expect(await calls.unsettled('segment-1')).toEqual(made);
    });

    it.each([
      ['a refused key', script.status(401), 'model_key_refused', its.setting],
      ['a forbidden one', script.status(403), 'model_key_refused', its.setting],
      ['a model that is not served', script.status(404), 'model_not_served', 'compile.model'],
      ['a redirection', script.elsewhere, 'model_redirected', 'not followed'],
    ])('is asked no second time after %s: only an operator can help', async (_what, fault, code, word) => {
      play(fault);
      const error = await failureOf();
      expect(error).toMatchObject({ kind: 'stop', code, exitCode: exitCodes.configuration });
      expect(error.message).toContain(word);
      expect(error.message).not.toContain('test-key');
      expect(server.received).toHaveLength(1);
    });

    it('is asked no second time once the day’s quota is used up, though told to come back in a second', async () => {
      play(script.daily);
      const error = await failureOf();
      expect(error).toMatchObject({ kind: 'stop', code: 'model_quota_exhausted', exitCode: exitCodes.budget });
      expect(server.received).toHaveLength(1);
    });

    it('that refuses a request parks what it was made for, and repeats nothing of what was sent', async () => {
      play(script.status(400));
      const error = await failureOf();
      expect(error).toMatchObject({ kind: 'park', code: 'model_request_refused' });
      expect(`${error.message}${String(error.cause)}`).not.toContain('segment and ask');
      expect(heard).toMatchObject([{ outcome: 'request_refused', costUsd: 0 }]);
    });

    it('that is not there is told by its address, costs nothing, and is left to the topic after some attempts', async () => {
      const door = doorOf({ maxAttempts: 3 });
      await server.close();
      await expect(door.ask(question, forever)).rejects.toMatchObject({ kind: 'retry', code: 'model_network' });
      expect(heard.map(({ outcome, costUsd }) => ({ outcome, costUsd }))).toEqual(
        Array(3).fill({ outcome: 'network', costUsd: 0 }),
      );
      server = await start();
    });

    it('holds no worker where it asks to wait for long', async () => {
      play(script.limitedFor(90));
      expect(await failureOf()).toMatchObject({ kind: 'retry', code: 'model_rate_limited', retryAfterMs: 90_000 });
      expect(server.received).toHaveLength(1);
    });

    it('that says nothing at all is a timeout, whose cost is not known', async () => {
      play(gemini.silence);
      expect(await failureOf({ timeoutMs: 40, maxAttempts: 2 })).toMatchObject({
        kind: 'retry',
        code: 'model_timeout',
      });
      expect(heard.map(({ outcome, costUsd }) => ({ outcome, costUsd }))).toEqual(
        Array(2).fill({ outcome: 'timeout', costUsd: null }),
      );
    });

    it('is let go at once when given up, with a cost that is not known', async () => {
      play(gemini.silence);
      const controller = new AbortController();
      const asking = doorOf().ask(question, controller.signal);
      await until('the call', () => server.received.length === 1);
      controller.abort(new Error('second signal'));
      await expect(asking).rejects.toThrow('second signal');
      expect(heard).toMatchObject([{ outcome: 'aborted', costUsd: null }]);
    });

    it('that answers nothing has answered, tokens counted', async () => {
      play(script.empty);
      const { reply, calls: made } = await ask();
      expect(reply.text).toBe('');
      expect(made).toMatchObject([{ outcome: 'ok', promptTokens: 1000, outputTokens: 200, costUsd: 0.0018 }]);
    });

    it('that answers under another name is priced by that name', async () => {
      play(script.other);
      const { calls: made } = await ask();
      expect(made).toMatchObject([{ requestedModel: name, model: 'other-model', costUsd: null, costSource: null }]);
      const priced = await doorOf({ prices: { ...prices, 'other-model': { input: 2, output: 2 } } }).ask(
        { ...question, fresh: true },
        forever,
      );
      expect(priced.calls[0]?.costUsd).toBeCloseTo(0.0024, 10);
      expect(priced.calls[0]?.costSource).toMatch(/^table@/);
    });
  },
);
