import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CallStore, openCallStore } from '../../../src/compile/calls.ts';
import { createDoor, type DoorOptions, type Question } from '../../../src/compile/models/door.ts';
import { createGemini } from '../../../src/compile/models/gemini.ts';
import { exitCodes, OperatorError } from '../../../src/errors.ts';
import type { ModelCall } from '../../../src/records.ts';
import {
  answer,
  blockedPrompt,
  dailyQuota,
  type GeminiServer,
  garbage,
  rateLimited,
  silence,
  socketReset,
  startGeminiServer,
  status,
} from '../../support/gemini-server.ts';

let server: GeminiServer;
let folder: string;
let calls: CallStore;
let heard: ModelCall[];

beforeEach(async () => {
  server = await startGeminiServer();
  folder = mkdtempSync(join(tmpdir(), 'tc-gemini-'));
  calls = openCallStore(join(folder, 'calls.sqlite'));
  heard = [];
});

afterEach(async () => {
  await server.close();
  await calls.close();
  rmSync(folder, { recursive: true });
});

const question: Question = {
  request: { system: 'fixed part', prompt: 'segment and ask', schema: { type: 'object' }, maxOutputTokens: 4_096 },
  segmentId: 'segment-1',
  trajectoryId: 'trajectory-1',
  agent: 'tester',
  stage: 'compile',
  fresh: false,
};

function doorOf(options: Partial<DoorOptions> & { name?: string; serviceTier?: 'flex' } = {}) {
  const { name = 'gemini-3.5-flash-lite', serviceTier = 'standard', ...door } = options;
  const model = createGemini({ apiKey: 'test-key', model: name, baseUrl: server.baseUrl, serviceTier });
  const onCall = (call: ModelCall) => heard.push(call);
  return createDoor({ model, calls, backoff: { baseMs: 1, maxMs: 2 }, onCall, ...door });
}

const forever = () => new AbortController().signal;
const ask = (options: Parameters<typeof doorOf>[0] = {}) => doorOf(options).ask(question, forever());
const failureOf = async (options: Parameters<typeof doorOf>[0] = {}) => {
  const error = await ask(options).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OperatorError);
  return error as OperatorError;
};

describe('what is sent', () => {
  it('is the fixed part, the prompt, the schema and the limit, and nothing that the model refuses', async () => {
    server.play(answer('{}'));
    await ask();
    const [{ model, apiKey, body }] = server.received as [(typeof server.received)[0]];
    expect({ model, apiKey }).toEqual({ model: 'gemini-3.5-flash-lite', apiKey: 'test-key' });
    expect(body.systemInstruction?.parts[0]?.text).toBe('fixed part');
    expect(body.contents[0]?.parts[0]?.text).toBe('segment and ask');
    expect(body.generationConfig).toEqual({
      // Room for what the model thinks before it answers.
      maxOutputTokens: 4_096 + 512,
      responseMimeType: 'application/json',
      responseJsonSchema: { type: 'object' },
      thinkingConfig: { thinkingLevel: 'MINIMAL' },
    });
    expect(body.serviceTier).toBeUndefined();
  });

  it('asks an older model for thinking in its own words, and for flex where it is wanted', async () => {
    server.play(answer('{}'));
    await ask({ name: 'gemini-2.5-flash', serviceTier: 'flex' });
    expect(server.received[0]?.body.generationConfig.thinkingConfig).toEqual({ thinkingBudget: 0 });
    expect(server.received[0]?.body.serviceTier).toBe('flex');
  });

  it('goes where it was told, whatever the environment says', async () => {
    vi.stubEnv('GOOGLE_GEMINI_BASE_URL', 'http://127.0.0.1:9');
    vi.stubEnv('GOOGLE_GENAI_USE_VERTEXAI', 'true');
    vi.stubEnv('GEMINI_API_KEY', 'another-key');
    server.play(answer('{}'));
    await ask().finally(() => vi.unstubAllEnvs());
    expect(server.received[0]).toMatchObject({
      apiKey: 'test-key',
      path: '/v1beta/models/gemini-3.5-flash-lite:generateContent',
    });
  });

  it('needs a key', () => {
    expect(() => createGemini({ apiKey: ' ', model: 'gemini-3.5-flash-lite' })).toThrow(/GEMINI_API_KEY/);
  });
});

