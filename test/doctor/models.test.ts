import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { examineModels, proxyCheck, shutdownCheck } from '../../src/doctor/models.ts';
import type { Visit } from '../../src/doctor/visit.ts';
import {
  answer,
  type GeminiServer,
  type Script,
  silence,
  startGeminiServer,
  status,
} from '../support/gemini-server.ts';
import * as openai from '../support/openai-server.ts';
import { checksOf, faults, forever, named, visitOf } from './looking.ts';

let gemini: GeminiServer;
let dir: string;
beforeEach(async () => {
  gemini = await startGeminiServer();
  dir = mkdtempSync(join(tmpdir(), 'tc-doctor-'));
});
afterEach(async () => {
  await gemini.close();
  rmSync(dir, { recursive: true, force: true });
});

const key = 'not-a-real-key';
const settings = (more: Record<string, string> = {}) => ({
  ...{ TC_COMPILE_TIER: 'cheap', GEMINI_API_KEY: key, TC_GEMINI_BASE_URL: gemini.baseUrl, TC_DATA_DIR: dir },
  ...more,
});
const look = (env: Record<string, string> = {}, more: Partial<Visit> = {}) =>
  checksOf((list) => examineModels(list, visitOf(settings(env), more), forever));

/** What `models.get` tells; a question is answered with `question`. */
function serving(model: Record<string, unknown>, question: Script = status(500, {})): Script {
  return (response, call) => {
    if (call.path.endsWith(':generateContent')) return question(response, call);
    const name = call.path.split('?')[0]!.split('/').at(-1);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ name: `models/${name}`, supportedGenerationMethods: ['generateContent'], ...model }));
  };
}

const asked = () => gemini.received.map(({ path }) => path);

it('both models of a tier are looked up, and nothing is asked of them', async () => {
  gemini.play(serving({ inputTokenLimit: 1_048_576, outputTokenLimit: 65_536 }));
  const checks = await look();
  expect(faults(checks)).toEqual([]);
  expect(asked().toSorted()).toEqual(['/v1beta/models/gemini-3.5-flash-lite', '/v1beta/models/gemini-3.8-flash']);
  expect(gemini.received.map(({ apiKey }) => apiKey)).toEqual([key, key]);
  const served = checks.filter(({ name }) => name === 'model_served').map(({ sentence }) => sentence);
  expect(served[0]).toMatch(/^gemini-3\.5-flash-lite \(writes pairs\) is served, .*environment \(GEMINI_API_KEY\)$/);
  expect(served[1]).toMatch(/^gemini-3\.8-flash \(looks at them\) is served/);
  expect(named(checks, 'model_probe').sentence).toMatch(
    /^not asked: --probe sends one question to gemini-3\.5-flash-lite \(at most 0\.00\d\d USD\) and gemini-3\.8-flash \(at most 0\.00\d\d USD\)$/,
  );
  expect(JSON.stringify(checks)).not.toContain(key);
});

it('a model that says nothing keeps no other waiting', async () => {
  gemini.play(silence, silence);
  const stop = new AbortController();
  const looking = checksOf((list) => examineModels(list, visitOf(settings()), stop.signal));
  await vi.waitFor(() => expect(asked()).toHaveLength(2));
  stop.abort();
  await expect(looking).rejects.toThrow(/abort/i);
});

it('a key that is missing or malformed is a failure, and nobody is asked', async () => {
  expect(faults(await look({ GEMINI_API_KEY: '' }))).toContain('failure model_key_missing');
  expect(faults(await look({ GEMINI_API_KEY: 'not a real key' }))).toContain('failure model_key_malformed');
  expect(faults(await look({ TC_GEMINI_BASE_URL: 'gemini.test' }))).toContain('failure bad_settings');
  expect(gemini.received).toEqual([]);
});

it('a key that is refused is a failure that names the setting', async () => {
  gemini.play(
    status(400, {
      status: 'INVALID_ARGUMENT',
      message: `API key ${key} not valid`,
      details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }],
    }),
  );
  const checks = await look({ TC_VERIFY_MODE: 'off' });
  const refused = named(checks, 'model_key_refused');
  expect(refused).toMatchObject({ outcome: 'failure', exitCode: 3 });
  expect(refused.sentence).toContain('gemini.apiKey');
  expect(JSON.stringify(checks)).not.toContain(key);
});

it('a model that is not served is a failure that names its setting', async () => {
  gemini.play(status(404, { status: 'NOT_FOUND' }));
  const checks = await look({ TC_VERIFY_MODEL: 'gemini-0' });
  const missing = checks.filter(({ name }) => name === 'model_not_served');
  expect(missing.map(({ remedy }) => remedy)).toEqual([
    'set compile.model to a model that is served there',
    'set verify.model to a model that is served there',
  ]);
});

