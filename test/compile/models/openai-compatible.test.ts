import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CallStore, openCallStore } from '../../../src/compile/calls.ts';
import { createDoor } from '../../../src/compile/models/door.ts';
import { ModelFault, type ModelRequest } from '../../../src/compile/models/model.ts';
import { createOpenAiCompatible, type OpenAiOptions } from '../../../src/compile/models/openai-compatible.ts';
import { withoutThoughts } from '../../../src/compile/models/openai-wire.ts';
import type { Question } from '../../../src/compile/models/question.ts';
import {
  answer,
  type OpenAiServer,
  raw,
  type Script,
  type Structured,
  startOpenAiServer,
  status,
} from '../../support/openai-server.ts';

let server: OpenAiServer;
let calls: CallStore;
beforeEach(async () => {
  server = await startOpenAiServer();
  calls = openCallStore(':memory:');
});
afterEach(async () => {
  await server.close();
  await calls.close();
});

const forever = new AbortController().signal;
const schema = { type: 'object', properties: { pairs: { type: 'array' } } };
const request: ModelRequest = { system: 'fixed part', prompt: 'segment and ask', schema, maxOutputTokens: 4_096 };
const modelOf = (options: Partial<OpenAiOptions> = {}) =>
  createOpenAiCompatible({ baseUrl: server.baseUrl, apiKey: null, model: 'test-model', usdPerHour: null, ...options });
const generate = (options: Partial<OpenAiOptions> = {}, asked = request) => modelOf(options).generate(asked, forever);
const faultOf = async (script: Script, options: Partial<OpenAiOptions> = {}, asked = request) => {
  server.play(script);
  const fault = await generate(options, asked).catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(ModelFault);
  return fault as ModelFault;
};

describe('what is sent', () => {
  it('is one chat completion, with the key where there is one and nothing that a server might not know', async () => {
    server.play(answer('{}'));
    await generate({ apiKey: 'test-key' });
    const [{ path, authorization, body }] = server.received as [(typeof server.received)[0]];
    expect({ path, authorization }).toEqual({ path: '/v1/chat/completions', authorization: 'Bearer test-key' });
    expect(body).toEqual({
      model: 'test-model',
      messages: [
        { role: 'system', content: 'fixed part' },
        { role: 'user', content: 'segment and ask' },
      ],
      max_tokens: 4_096,
      stream: false,
      response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: false, schema } },
    });
    await generate();
    expect(server.received[1]?.authorization).toBeUndefined();
    expect(() => modelOf({ apiKey: 'two words' })).toThrow(expect.objectContaining({ code: 'model_key_malformed' }));
  });

  it('names the limit and the effort as the model wants it, with room for its thoughts', async () => {
    server.play(answer('{}'));
    await generate({ model: 'openai/gpt-5-mini' });
    expect(server.received[0]?.body).toMatchObject({ max_completion_tokens: 4_096 + 8_192, reasoning_effort: 'low' });
    expect(server.received[0]?.body).not.toHaveProperty('max_tokens');
  });

  it.each([null, '', 'ftp://host/v1', 'not an address'])('needs an address: %j is none', (baseUrl) => {
    expect(() => modelOf({ baseUrl })).toThrow(/openai\.baseUrl/);
  });
});

describe('structured output', () => {
  it.each<[Structured, string | undefined, number]>([
    ['schema', 'json_schema', 1],
    // Takes a schema and does as it likes.
    ['ignored', 'json_object', 2],
    ['object', 'json_object', 2],
    ['refused', undefined, 2],
  ])('is found out once: a server where the schema is %s is asked for %s', async (structured, type, probes) => {
    server.structured = structured;
    server.play(answer('{}'));
    const model = modelOf();
    await Promise.all([1, 2, 3].map(() => model.generate(request, forever)));
    expect(server.probes).toHaveLength(probes);
    expect(server.received.map(({ body }) => body.response_format?.type)).toEqual([type, type, type]);
    // Who is not held to the form is told it in words.
    const told = server.received[0]?.body.messages[0]?.content.includes(JSON.stringify(schema));
    expect(told).toBe(structured !== 'schema');
  });

  it('is found out anew where that failed, and paid for by the first answer', async () => {
    server.probeUsage = { prompt_tokens: 20, completion_tokens: 5 };
    const model = modelOf();
    const gone = new AbortController();
    gone.abort(new Error('second signal'));
    await expect(model.generate(request, gone.signal)).rejects.toThrow('second signal');
    server.play(answer('{}'));
    const [first, second] = [await model.generate(request, forever), await model.generate(request, forever)];
    expect(first.usage).toMatchObject({ promptTokens: 1_020, outputTokens: 205 });
    expect(second.usage).toMatchObject({ promptTokens: 1_000, outputTokens: 200 });
  });
});

