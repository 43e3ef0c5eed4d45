import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CallStore, openCallStore } from '../../../src/compile/calls.ts';
import { createDoor, type DoorOptions } from '../../../src/compile/models/door.ts';
import { createGemini, createVertex } from '../../../src/compile/models/gemini.ts';
import { quotaRenewal } from '../../../src/compile/models/pacific-day.ts';
import type { Question } from '../../../src/compile/models/question.ts';
import { OperatorError } from '../../../src/errors.ts';
import type { ModelCall } from '../../../src/records.ts';
import {
  answer,
  blockedPrompt,
  dailyQuota,
  type GeminiServer,
  rateLimited,
  startGeminiServer,
  status,
} from '../../support/gemini-server.ts';

let server: GeminiServer;
let calls: CallStore;
let heard: ModelCall[];

beforeEach(async () => {
  server = await startGeminiServer();
  calls = openCallStore(':memory:');
  heard = [];
});

afterEach(async () => {
  await server.close();
  await calls.close();
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

  it('takes no key that no header can carry, and does not show it', () => {
    const create = () => createGemini({ apiKey: 'copied-“key”\n', model: 'gemini-3.5-flash-lite' });
    expect(create).toThrow(expect.objectContaining({ kind: 'stop', code: 'model_key_malformed', exitCode: 3 }));
    expect(create).not.toThrow(/copied/);
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

describe('a failure that an operator has to mend', () => {
  it('such as an invalid key, which is a bad request by its status, says what to do', async () => {
    server.play(status(400, { status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] }));
    expect(await failureOf()).toMatchObject({ kind: 'stop', code: 'model_key_refused' });
  });

  it('such as the day’s quota may be over by itself at midnight Pacific time', async () => {
    server.play(dailyQuota());
    const now = () => new Date('2026-11-21T18:30:00.250Z');
    const model = createGemini({ apiKey: 'test-key', model: 'gemini-3.8-flash', baseUrl: server.baseUrl, now });
    await expect(createDoor({ model, calls }).ask(question, forever())).rejects.toMatchObject({
      code: 'model_quota_exhausted',
      resumeAt: new Date('2026-11-22T08:00:00.000Z'),
    });
  });

  it.each([
    ['2026-07-01T12:00:00Z', '2026-07-02T07:00:00Z'],
    // Clocks go back at 2 o'clock that day, and forward on the other.
    ['2026-11-01T08:30:00Z', '2026-11-02T08:00:00Z'],
    ['2027-03-14T09:30:00Z', '2027-03-15T07:00:00Z'],
    // Renewed somewhat late: looked again, not a day later.
    ['2026-11-22T08:00:05Z', '2026-11-22T08:15:05Z'],
  ])('which from %s is %s', (now, renewal) => {
    expect(quotaRenewal(new Date(now))).toEqual(new Date(renewal));
  });
});

describe('the flex tier', () => {
  const tiers = () => server.received.map(({ body }) => body.serviceTier ?? 'standard');

  it('that turns work away twice gives way to the standard one, and the tier that answered is recorded', async () => {
    server.play(status(503, { status: 'UNAVAILABLE' }), rateLimited('70s'), answer('{}'));
    const { calls: made } = await ask({ serviceTier: 'flex' });
    expect(tiers()).toEqual(['flex', 'flex', 'standard']);
    expect(made.map(({ serviceTier }) => serviceTier)).toEqual(['flex', 'flex', 'standard']);
    // 1,000 × 0.30 + 200 × 2.50 millionths.
    expect(made.at(-1)?.costUsd).toBeCloseTo(0.0008, 10);
  });

  it.each([
    ['in a header', answer('{}', { headers: { 'x-gemini-service-tier': 'standard' } })],
    [
      'in the usage',
      answer('{}', { usage: { promptTokenCount: 1000, candidatesTokenCount: 200, serviceTier: 'STANDARD' } }),
    ],
  ])('is not priced where the provider says %s that the standard one answered', async (_where, script) => {
    server.play(answer('{}'), script);
    const kept = await ask({ serviceTier: 'flex' });
    const moved = await doorOf({ serviceTier: 'flex' }).ask({ ...question, fresh: true }, forever());
    expect([kept, moved].map(({ calls: [call] }) => call?.serviceTier)).toEqual(['flex', 'standard']);
    expect(kept.calls[0]?.costUsd).toBeCloseTo(0.0004, 10);
    expect(moved.calls[0]?.costUsd).toBeCloseTo(0.0008, 10);
  });
});

describe('Vertex AI', () => {
  /** Credentials as Google's libraries hold them. */
  const known = async () => new Headers({ authorization: 'Bearer test-token' });
  const vertexOf = (location: string, serviceTier: 'standard' | 'flex' = 'standard', getRequestHeaders = known) =>
    createVertex({
      project: 'project-1',
      location,
      model: 'gemini-3.5-flash-lite',
      baseUrl: server.baseUrl,
      serviceTier,
      googleAuthOptions: { authClient: { getRequestHeaders } as never },
    });

  it('is asked for the project and place that were set, by the credentials of its own, at the same prices', async () => {
    vi.stubEnv('GEMINI_API_KEY', 'another-key');
    vi.stubEnv('GOOGLE_VERTEX_BASE_URL', 'http://127.0.0.1:9');
    const written = vi.spyOn(console, 'debug');
    server.play(answer('{}'));
    const door = createDoor({ model: vertexOf('europe-west2'), calls });
    const { calls: made } = await door.ask(question, forever()).finally(() => vi.unstubAllEnvs());
    expect(server.received[0]?.path).toBe(
      '/v1beta1/projects/project-1/locations/europe-west2/publishers/google/models/gemini-3.5-flash-lite:generateContent',
    );
    expect(server.received[0]?.headers.authorization).toBe('Bearer test-token');
    expect(server.received[0]?.apiKey).toBeUndefined();
    expect(made[0]).toMatchObject({ provider: 'vertex', costSource: 'genai-prices@0.1.8' });
    expect(made[0]?.costUsd).toBeCloseTo(0.0008, 10);
    // Standard output belongs to whoever reads our results.
    expect(written).not.toHaveBeenCalled();
  });

  it('is asked for the flex tier in its own way, and says so in its own', async () => {
    const usage = { promptTokenCount: 1000, candidatesTokenCount: 200, trafficType: 'ON_DEMAND_FLEX' };
    server.play(answer('{}', { usage }));
    const { calls: made } = await createDoor({ model: vertexOf('global', 'flex'), calls }).ask(question, forever());
    expect(server.received[0]?.headers['x-vertex-ai-llm-shared-request-type']).toBe('flex');
    expect(made[0]).toMatchObject({ serviceTier: 'flex' });
    expect(made[0]?.costUsd).toBeCloseTo(0.0004, 10);
  });

  it('without credentials stops and says which', async () => {
    const lost = () => Promise.reject(new Error('Could not load the default credentials.'));
    const error = await createDoor({ model: vertexOf('global', 'standard', lost), calls })
      .ask(question, forever())
      .catch(String);
    expect(error).toContain('GOOGLE_APPLICATION_CREDENTIALS');
    expect(server.received).toHaveLength(0);
  });

  it('needs a project', () => {
    expect(() => createVertex({ project: null, location: 'global', model: 'gemini-3.8-flash' })).toThrow(
      /vertex\.project/,
    );
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
