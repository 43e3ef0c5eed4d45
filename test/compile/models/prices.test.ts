import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  capabilityOf,
  familyOf,
  modelFor,
  shutdownWarning,
  tierModels,
} from '../../../src/compile/models/capabilities.ts';
import { createGemini } from '../../../src/compile/models/gemini.ts';
import type { Billing } from '../../../src/compile/models/model.ts';
import { createBound, createPricing, listSource, namesOf, type Priced } from '../../../src/compile/models/prices.ts';
import { isPrivateHost } from '../../../src/compile/models/private-address.ts';
import { mostTokens } from '../../../src/compile/models/tokens.ts';

const call: Priced = {
  billing: { usdPerHour: null, local: false, list: { providerId: 'google' } },
  requested: 'gemini-3.5-flash-lite',
  model: 'gemini-3.5-flash-lite',
  serviceTier: 'standard',
  usage: { promptTokens: 10_000, cachedTokens: 4_000, outputTokens: 300, thinkingTokens: 100 },
  at: new Date('2026-11-20T12:00:00Z'),
  durationMs: 2_000,
  reportedUsd: null,
};

const google: Billing = { usdPerHour: null, local: false, list: { providerId: 'google' } };
const [autumn, newYearsEve, newYear] = ['2026-11-20T12:00:00Z', '2026-12-31T23:59:59Z', '2027-01-01T00:00:00Z'];

describe('what a call cost', () => {
  /** By hand, from the providers' lists of 2026-11: US dollars a million in, cached, out; thoughts are output. */
  it.each([
    // model, service tier, at, prompt, of it cached, output, thoughts, US dollars
    ['gemini-3.5-flash-lite', 'standard', autumn, 10_000, 4_000, 300, 100, 0.00292],
    ['gemini-3.5-flash-lite', 'standard', autumn, 1_000_000, 0, 0, 0, 0.3],
    ['gemini-3.5-flash-lite', 'standard', autumn, 1_000_000, 1_000_000, 0, 0, 0.03],
    ['gemini-3.5-flash-lite', 'standard', autumn, 0, 0, 600_000, 400_000, 2.5],
    ['gemini-3.5-flash-lite', 'flex', autumn, 10_000, 4_000, 300, 100, 0.00146],
    ['gemini-2.5-flash-lite', 'standard', autumn, 2_000_000, 1_000_000, 500_000, 500_000, 0.51],
    // The introductory price ends with the year.
    ['gemini-3.8-flash', 'standard', newYearsEve, 1_000_000, 400_000, 100_000, 100_000, 0.45 + 0.03 + 0.75],
    ['gemini-3.8-flash', 'standard', newYear, 1_000_000, 400_000, 100_000, 100_000, 0.9 + 0.06 + 1.5],
    ['gemini-3.8-flash', 'flex', newYear, 1_000_000, 400_000, 100_000, 100_000, 1.23],
    // Above 200,000 tokens of prompt all of them cost more, cached and output too.
    ['gemini-2.5-pro', 'standard', autumn, 200_000, 100_000, 10_000, 0, 0.125 + 0.0125 + 0.1],
    ['gemini-2.5-pro', 'standard', autumn, 200_001, 100_000, 10_000, 0, 0.2500025 + 0.025 + 0.15],
    ['gemini-3.1-pro-preview', 'standard', autumn, 300_000, 0, 5_000, 5_000, 1.2 + 0.18],
    ['gemini-3.1-pro-preview', 'standard', autumn, 100_000, 0, 5_000, 5_000, 0.2 + 0.12],
  ])('%s, %s, at %s: %i in (%i cached), %i out, %i thought', (model, serviceTier, at, ...counted) => {
    const [promptTokens, cachedTokens, outputTokens, thinkingTokens, usd] = counted;
    const usage = { promptTokens, cachedTokens, outputTokens, thinkingTokens };
    const cost = createPricing()({ ...call, model, serviceTier, at: new Date(at), usage });
    expect(cost.costUsd).toBeCloseTo(usd, 10);
    expect(cost.costSource).toBe(listSource);
  });

  it('names the snapshot of the list, the one that is installed', () => {
    const installed = readFileSync('node_modules/@pydantic/genai-prices/package.json', 'utf8');
    expect(listSource).toBe(`genai-prices@${JSON.parse(installed).version}`);
  });

  it.each([
    [{ input: 1, cached: 0.5, output: 4 }, 0.0096],
    // Without a rate of their own, cached tokens cost what others do.
    [{ input: 1, output: 4 }, 0.0116],
    [{ input: 0, output: 0 }, 0],
  ])('is by the operator’s table where it has the model: %j', (price, costUsd) => {
    const cost = createPricing({ 'gemini-3.5-flash-lite': price })(call);
    expect(cost.costUsd).toBeCloseTo(costUsd, 10);
    expect(cost.costSource).toMatch(/^table@[0-9a-f]{8}$/);
  });

  it.each([
    ['no model answered', { model: null }],
    ['nobody knows the model', { model: 'some-model-of-ours' }],
    ['the model’s name is a trap', { model: '__proto__' }],
    ['the provider counted no tokens', { usage: { ...call.usage, promptTokens: null } }],
    ['the counts contradict each other', { usage: { ...call.usage, cachedTokens: 20_000 } }],
    ['nobody knows the service tier', { serviceTier: 'priority' }],
  ])('is null, not 0, where %s', (_why, change) => {
    expect(createPricing()({ ...call, ...change })).toEqual({ costUsd: null, costSource: null });
  });
});