it('a model that generates no text, or reads less than a window, is a failure', async () => {
  gemini.play(serving({ supportedGenerationMethods: ['embedContent'] }));
  expect(named(await look({ TC_VERIFY_MODE: 'off' }), 'model_served')).toMatchObject({
    outcome: 'failure',
    remedy: 'set compile.model to a model that does',
  });
  gemini.play(serving({ inputTokenLimit: 16_000 }));
  expect(named(await look({ TC_VERIFY_MODE: 'off' }), 'model_window')).toMatchObject({
    outcome: 'failure',
    remedy: 'set compile.windowTokens to 8000',
  });
});

it('a model of the Gemini API that this version does not know is warned of', async () => {
  gemini.play(serving({}));
  const checks = await look({ TC_COMPILE_MODEL: 'gemini-9-ultra', TC_VERIFY_MODE: 'off' });
  expect(named(checks, 'model_thinking')).toMatchObject({ outcome: 'warning' });
  expect(named(await look({ TC_VERIFY_MODE: 'off' }), 'model_thinking').sentence).toContain('level MINIMAL');
});

it('an address where nobody is, is named, and is no fault of the settings', async () => {
  await gemini.close();
  const { host } = new URL(gemini.baseUrl);
  const away = named(await look({ TC_VERIFY_MODE: 'off' }), 'model_network');
  expect(away).toMatchObject({ outcome: 'failure', exitCode: 5 });
  expect(away.sentence).toContain(host);
});

it('a redirection is not followed: the key goes to the address that was set', async () => {
  gemini.play((response) => response.writeHead(302, { location: '/elsewhere' }).end());
  const checks = await look({ TC_VERIFY_MODE: 'off' });
  expect(named(checks, 'model_redirected').outcome).toBe('failure');
  expect(asked()).toHaveLength(1);
});

it('a server that never answers is given up', async () => {
  gemini.play(silence);
  const stopped = AbortSignal.timeout(50);
  const work = checksOf((list) => examineModels(list, visitOf(settings()), stopped));
  await expect(work).rejects.toMatchObject({ name: 'TimeoutError' });
});

const lite = { choice: { provider: 'gemini' as const, model: 'gemini-2.5-flash' }, stages: ['compile' as const] };
it.each([
  ['2026-09-01', 'ok', /until 2026-12-01/],
  ['2026-11-21', 'warning', /in 10 days/],
  ['2026-12-24', 'warning', /was shut down .* served as gemini-3\.5-flash-lite/],
])('on %s the end of a model is a matter of %s', (day, outcome, sentence) => {
  const check = shutdownCheck(lite, new Date(day));
  expect(check.outcome).toBe(outcome);
  expect(check.sentence).toMatch(sentence);
  if (outcome === 'warning') expect(check.remedy).toBe('set compile.model to gemini-3.5-flash-lite, or remove it');
});

it('of the strong tier a second look by the same family is warned of, and by the same model of any tier', async () => {
  gemini.play(serving({}));
  const strong = await look({ TC_COMPILE_TIER: 'strong' });
  expect(named(strong, 'verify_family')).toMatchObject({ outcome: 'warning' });
  expect(named(strong, 'verify_family').sentence).toContain('its own work');
  const other = await look({ TC_COMPILE_TIER: 'strong', TC_VERIFY_MODEL: 'gemini-3.5-flash-lite' });
  expect(named(other, 'verify_family').sentence).toContain('of one family');
});

it('a proxy that calls do not go through is warned of, but for addresses of this network', () => {
  const far = new URL('https://generativelanguage.googleapis.com/');
  const { choice } = lite;
  expect(proxyCheck(far, choice, { https_proxy: 'http://user:hunter2@proxy:3128' })).toMatchObject({
    outcome: 'warning',
    sentence: 'https_proxy is set, and calls of models do not go through it',
    remedy: expect.stringContaining('generativelanguage.googleapis.com'),
  });
  expect(proxyCheck(far, choice, {})).toBeNull();
  expect(proxyCheck(new URL('http://127.0.0.1:1/'), choice, { HTTPS_PROXY: 'http://proxy' })).toBeNull();
});

const held = '{"answer":"yes"}';

