import { describe, expect, it } from 'vitest';
import { capabilityOf, shutdownWarning, tierModels } from '../../../src/compile/models/capabilities.ts';
import { createPricing, type Priced } from '../../../src/compile/models/prices.ts';

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

describe('what a call cost', () => {
  // 6,000 × 0.30 + 4,000 × 0.03 + 400 × 2.50 = 1,800 + 120 + 1,000 millionths.
  it('is the list price of the model that answered, cached tokens and thoughts by their own rates', () => {
    const cost = createPricing()(call);
    expect(cost.costUsd).toBeCloseTo(0.00292, 10);
    expect(cost.costSource).toBe('genai-prices@0.1.8');
  });

  it('is half of that for flex', () => {
    expect(createPricing()({ ...call, serviceTier: 'flex' }).costUsd).toBeCloseTo(0.00146, 10);
  });

  it('is that of the day of the call', () => {
    const flash = { ...call, model: 'gemini-3.8-flash' };
    const before = createPricing()({ ...flash, at: new Date('2026-12-30T00:00:00Z') }).costUsd ?? 0;
    const after = createPricing()({ ...flash, at: new Date('2027-01-02T00:00:00Z') }).costUsd ?? 0;
    expect(after).toBeCloseTo(before * 2, 10);
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