describe('an answer', () => {
  it('is told apart from the thoughts before it, and its tokens from theirs', async () => {
    const usage = {
      prompt_tokens: 1_000,
      completion_tokens: 500,
      prompt_tokens_details: { cached_tokens: 600 },
      completion_tokens_details: { reasoning_tokens: 300 },
      cost: 0.0042,
    };
    server.play(answer('<think>{"pairs": "no"}</think>\n{"pairs":[]}', { usage }));
    const reply = await generate();
    expect(reply.text.trim()).toBe('{"pairs":[]}');
    expect(reply).toMatchObject({
      usage: { promptTokens: 1_000, cachedTokens: 600, outputTokens: 200, thinkingTokens: 300 },
      finishReason: 'STOP',
    });
  });

  it.each([
    ['<think>a</think>{"b":1}', '{"b":1}'],
    // The opening tag was part of the prompt.
    ['a\n</think>\n\n{"b":1}', '\n\n{"b":1}'],
    ['<think>cut', ''],
    // Of the answer itself.
    ['{"quote":"</think>"}', '{"quote":"</think>"}'],
    ['```json\n{"quote":"</think>"}\n```', '```json\n{"quote":"</think>"}\n```'],
    ['plain', 'plain'],
  ])('without thoughts is what follows them: %j', (text, bare) => {
    expect(withoutThoughts(text)).toBe(bare);
  });

  it.each([
    [answer('{"pairs":[', { finishReason: 'length' }), 'MAX_TOKENS'],
    [answer('{}', { finishReason: 'eos_token' }), 'STOP'],
    [answer('', { finishReason: 'content_filter' }), 'SAFETY'],
    [answer(null, { refusal: 'I would rather not' }), 'REFUSAL'],
    [answer('{}', { finishReason: null }), null],
  ])('ends for a reason that is named as elsewhere: %#', async (script, finishReason) => {
    server.play(script);
    expect((await generate()).finishReason).toBe(finishReason);
  });

  it('may come without a count, with one of another form, or with text in parts', async () => {
    const parts = [{ type: 'reasoning', text: 'hm' }, { type: 'text', text: '{"a"' }, { text: ':1}' }];
    const choices = [{ message: { content: parts }, finish_reason: 'stop' }];
    server.play(
      answer('{}', { usage: null }),
      raw(200, JSON.stringify({ choices, usage: { prompt_tokens: -1, completion_tokens: 'many' } })),
    );
    const model = modelOf();
    const unknown = { promptTokens: null, outputTokens: null };
    expect(await model.generate(request, forever)).toMatchObject({ usage: unknown });
    expect(await model.generate(request, forever)).toMatchObject({ text: '{"a":1}', model: null, usage: unknown });
  });

  it('to a prompt that was cut to the server’s context is refused, and paid for', async () => {
    // Ollama's default context, and a segment of 24,000 tokens.
    const long = { ...request, prompt: 'a row of the log, '.repeat(5_000) };
    const usage = { prompt_tokens: 4_096, completion_tokens: 100 };
    const fault = await faultOf(answer('{}', { usage }), {}, long);
    expect(fault).toMatchObject({
      outcome: 'prompt_truncated',
      kind: 'stop',
      reply: { usage: { promptTokens: 4_096 } },
    });
    expect(fault.message).toMatch(/4096.*OLLAMA_CONTEXT_LENGTH.*compile\.windowTokens/);
    const question: Question = {
      request: long,
      segmentId: 's',
      trajectoryId: 't',
      agent: null,
      stage: 'compile',
      fresh: false,
    };
    const prices = { 'test-model': { input: 1, output: 1 } };
    await expect(createDoor({ model: modelOf(), calls, prices }).ask(question, forever)).rejects.toMatchObject({
      kind: 'stop',
      code: 'model_prompt_truncated',
    });
    expect(await calls.unsettled('s')).toMatchObject([{ outcome: 'prompt_truncated', costUsd: 0.004196 }]);
  });

  it('to one of few tokens because it repeats itself is none of these', async () => {
    const usage = { prompt_tokens: 2_000, completion_tokens: 100 };
    server.play(answer('{}', { usage }));
    await generate({}, { ...request, prompt: `${'word '.repeat(1_500)}${'='.repeat(60_000)}` });
  });

  it('larger than any answer is not read to its end', async () => {
    const fault = await faultOf(raw(200, 'x'.repeat(100_000)), { maxAnswerBytes: 10_000 });
    expect(fault).toMatchObject({ outcome: 'too_large', kind: 'park', mayBeBilled: true });
  });
});

