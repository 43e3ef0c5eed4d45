import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { requestFor } from '../../src/compile/prompt.ts';
import { createView } from '../../src/compile/segment.ts';
import { loadConfig } from '../../src/config.ts';
import { usdRange } from '../../src/dataset/figures.ts';
import { measuredOf, settledAgainstEstimate } from '../../src/estimate/recorded.ts';
import { sizeOf } from '../../src/estimate/sizes.ts';
import { costOf, googleBilling, type Plan } from '../../src/estimate/spending.ts';
import { assumed } from '../../src/estimate/tokens.ts';
import { estimate, planOf } from '../../src/estimating.ts';
import { createLogger } from '../../src/log.ts';
import { withDataset } from '../dataset/dataset.ts';
import { callOf, compiledOf, segmentOf, trajectoryOf } from '../support/records.ts';
import { parcelRows, trajectoryOf as trajectoryOfRows } from '../support/trajectories.ts';

const at = new Date('2026-11-21T00:00:00Z');
/** US dollars per million tokens: a dollar in, ten out. */
const prices = { writer: { input: 1, output: 10 }, checker: { input: 2, output: 20 } };
const spending = { prices, at, windowTokens: 24_000 };
const by = (model: string) => ({ model, billing: googleBilling, measured: null });
const plan: Plan = { serviceTier: 'standard', compile: by('writer'), verify: null };

describe('what segments cost', () => {
  const size = { turns: 20, chars: 76_000, promptChars: 84_000 };

  it('follows from their characters, the assumptions and the prices', () => {
    const range = costOf([size, size], plan, spending)!;
    // 84,000 characters at 4.2 and at 2.8 a token; no retry, and one in twenty.
    expect(range.low).toBeCloseTo((2 * (20_000 * 1 + assumed.compileOutput.low * 10)) / 1e6, 9);
    expect(range.high).toBeCloseTo((2 * 1.05 * (30_000 * 1 + assumed.compileOutput.high * 10)) / 1e6, 4);
  });

  it('holds the verifier, whose price is its own', () => {
    const both = costOf([size], { ...plan, verify: by('checker') }, spending)!;
    const alone = costOf([size], plan, spending)!;
    // The whole segment once, and more, in at least half of the cases.
    expect(both.low - alone.low).toBeGreaterThan((0.5 * (76_000 / 4.2) * 2) / 1e6);
    expect(both.high).toBeGreaterThan(both.low);
  });

  it('is half with flex where the model has it, and not known without a price', () => {
    const flash: Plan = { ...plan, compile: by('gemini-3.5-flash-lite') };
    const standard = costOf([size], flash, spending)!;
    expect(costOf([size], { ...flash, serviceTier: 'flex' }, spending)!.low).toBeCloseTo(standard.low / 2, 9);
    expect(costOf([size], { ...plan, serviceTier: 'flex' }, spending)).toEqual(costOf([size], plan, spending));
    expect(costOf([size], { ...plan, verify: by('nobody-knows-it') }, spending)).toBeNull();
  });

  it('is told to the cent, never narrower than it is', () => {
    expect(usdRange({ low: 1.049, high: 5.731 })).toBe('1.04–5.74 USD');
    expect(usdRange({ low: 0.00012, high: 0.00039 })).toBe('0.00012–0.00039 USD');
    expect(usdRange({ low: 1234.5, high: 5678.9 })).toBe('1,234.50–5,678.90 USD');
    expect(usdRange({ low: 0, high: 0 })).toBe('0 USD');
    expect(usdRange(null)).toBe('unknown');
  });
});

describe('the size of a segment', () => {
  it('is known from turns and characters alone, nearly', () => {
    const view = createView(trajectoryOfRows(parcelRows));
    const { system, prompt, schema } = requestFor(view, 5);
    const real = system.length + prompt.length + JSON.stringify(schema).length;
    const chars = view.turns.reduce((sum, { text }) => sum + text.length, 0);
    expect(Math.abs(sizeOf(view.turns.length, chars).promptChars / real - 1)).toBeLessThan(0.02);
  });
});