describe('an answer', () => {
  it('is recorded with tokens and cost, priced by the model that answered', async () => {
    const usage = {
      promptTokenCount: 10_000,
      cachedContentTokenCount: 4_000,
      candidatesTokenCount: 300,
      thoughtsTokenCount: 100,
    };
    server.play(answer('{"pairs":[]}', { usage, modelVersion: 'gemini-3.5-flash-lite' }));
    // Asked for one model, answered by another: the price of the latter counts.
    const { reply, calls: made } = await ask({ name: 'gemini-2.5-flash' });
    expect(reply).toMatchObject({ text: '{"pairs":[]}', finishReason: 'STOP', model: 'gemini-3.5-flash-lite' });
    expect(made).toHaveLength(1);
    expect(made[0]).toMatchObject({
      requestedModel: 'gemini-2.5-flash',
      model: 'gemini-3.5-flash-lite',
      promptTokens: 10_000,
      cachedTokens: 4_000,
      outputTokens: 300,
      thinkingTokens: 100,
      outcome: 'ok',
    });
    expect(made[0]?.costUsd).toBeCloseTo(0.00292, 10);
    expect(await calls.unsettled('segment-1')).toEqual(made);
  });

  it('of a model without a price has a cost of null', async () => {
    server.play(answer('{}', { modelVersion: 'gemini-99-unheard-of' }));
    const { calls: made } = await ask();
    expect(made[0]).toMatchObject({ costUsd: null, costSource: null, promptTokens: 1000 });
  });

  it('that continues elsewhere is not followed by a second request of the SDK’s own', async () => {
    server.play(answer('{"pairs":', { finishReason: 'CONTINUATION', continuationToken: 'next' }), answer('[]}'));
    await ask();
    expect(server.received).toHaveLength(1);
  });

  it('without any text is an answer all the same, tokens counted', async () => {
    server.play(blockedPrompt());
    const { reply, calls: made } = await ask();
    expect(reply).toMatchObject({ text: '', blockReason: 'PROHIBITED_CONTENT', finishReason: null });
    expect(made[0]).toMatchObject({ promptTokens: 1000, outputTokens: 0, finishReason: 'PROHIBITED_CONTENT' });
    expect(made[0]?.costUsd).toBeCloseTo(0.0003, 10);
  });
});

describe('a failure that may pass', () => {
  it.each([
    ['a rate limit', rateLimited('0.01s'), 'rate_limited', 0],
    ['an overloaded server', status(503, { status: 'UNAVAILABLE' }), 'unavailable', 0],
    ['a server error', status(500, { status: 'INTERNAL' }), 'unavailable', 0],
    ['a reset connection', socketReset, 'network', null],
    ['a body that is no JSON', garbage, 'garbled', null],
  ])('such as %s is tried again, each attempt recorded', async (_what, fault, outcome, costUsd) => {
    server.play(fault, fault, answer('{}'));
    const { calls: made } = await ask();
    expect(made.map((call) => call.outcome)).toEqual([outcome, outcome, 'ok']);
    // A refused call is not billed; one that was cut off may have been.
    expect(made[0]?.costUsd).toBe(costUsd);
    expect(heard).toEqual(made);
  });

  it('is given back to the topic after some attempts', async () => {
    server.play(socketReset);
    const error = await failureOf({ maxAttempts: 3 });
    expect(error).toMatchObject({ kind: 'retry', code: 'model_network' });
    expect(server.received).toHaveLength(3);
    expect(await calls.unsettled('segment-1')).toHaveLength(3);
  });

  it('waits as long as it was told to', async () => {
    server.play(rateLimited('0.3s'), answer('{}'));
    const from = performance.now();
    await ask();
    expect(performance.now() - from).toBeGreaterThanOrEqual(300);
  });

  it('holds no worker where it was told to wait for long', async () => {
    server.play(rateLimited('90s'));
    expect(await failureOf()).toMatchObject({ kind: 'retry', code: 'model_rate_limited', retryAfterMs: 90_000 });
    expect(server.received).toHaveLength(1);
  });

  it('such as no answer at all is a timeout', async () => {
    server.play(silence);
    const error = await failureOf({ timeoutMs: 50, maxAttempts: 2 });
    expect(error).toMatchObject({ kind: 'retry', code: 'model_timeout' });
    expect(heard.map(({ outcome, costUsd }) => ({ outcome, costUsd }))).toEqual(
      Array(2).fill({ outcome: 'timeout', costUsd: null }),
    );
  });
});