describe('a failure', () => {
  it.each<[string, Script, string, string, string]>([
    [
      'Ollama lacks the model',
      status(404, { message: 'model "x" not found, try pulling it first' }),
      'not_served',
      'stop',
      'ollama pull',
    ],
    [
      'a gateway lacks it',
      status(400, { message: 'no such model', code: 'model_not_found' }),
      'not_served',
      'stop',
      'compile.model',
    ],
    ['the address is that of another page', raw(405, '<html>'), 'not_served', 'stop', 'openai.baseUrl'],
    ['the account is empty', status(402, { message: 'Insufficient credits' }), 'not_paid', 'stop', 'credit'],
    [
      'the plan is used up',
      status(429, { code: 'insufficient_quota', message: 'You exceeded your quota' }),
      'quota_exhausted',
      'stop',
      'quota',
    ],
    [
      'the prompt is too long for OpenAI',
      status(400, { code: 'context_length_exceeded' }),
      'context_exceeded',
      'park',
      'windowTokens',
    ],
    [
      'for vLLM',
      raw(400, '{"object":"error","message":"This model\'s maximum context length is 8192 tokens."}'),
      'context_exceeded',
      'park',
      '--max-model-len',
    ],
    [
      'for llama.cpp',
      status(400, { type: 'exceed_context_size_error', message: 'too large', code: 400 }),
      'context_exceeded',
      'park',
      '--ctx-size',
    ],
    ['Ollama says it in one word', raw(500, '{"error":"overloaded"}'), 'unavailable', 'retry', '500'],
    [
      'a success that is none',
      raw(200, '{"error":{"code":429,"message":"slow down"}}'),
      'rate_limited',
      'retry',
      '429',
    ],
    ['one that says nothing', raw(200, '{"error":"something"}'), 'unavailable', 'retry', '502'],
  ])('is told for what it is where %s', async (_what, script, outcome, kind, word) => {
    const fault = await faultOf(script);
    expect(fault).toMatchObject({ outcome, kind, mayBeBilled: false });
    expect(fault.message).toContain(word);
  });

  it.each([
    ['in seconds', { 'retry-after': '2' }, 2_000],
    ['as a date', { 'retry-after': 'Sat, 21 Nov 2026 12:00:30 GMT' }, 30_000],
    ['in no way that is known', { 'retry-after': 'later' }, undefined],
  ])('that says when to come back %s is heeded', async (_how, headers, retryAfterMs) => {
    const now = () => new Date('2026-11-21T12:00:00Z');
    expect(await faultOf(status(503, {}, headers), { now })).toMatchObject({ outcome: 'unavailable', retryAfterMs });
  });

  it('of a day’s quota says when it is over, where the server does', async () => {
    const now = () => new Date('2026-11-21T12:00:00Z');
    const reset = new Date('2026-11-21T18:00:00Z');
    const headers = { 'x-ratelimit-reset': String(reset.getTime()) };
    const fault = await faultOf(status(429, { message: 'free-models-per-day' }, headers), { now });
    expect(fault).toMatchObject({ outcome: 'quota_exhausted', kind: 'stop', resumeAt: reset });
    // Otherwise with the day; an account without money waits for its owner.
    const daily = status(429, { message: 'Limit reached on requests per day (RPD)' });
    const tomorrow = new Date('2026-11-22T00:00:00Z');
    expect(await faultOf(daily, { now })).toMatchObject({ kind: 'stop', resumeAt: tomorrow });
    const broke = status(429, { code: 'insufficient_quota', message: 'You exceeded your daily quota' });
    expect((await faultOf(broke, { now })).resumeAt).toBeUndefined();
  });

  it('names the server without what is secret in its address', async () => {
    const baseUrl = server.baseUrl.replace('http://', 'http://user:hidden@');
    const fault = await faultOf(status(401, {}), { baseUrl, apiKey: 'test-key' });
    expect(fault.message).toContain(new URL(baseUrl).host);
    expect(fault.message).not.toMatch(/hidden|test-key/);
  });
});