describe('what a call of a server of one’s own cost', () => {
  const local: Billing = { usdPerHour: null, local: true, list: { providerApiUrl: 'http://127.0.0.1:8000/v1' } };
  const openRouter: Billing = { ...local, local: false, list: { providerApiUrl: 'https://openrouter.ai/api/v1' } };
  const nothing = { promptTokens: null, cachedTokens: null, outputTokens: null, thinkingTokens: null };
  const ours = { ...call, requested: 'qwen3', model: 'qwen3' };

  it.each([
    ['nothing', { billing: local }, { costUsd: 0, costSource: 'local' }],
    [
      'nothing, even where it failed',
      { billing: local, model: null, usage: nothing },
      { costUsd: 0, costSource: 'local' },
    ],
    // 2 s of 1.80 an hour.
    ['its time', { billing: { ...local, usdPerHour: 1.8 } }, { costUsd: 0.001, costSource: 'hourly' }],
    [
      'its time, even where it failed',
      { billing: { ...local, usdPerHour: 1.8 }, model: null, usage: nothing },
      { costUsd: 0.001, costSource: 'hourly' },
    ],
    ['what it says itself', { billing: openRouter, reportedUsd: 0.0123 }, { costUsd: 0.0123, costSource: 'provider' }],
    [
      'what is not known elsewhere',
      { billing: { ...openRouter, list: { providerApiUrl: 'https://models.example/v1' } } },
      { costUsd: null, costSource: null },
    ],
  ])('is %s', (_what, change, cost) => {
    expect(createPricing()({ ...ours, ...change })).toEqual(cost);
  });

  it('is the list price of a provider that has one', () => {
    const listed = createPricing()({ ...ours, billing: openRouter, model: 'qwen/qwen3-32b' });
    expect(listed.costSource).toBe(listSource);
    expect(listed.costUsd).toBeGreaterThan(0);
  });

  it('is by the operator’s table where it passes on to one that bills, and not known under another name', () => {
    const price = createPricing({ qwen3: { input: 1, output: 4 } });
    expect(price({ ...ours, billing: local }).costUsd).toBeCloseTo(0.0116, 10);
    expect(price({ ...ours, billing: local, model: 'other' }).costUsd).toBeNull();
    expect(price({ ...ours, billing: local, model: null, usage: nothing }).costUsd).toBeNull();
  });

  it.each([
    ['http://127.0.0.1:11434/v1', true],
    ['http://localhost:11434/v1', true],
    ['http://[::1]:8000/v1', true],
    ['http://ollama:11434/v1', true],
    ['http://10.1.2.3/v1', true],
    ['http://172.31.0.1/v1', true],
    ['http://192.168.1.20/v1', true],
    ['http://[fd12::1]/v1', true],
    ['http://gpu.internal/v1', true],
    ['http://172.32.0.1/v1', false],
    ['http://8.8.8.8/v1', false],
    ['https://openrouter.ai/api/v1', false],
    ['https://127.0.0.1.example.com/v1', false],
    ['https://10.example.com/v1', false],
  ])('of one’s own is %s: %s', (address, own) => {
    expect(isPrivateHost(new URL(address))).toBe(own);
  });
});