describe('a failure that an operator has to mend', () => {
  it.each([
    ['a refused key', status(403, { status: 'PERMISSION_DENIED' })],
    ['a missing key', status(401, { status: 'UNAUTHENTICATED' })],
    ['an invalid key', status(400, { status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] })],
  ])('such as %s stops at once and says what to do', async (_what, fault) => {
    server.play(fault);
    const error = await failureOf();
    expect(error).toMatchObject({ kind: 'stop', code: 'model_key_refused', exitCode: exitCodes.configuration });
    expect(error.message).toContain('GEMINI_API_KEY');
    expect(error.message).not.toContain('test-key');
    expect(server.received).toHaveLength(1);
  });

  it('such as a model that is not served stops', async () => {
    server.play(status(404, { status: 'NOT_FOUND' }));
    expect(await failureOf()).toMatchObject({ kind: 'stop', code: 'model_not_served' });
  });

  it('such as the day’s quota stops, though the provider says to come back in a second', async () => {
    server.play(dailyQuota());
    expect(await failureOf()).toMatchObject({
      kind: 'stop',
      code: 'model_quota_exhausted',
      exitCode: exitCodes.budget,
    });
    expect(server.received).toHaveLength(1);
  });
});

describe('a request that is refused', () => {
  it('parks what it was made for, and repeats nothing of what was sent', async () => {
    server.play(status(400, { status: 'INVALID_ARGUMENT', message: 'cannot read: segment and ask' }));
    const error = await failureOf();
    expect(error).toMatchObject({ kind: 'park', code: 'model_request_refused' });
    expect(`${error.message}${String(error.cause)}`).not.toContain('segment and ask');
  });
});

describe('giving up', () => {
  it('ends a call in flight at once, recorded with a cost that is not known', async () => {
    server.play(silence);
    const controller = new AbortController();
    const asking = doorOf().ask(question, controller.signal);
    await vi.waitUntil(() => server.received.length === 1);
    controller.abort(new Error('second signal'));
    await expect(asking).rejects.toThrow('second signal');
    expect(heard).toMatchObject([{ outcome: 'aborted', costUsd: null }]);
  });

  it('ends a wait for the next attempt', async () => {
    server.play(rateLimited('30s'));
    const controller = new AbortController();
    const asking = doorOf().ask(question, controller.signal);
    await vi.waitUntil(() => heard.length === 1);
    controller.abort(new Error('second signal'));
    await expect(asking).rejects.toThrow('second signal');
  });
});

describe('the door', () => {
  it('lets no more calls through at once than it was told', async () => {
    const held: (() => void)[] = [];
    server.play((response, call) => {
      held.push(() => answer('{}')(response, call));
    });
    const door = doorOf({ concurrency: 2 });
    const asked = Array.from({ length: 5 }, (_, n) =>
      door.ask({ ...question, request: { ...question.request, prompt: `prompt ${n}` } }, forever()),
    );
    for (const [inFlight, waiting] of [
      [2, 3],
      [2, 1],
      [1, 0],
    ]) {
      await vi.waitUntil(() => held.length === inFlight);
      expect(door.status()).toMatchObject({ inFlight, waiting });
      for (const release of held.splice(0)) release();
    }
    await Promise.all(asked);
    expect(server.received).toHaveLength(5);
  });

  it('asks a known question no second time, and counts its cost once', async () => {
    server.play(answer('{"pairs":[]}'));
    const first = await ask();
    const again = await ask();
    expect(server.received).toHaveLength(1);
    expect(again.reply).toEqual(first.reply);
    expect(again.calls).toEqual([{ ...first.calls[0], outcome: 'reused' }]);
    expect(heard).toHaveLength(1);
  });

  it('lets another segment have the answer for nothing', async () => {
    server.play(answer('{"pairs":[]}'));
    const first = await ask();
    const other = await doorOf().ask({ ...question, segmentId: 'segment-2' }, forever());
    expect(other.calls[0]).toMatchObject({ segmentId: 'segment-2', outcome: 'reused', costUsd: 0, promptTokens: 0 });
    expect(other.calls[0]?.id).not.toBe(first.calls[0]?.id);
  });

  it('asks again where that is asked for, and where prompt, model or schema differ', async () => {
    server.play(answer('{}'));
    await ask();
    await doorOf().ask({ ...question, fresh: true }, forever());
    await doorOf().ask({ ...question, request: { ...question.request, schema: {} } }, forever());
    await ask({ name: 'gemini-3.8-flash' });
    expect(server.received).toHaveLength(4);
    // The service tier changes the price, not the answer.
    await ask({ serviceTier: 'flex' });
    expect(server.received).toHaveLength(4);
  });
});