describe('recorded calls', () => {
  /** As many segments, each compiled by one call of 4,000 tokens in and 500 out, half of them verified. */
  const recorded = (count: number) =>
    Array.from({ length: count }, (_, nth) => {
      const trajectory = trajectoryOf({ sessionId: `s${nth}` });
      const segment = segmentOf(trajectory);
      segment.segment.metrics = { turns: 6, chars: 12_000 };
      const verified = callOf(segment, {
        stage: 'verify',
        promptTokens: 6_000,
        model: 'checker',
        requestedModel: 'checker',
      });
      const calls = [callOf(segment), ...(nth % 2 === 0 ? [verified, { ...verified, id: `${verified.id}-2` }] : [])];
      return compiledOf({ trajectory, segments: [segment], calls });
    });

  it('take the place of what is assumed after fifty', async () => {
    await withDataset(recorded(49), (db) => expect(measuredOf(db, 'compile', 'gemini-3.5-flash-lite')).toBeNull());
    await withDataset(recorded(50), (db) => {
      const { promptChars } = sizeOf(6, 12_000);
      const compile = measuredOf(db, 'compile', 'gemini-3.5-flash-lite');
      expect(compile).toMatchObject({ calls: 50, outputPerSegment: 500, thinkingPerSegment: 0 });
      expect(compile!.inputPerChar * promptChars).toBeCloseTo(4_000, 6);
      const verify = measuredOf(db, 'verify', 'checker');
      // Half of the segments, two calls each.
      expect(verify).toMatchObject({ calls: 50, outputPerSegment: 500 });
      expect(verify!.inputPerChar * promptChars).toBeCloseTo(6_000, 6);
      const measured: Plan = { ...plan, compile: { ...by('writer'), measured: compile } };
      const range = costOf([sizeOf(6, 12_000)], measured, spending)!;
      expect(range.low).toBeCloseTo((0.9 * (4_000 * 1 + 500 * 10)) / 1e6, 9);
      expect(range.high).toBeCloseTo((1.1 * (4_000 * 1 + 500 * 10)) / 1e6, 9);
    });
  });

  it('are held against what was to be expected of them', () =>
    withDataset(recorded(3), (db) => {
      const settled = settledAgainstEstimate(db, { prices, windowTokens: 24_000 })!;
      expect(settled.segments).toBe(3);
      expect(settled.settledUsd).toBeCloseTo(3 * 0.0012 + 4 * 0.0012, 9);
      expect(settled.estimatedUsd.low).toBeGreaterThan(0);
      expect(settled.estimatedUsd.high).toBeGreaterThan(settled.estimatedUsd.low);
    }));

  it('are none where no model was called', () =>
    withDataset([compiledOf()], (db) => {
      expect(settledAgainstEstimate(db, { prices, windowTokens: 24_000 })).toBeNull();
    }));
});

it('a day is estimated by the sessions that there are', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'estimate-'));
  try {
    const rows = parcelRows.concat(parcelRows).map(({ tool, args, response }, nth) => {
      const created_at = new Date(Date.UTC(2026, 2, 2, 9, nth)).toISOString();
      return JSON.stringify({ session_id: 's', agent: 'clerk', tool, arguments: args, response, created_at });
    });
    const file = join(folder, 'rows.jsonl');
    writeFileSync(file, rows.join('\n'));
    const { config } = loadConfig({ env: { TC_DATA_DIR: join(folder, 'data') }, flags: {} });
    const log = createLogger('silent');
    const [once, day] = [
      await estimate(config, log, { file, now: at }),
      await estimate(config, log, { file, day: 180, now: at }),
    ];
    expect(once.volume).toMatchObject({ of: 'file', sessions: 1, turns: 18, segments: 1 });
    expect(day.volume).toMatchObject({ of: 'day', sessions: 10, turns: 180, admittedSegments: { low: 1, high: 10 } });
    const [one, ten] = [once.ways[1]!.withoutCoverage!, day.ways[1]!];
    expect(ten.withoutCoverage!.high).toBeCloseTo(one.high * 10, 9);
    // All of old shapes, of which one in twenty is compiled, to all of new ones.
    expect(ten.withCoverage!.low).toBeCloseTo(one.low / 2, 9);
    expect(ten.withCoverage!.high).toBeCloseTo(one.high * 10, 9);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('one model of a server of its own is estimated to look at its own work, as it would', () => {
  const env = {
    TC_COMPILE_PROVIDER: 'openai-compatible',
    TC_COMPILE_MODEL: 'qwen3:8b',
    TC_OPENAI_BASE_URL: 'http://127.0.0.1:11434/v1',
  };
  const { config } = loadConfig({ env, flags: {} });
  expect(planOf(config)).toMatchObject({ compile: { model: 'qwen3:8b' }, verify: { model: 'qwen3:8b' } });
});

const file = fileURLToPath(new URL('../../../shared/data/audit_log.jsonl.gz', import.meta.url));

if (existsSync(file)) {
  it('the recorded sessions are estimated for every tier, and nothing is written', async () => {
    const dataDir = '/nonexistent/data';
    const { config } = loadConfig({ env: { TC_DATA_DIR: dataDir }, flags: {} });
    const { volume, ways } = await estimate(config, createLogger('silent'), { file, now: at });
    expect(volume).toMatchObject({ of: 'file', sessions: 114, turns: 5_154, segments: 124 });
    // They are varied: one shape alone has more than twenty segments.
    expect(volume.admittedSegments).toEqual({ low: 123, high: 123 });
    expect(ways.map(({ name, serviceTier }) => [name, serviceTier])).toEqual([
      ['rules', null],
      ['cheap', 'standard'],
      ['cheap', 'flex'],
      ['strong', 'standard'],
      ['strong', 'flex'],
    ]);
    const [rules, cheap, flex, strong] = ways.map(({ withoutCoverage }) => withoutCoverage!);
    expect(rules).toEqual({ low: 0, high: 0 });
    expect(flex!.high).toBeCloseTo(cheap!.high / 2, 3);
    expect(strong!.low).toBeGreaterThan(cheap!.low);
    expect(existsSync(dataDir)).toBe(false);
  });
}
