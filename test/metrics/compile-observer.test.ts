import { beforeEach, describe, expect, it } from 'vitest';
import type { SegmentResult } from '../../src/compile/calls.ts';
import { createCompileObserver } from '../../src/metrics/compile-observer.ts';
import { createMetrics, type Metrics } from '../../src/metrics/registry.ts';
import type { QaPair, SegmentOutcome } from '../../src/records.ts';
import { callOf, pairOf, rejectionOf, segmentOf, trajectoryOf } from '../support/records.ts';
import { counted, present, samplesIn } from './reading.ts';

let metrics: Metrics;
beforeEach(() => {
  metrics = createMetrics('test');
});

const groups = [{ group: 'mail', agents: ['inbox-*'] }];
const observer = (agentGroups: Parameters<typeof createCompileObserver>[1] = groups) =>
  createCompileObserver(metrics, agentGroups);

const trajectory = trajectoryOf();
const segment = segmentOf(trajectory);
const pair = (changes: Partial<QaPair>) => pairOf(trajectory, segment, changes);
const resultOf = (changes: Partial<SegmentResult> = {}, outcome: Partial<SegmentOutcome> = {}): SegmentResult => ({
  spec: 'segment_result/1',
  outcome: { ...segment, ...outcome },
  pairs: [],
  rejected: [],
  calls: [],
  compiledAt: '2026-03-02T10:00:00.000000Z',
  ...changes,
});
const sumOf = async (histogram: string) => (await counted(metrics, `${histogram}_sum`)).join();
const countOf = async (histogram: string) => (await counted(metrics, `${histogram}_count`)).join();

describe('a segment', () => {
  it('is counted by what came of it and why, and how much of it was seen', async () => {
    const { onSegment } = observer();
    const of = { ...segment.segment, shareSeen: 0.5 };
    onSegment(resultOf());
    onSegment(resultOf({}, { outcome: 'failed', reason: 'truncated', segment: of }));
    onSegment(resultOf({}, { outcome: 'skipped', reason: 'coverage' }));
    expect((await counted(metrics, 'tc_segments_total')).sort()).toEqual([
      'compiled, 1',
      'failed,truncated 1',
      'skipped,coverage 1',
    ]);
    // Of what was left out, nobody saw anything.
    expect([await countOf('tc_segment_share_seen'), await sumOf('tc_segment_share_seen')]).toEqual(['2', '1.5']);
  });

  it('tells how long its steps took', async () => {
    const { onStage } = observer();
    onStage('verify', 1.5);
    onStage('verify', 0.5);
    onStage('gates', 0.002);
    expect((await counted(metrics, 'tc_compile_stage_duration_seconds_sum')).sort()).toEqual([
      'gates 0.002',
      'verify 2',
    ]);
    expect(await present(metrics, 'tc_compile_stage_duration_seconds_count')).toHaveLength(5);
  });
});

describe('a pair', () => {
  it('is counted by verdict and kind of question; one that a gate refused by the gate', async () => {
    observer().onSegment(
      resultOf({
        pairs: [
          pair({ qaType: 'temporal' }),
          pair({ qaType: 'factoid', verification: { status: 'fail', reason: 'single_turn' } }),
          pair({ qaType: 'factoid', verification: { status: 'unverified', reason: 'budget' } }),
        ],
        rejected: [rejectionOf(segment), rejectionOf(segment, { reason: 'adjacent' })],
      }),
    );
    expect((await counted(metrics, 'tc_pairs_total')).sort()).toEqual([
      'fail,factoid 1',
      'proved,temporal 1',
      'rejected, 2',
      'unverified,factoid 1',
    ]);
    expect((await counted(metrics, 'tc_pair_rejections_total')).sort()).toEqual(['adjacent 1', 'single_turn 1']);
    expect((await counted(metrics, 'tc_verdicts_total')).sort()).toEqual([
      ',proved 1',
      'budget,unverified 1',
      'single_turn,fail 1',
    ]);
  });

  it('that is proved or passed counts as accepted, by its agent’s group, with turns, span and cost', async () => {
    const passed = { status: 'pass', reason: null } as const;
    observer().onSegment(
      resultOf({
        pairs: [
          pair({ agent: 'inbox-triage', supportingTurns: [2, 5, 9], costUsd: 0.002, verification: passed }),
          pair({ agent: 'phone', supportingTurns: [0, 4], costUsd: null }),
          pair({ agent: 'inbox-late', verification: { status: 'held', reason: 'untrusted' } }),
        ],
      }),
    );
    expect(await counted(metrics, 'tc_pairs_accepted_total')).toEqual(['mail 1', 'other 1']);
    expect(await sumOf('tc_pair_supporting_turns')).toBe('5');
    // From turn 2 to turn 9, both included, and from 0 to 4.
    expect(await sumOf('tc_pair_span_turns')).toBe('13');
    // What it did cost is not known of one of them.
    expect([await countOf('tc_pair_cost_usd'), await sumOf('tc_pair_cost_usd')]).toEqual(['1', '0.002']);
  });
});