describe('what a call may cost at most', () => {
  const most = (model: string, at: string, tokens = { input: 1_000_000, output: 100_000 }, billing = google) =>
    createBound()({ billing, models: namesOf(model), tokens, at: new Date(at), timeoutMs: 60_000 });

  it('is the full price, nothing cached, of today or tomorrow', () => {
    expect(most('gemini-3.8-flash', autumn)).toBeCloseTo(0.75 + 0.375, 10);
    // Asked before midnight, answered after it.
    expect(most('gemini-3.8-flash', newYearsEve)).toBeCloseTo(1.5 + 0.75, 10);
  });

  it('is that of the dearest name under which it may answer', () => {
    // Served as 3.8-flash from December on, which is dearer for what goes in from January on.
    expect(most('gemini-2.5-pro', newYear, { input: 100_000, output: 0 })).toBeCloseTo(0.15, 10);
  });

  it('is not known where one of them has no price, nothing on a machine of one’s own, else its time', () => {
    const local: Billing = { usdPerHour: null, local: true, list: { providerApiUrl: 'http://127.0.0.1/v1' } };
    expect(most('some-model-of-ours', autumn)).toBeNull();
    expect(most('some-model-of-ours', autumn, undefined, local)).toBe(0);
    expect(most('some-model-of-ours', autumn, undefined, { ...local, usdPerHour: 6 })).toBeCloseTo(0.1, 10);
  });

  it('is more than any text can cost', () => {
    const texts = ['', 'plain words', '€ ⟦EMAIL_1⟧ 漢字 \u0000', '{"a":'.repeat(50)];
    for (const prompt of texts) {
      const request = { system: prompt, prompt, schema: { type: 'object' }, maxOutputTokens: 4_096 };
      const bytes = 2 * Buffer.byteLength(prompt) + '{"type":"object"}'.length;
      expect(mostTokens(request).input).toBeGreaterThanOrEqual(bytes);
      const thinking = createGemini({ apiKey: 'k', model: 'gemini-3.8-flash' }).mostTokens!(request);
      expect(thinking.output).toBeGreaterThanOrEqual(4_096 + 2 * capabilityOf('gemini-3.8-flash').thinkingTokens);
    }
  });
});

describe('whose family a model is', () => {
  it.each([
    ['gemini-3.8-flash', 'gemini'],
    ['google/gemma-3-27b-it', 'gemini'],
    ['openai/gpt-5-mini', 'gpt'],
    ['o4-mini', 'gpt'],
    ['anthropic/claude-sonnet-4.5', 'claude'],
    ['meta-llama/Llama-3.3-70B-Instruct', 'llama'],
    ['llama3.1:8b', 'llama'],
    ['qwen/qwen3-32b', 'qwen'],
    ['QwQ-32B', 'qwen'],
    ['mistralai/Mixtral-8x7B', 'mistral'],
    ['deepseek-r1:14b', 'deepseek'],
    ['deepseek/deepseek-r1-distill-llama-70b', 'llama'],
    ['/models/Qwen3-8B-Q4_K_M.gguf', 'qwen'],
    ['unheard-of-9b', 'unheard'],
    ['unheard-of-70b-instruct', 'unheard'],
  ])('%s is of %s', (model, family) => {
    expect(familyOf(model)).toBe(family);
  });
});

describe('which model a stage asks', () => {
  it('is the tier’s own, or the one that is named; elsewhere one has to be', () => {
    const naming = { tier: 'cheap', stage: 'verify', provider: 'gemini', model: null } as const;
    expect(modelFor(naming)).toBe('gemini-3.8-flash');
    expect(modelFor({ ...naming, model: 'another' })).toBe('another');
    expect(() => modelFor({ ...naming, provider: 'openai-compatible' })).toThrow(/verify\.model/);
  });
});

describe('what a model takes', () => {
  it('is never a level and a budget together, and never a budget of 0 for one that refuses it', () => {
    expect(capabilityOf('gemini-3.5-flash-lite').thinking).toEqual({ level: 'MINIMAL' });
    expect(capabilityOf('gemini-3.8-flash').thinking).toEqual({ level: 'LOW' });
    expect(capabilityOf('gemini-2.5-flash').thinking).toEqual({ budget: 0 });
    expect(capabilityOf('of-another-family').thinking).toBeNull();
  });

  it('is warned about when it is shut down, and the tiers do not rest on such a model', () => {
    const [before, after] = [new Date('2026-11-20'), new Date('2026-12-01')];
    expect(shutdownWarning('gemini-2.5-flash', before)).toContain('is shut down on 2026-12-01');
    expect(shutdownWarning('gemini-2.5-flash', after)).toContain('was shut down');
    expect(shutdownWarning('gemini-2.5-flash-lite', after)).toBeNull();
    for (const model of Object.values(tierModels).flatMap((tier) => Object.values(tier)))
      expect(shutdownWarning(model, after)).toBeNull();
  });
});