it('with --probe each model is asked once, in its own form, with little room, and the cost is told', async () => {
  const usage = { promptTokenCount: 40, candidatesTokenCount: 4, thoughtsTokenCount: 100, totalTokenCount: 144 };
  gemini.play(serving({}, answer(held, { usage })));
  const checks = await look({}, { probe: true });
  expect(faults(checks)).toEqual([]);
  const questions = gemini.received.filter(({ path }) => path.endsWith(':generateContent'));
  expect(questions.map(({ model }) => model)).toEqual(['gemini-3.5-flash-lite', 'gemini-3.8-flash']);
  expect(questions.map(({ body }) => body.generationConfig.maxOutputTokens)).toEqual([576, 576]);
  expect(questions[0]?.body.generationConfig).toMatchObject({
    responseMimeType: 'application/json',
    thinkingConfig: { thinkingLevel: 'MINIMAL' },
  });
  const probes = checks.filter(({ name }) => name === 'model_probe').map(({ sentence }) => sentence);
  expect(probes[0]).toMatch(/answered in \d+ ms for 0\.000272 USD \(40 tokens in, 104 out\), as the schema wants it$/);
  // No cap is set: nothing is written.
  expect(readdirSync(dir)).toEqual([]);
});

it('an answer that is not as the schema wants it is a failure, one that was cut short a warning', async () => {
  const probe = { probe: true };
  gemini.play(serving({}, answer('Sure! Yes.')));
  const bad = named(await look({ TC_VERIFY_MODE: 'off' }, probe), 'model_probe');
  expect(bad).toMatchObject({ outcome: 'failure', remedy: expect.stringContaining('JSON schema') });
  gemini.play(serving({}, answer('', { finishReason: 'MAX_TOKENS' })));
  expect(named(await look({ TC_VERIFY_MODE: 'off' }, probe), 'model_probe').outcome).toBe('warning');
});

it('under a cap the question is counted, and where nothing is left it is not asked', async () => {
  gemini.play(serving({}, answer(held)));
  const probe = { probe: true };
  const enough = await look({ TC_VERIFY_MODE: 'off', TC_BUDGET_PER_DAY: '1' }, probe);
  expect(named(enough, 'model_probe').outcome).toBe('ok');
  expect(readdirSync(dir)).toContain('budget.sqlite');
  const questions = gemini.received.length;
  const nothing = await look({ TC_VERIFY_MODE: 'off', TC_BUDGET_PER_DAY: '0' }, probe);
  expect(named(nothing, 'model_probe')).toMatchObject({ outcome: 'warning' });
  expect(named(nothing, 'model_probe').sentence).toContain('was not asked');
  // It was looked up once more, and that is all.
  expect(gemini.received).toHaveLength(questions + 1);
});

it('what may cost more than a cent, or nobody knows what, is not asked', async () => {
  gemini.play(serving({}, answer(held)));
  const probe = { probe: true };
  const prices = { TC_PRICES: '{"dear":{"input":1,"output":900}}', TC_VERIFY_MODE: 'off' };
  const dear = named(await look({ ...prices, TC_COMPILE_MODEL: 'dear' }, probe), 'model_probe');
  expect(dear).toMatchObject({ outcome: 'warning' });
  expect(dear.sentence).toMatch(/may cost up to 0\.\d+ USD/);
  const unknown = named(await look({ ...prices, TC_COMPILE_MODEL: 'nobody-knows' }, probe), 'model_probe');
  expect(unknown.sentence).toContain('has no price');
  expect(asked().filter((path) => path.endsWith(':generateContent'))).toEqual([]);
});

describe('a server that speaks the OpenAI protocol', () => {
  const local = async (structured: openai.Structured, ids: string[] | null, more: Partial<Visit> = {}) => {
    const server = await openai.startOpenAiServer();
    server.structured = structured;
    server.play((response, call) => {
      if (call.path !== '/v1/models') return openai.answer(held)(response, call);
      if (ids === null) return openai.status(404, {})(response, call);
      openai.raw(200, JSON.stringify({ object: 'list', data: ids.map((id) => ({ id })) }))(response, call);
    });
    const env = {
      TC_COMPILE_PROVIDER: 'openai-compatible',
      TC_COMPILE_MODEL: 'llama3.2',
      TC_OPENAI_BASE_URL: server.baseUrl,
    };
    try {
      return await look({ ...env, TC_OPENAI_API_KEY: 'not-a-real-key' }, more);
    } finally {
      await server.close();
    }
  };

  it('is asked for its list', async () => {
    const there = await local('schema', ['mistral:latest', 'llama3.2:latest']);
    expect(faults(there)).toEqual(['warning verify_family']);
    expect(named(there, 'model_served').sentence).toContain('(writes pairs and looks at them) is served');
    const missing = named(await local('schema', ['mistral:latest']), 'model_not_served');
    expect(missing).toMatchObject({ outcome: 'failure' });
    expect(missing.sentence).toContain('which has mistral:latest');
    expect(named(await local('schema', null), 'model_served').sentence).toContain('does not list its models');
  });

  it('of this network is asked with --probe, and costs nothing', async () => {
    const checks = await local('schema', ['llama3.2'], { probe: true });
    expect(named(checks, 'model_probe').sentence).toMatch(/for 0 USD .* as the schema wants it$/);
  });
});