describe('a model call', () => {
  const call = callOf(segment, {
    requestedModel: 'gemini-2.5-flash',
    model: 'gemini-3.5-flash-lite',
    promptTokens: 4_000,
    cachedTokens: 1_000,
    outputTokens: 500,
    thinkingTokens: 60,
    costUsd: 0.25,
    durationMs: 900,
  });

  it('is counted with tokens by kind, duration and cost, under the model that was asked for', async () => {
    observer().onCall(call, 'inbox-triage');
    expect(await counted(metrics, 'tc_llm_requests_total')).toEqual(['gemini-2.5-flash,ok,gemini,compile 1']);
    expect(await counted(metrics, 'tc_llm_tokens_total')).toEqual([
      'gemini-2.5-flash,gemini,compile,input 3000',
      'gemini-2.5-flash,gemini,compile,cached 1000',
      'gemini-2.5-flash,gemini,compile,output 500',
      'gemini-2.5-flash,gemini,compile,thinking 60',
    ]);
    expect(await counted(metrics, 'tc_llm_cost_usd_total')).toEqual(['gemini-2.5-flash,gemini,compile,flex 0.25']);
    expect(await counted(metrics, 'tc_agent_cost_usd_total')).toEqual(['mail 0.25']);
    expect(await sumOf('tc_llm_request_duration_seconds')).toBe('gemini-2.5-flash,gemini,compile 0.9');
    expect(await counted(metrics, 'tc_llm_cost_unknown_total')).toEqual([]);
  });

  it('that failed counts under the same model as those that were answered: their ratio is of one series', async () => {
    const { onCall } = observer();
    const nothing = { promptTokens: null, cachedTokens: null, outputTokens: null, thinkingTokens: null };
    onCall(call, null);
    onCall({ ...call, ...nothing, model: null, outcome: 'timeout', costUsd: null }, null);
    const series = (await samplesIn(metrics)).get('tc_llm_requests_total') ?? [];
    expect(new Set(series.map(({ labels }) => labels.model))).toEqual(new Set(['gemini-2.5-flash']));
    expect(series.map(({ labels }) => labels.outcome)).toEqual(['ok', 'timeout']);
  });

  it('whose cost is not known is counted as that, and never as one of 0', async () => {
    observer([]).onCall({ ...call, costUsd: null }, 'inbox-triage');
    expect(await counted(metrics, 'tc_llm_cost_unknown_total')).toEqual(['gemini-2.5-flash,gemini,compile 1']);
    expect(await present(metrics, 'tc_llm_cost_usd_total')).toEqual([]);
  });

  it('that is made again is counted under why', async () => {
    observer().onRetry({ ...call, outcome: 'rate_limited', stage: 'verify' });
    expect(await counted(metrics, 'tc_llm_retries_total')).toEqual(['gemini-2.5-flash,gemini,rate_limited,verify 1']);
  });
});

describe('before anything is asked', () => {
  const asked = {
    provider: 'gemini',
    model: 'gemini-3.8-flash',
    stage: 'verify',
    tiers: ['flex', 'standard'],
  } as const;
  const usualFaults = ['rate_limited', 'unavailable', 'timeout', 'network', 'garbled'];
  const verifying = 'gemini-3.8-flash,gemini,verify';

  it('the series of a model that will be are there at 0: an increase from nothing is none to Prometheus', async () => {
    observer().onModel(asked);
    expect(await present(metrics, 'tc_llm_requests_total')).toEqual(
      ['ok', ...usualFaults].map((outcome) => `gemini-3.8-flash,${outcome},gemini,verify 0`),
    );
    expect(await present(metrics, 'tc_llm_retries_total')).toEqual(
      usualFaults.map((reason) => `gemini-3.8-flash,gemini,${reason},verify 0`),
    );
    expect(await present(metrics, 'tc_llm_tokens_total')).toEqual(
      ['input', 'cached', 'output', 'thinking'].map((type) => `${verifying},${type} 0`),
    );
    expect(await present(metrics, 'tc_llm_cost_unknown_total')).toEqual([`${verifying} 0`]);
    expect(await present(metrics, 'tc_llm_request_duration_seconds_count')).toEqual([`${verifying} 0`]);
    expect((await present(metrics, 'tc_llm_cost_usd_total')).sort()).toEqual(
      ['flex', 'standard'].map((tier) => `${verifying},${tier} 0`),
    );
  });

  it('a call adds to those, and makes none of its own', async () => {
    const { onModel, onCall } = observer();
    onModel(asked);
    const names = ['tc_llm_requests_total', 'tc_llm_tokens_total', 'tc_llm_cost_usd_total'];
    const series = () => Promise.all(names.map(async (name) => (await present(metrics, name)).length));
    const before = await series();
    onCall(
      callOf(segment, { requestedModel: asked.model, model: `${asked.model}-002`, stage: 'verify' }),
      'inbox-triage',
    );
    expect(await series()).toEqual(before);
  });

  it('groups of agents that are named have none accepted', async () => {
    observer();
    for (const name of ['tc_pairs_accepted_total', 'tc_agent_cost_usd_total'])
      expect(await present(metrics, name)).toEqual(['mail 0', 'other 0', 'unknown 0']);
  });

  it('verdicts are there with each of their reasons', async () => {
    observer();
    const series = await present(metrics, 'tc_verdicts_total');
    expect(series).toEqual(
      expect.arrayContaining([',proved 0', ',pass 0', 'not_supported,fail 0', 'untrusted,held 0']),
    );
  });

  it('agents that go by their own names are known as far as somebody has seen them before', async () => {
    createCompileObserver(metrics, [], ['phone', 'inbox-triage']);
    expect(await present(metrics, 'tc_agent_cost_usd_total')).toEqual(['phone 0', 'inbox-triage 0']);
    metrics = createMetrics('test');
    observer([]).onModel(asked);
    expect(await present(metrics, 'tc_agent_cost_usd_total')).toEqual([]);
    expect(await present(metrics, 'tc_pairs_accepted_total')).toEqual([]);
  });
});
