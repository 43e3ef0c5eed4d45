/** What compiling tells while it works, as metrics: segments once each, model calls as they are made. */
import type { SegmentResult } from '../compile/calls.ts';
import { heldReasons, type SegmentReason } from '../compile/reasons.ts';
import { errorReasons, failReasons, unseenReasons } from '../compile/verify/reasons.ts';
import type { AskedModel, CompilingHooks } from '../compiling/compiling.ts';
import type { ModelCall, QaPair, SegmentOutcome, Verification } from '../records.ts';
import { type AgentGroup, createAgentGroups, type GroupOf, knownGroups } from './agent-groups.ts';
import type { Metrics } from './registry.ts';

/** @param agents - that have worked before, where somebody knows: their series are there from the start */
export function createCompileObserver(
  metrics: Metrics,
  agentGroups: readonly AgentGroup[],
  agents: readonly string[] = [],
) {
  const groupOf = createAgentGroups(agentGroups);
  for (const group of [...knownGroups(agentGroups), ...agents.map(groupOf)]) {
    metrics.acceptedPairs.inc({ agent_group: group }, 0);
    metrics.agentCost.inc({ agent_group: group }, 0);
  }
  expectOutcomes(metrics);
  return {
    onModel: (asked) => expectModel(asked, metrics),
    onCall: (call, agent) => countCall(call, groupOf(agent), metrics),
    onRetry: (before) => metrics.modelRetries.inc({ ...askedOf(before), reason: before.outcome }),
    onStage: (stage, seconds) => metrics.stageDuration.observe({ stage }, seconds),
    onSegment: (result) => countSegment(result, groupOf, metrics),
  } satisfies CompilingHooks;
}

const segmentReasonsOf = {
  compiled: [''],
  no_structure: ['no_structure', 'all_rejected'],
  skipped: ['too_few_turns', 'coverage', 'budget'],
  failed: ['truncated', 'blocked', 'empty', 'unparsable'],
} satisfies Record<SegmentOutcome['outcome'], (SegmentReason | '')[]>;

const verdictReasonsOf = {
  unverified: ['', 'budget'],
  proved: [''],
  pass: [''],
  fail: Object.keys(failReasons),
  held: [...Object.keys(heldReasons), ...Object.keys(unseenReasons)],
  error: Object.keys(errorReasons),
} satisfies Record<Verification['status'], string[]>;

/** Only what goes together. */
function expectOutcomes(metrics: Metrics): void {
  for (const [outcome, reasons] of Object.entries(segmentReasonsOf))
    for (const reason of reasons) metrics.segments.inc({ outcome, reason }, 0);
  for (const [status, reasons] of Object.entries(verdictReasonsOf))
    for (const reason of reasons) metrics.verdicts.inc({ status, reason }, 0);
}

/** What a model that is busy, or a network, brings about. */
const usualFaults = ['rate_limited', 'unavailable', 'timeout', 'network', 'garbled'] as const;
const tokenTypes = ['input', 'cached', 'output', 'thinking'] as const;

/** A series that is born with its first call shows no increase: so each is there, at 0, before there is one. */
function expectModel({ tiers, ...asked }: AskedModel, metrics: Metrics): void {
  metrics.modelCalls.inc({ ...asked, outcome: 'ok' }, 0);
  for (const outcome of usualFaults) {
    metrics.modelCalls.inc({ ...asked, outcome }, 0);
    metrics.modelRetries.inc({ ...asked, reason: outcome }, 0);
  }
  metrics.modelDuration.zero(asked);
  for (const type of tokenTypes) metrics.modelTokens.inc({ ...asked, type }, 0);
  metrics.modelCostUnknown.inc(asked, 0);
  for (const tier of tiers) metrics.modelCost.inc({ ...asked, tier }, 0);
}

/**
 * By the name that was asked for: there are as many as the settings name, failed calls have no other, and limits, breaker
 * and shutdown go by it too. Priced is the model that answered, which the dataset's calls tell.
 */
function askedOf({ provider, requestedModel, stage }: ModelCall) {
  return { provider, model: requestedModel, stage };
}

function countCall(call: ModelCall, agentGroup: string, metrics: Metrics): void {
  const asked = askedOf(call);
  const { outcome, durationMs, costUsd, serviceTier } = call;
  metrics.modelCalls.inc({ ...asked, outcome });
  metrics.modelDuration.observe(asked, durationMs / 1000);
  const cached = call.cachedTokens ?? 0;
  const tokens = {
    input: Math.max(0, (call.promptTokens ?? 0) - cached),
    cached,
    output: call.outputTokens ?? 0,
    thinking: call.thinkingTokens ?? 0,
  };
  for (const type of tokenTypes) metrics.modelTokens.inc({ ...asked, type }, tokens[type]);
  if (costUsd === null) metrics.modelCostUnknown.inc(asked);
  if (costUsd === null) return;
  metrics.modelCost.inc({ ...asked, tier: serviceTier }, costUsd);
  metrics.agentCost.inc({ agent_group: agentGroup }, costUsd);
}

function countSegment({ outcome: of, pairs, rejected }: SegmentResult, groupOf: GroupOf, metrics: Metrics): void {
  const { segment, outcome, reason } = of;
  metrics.segments.inc({ outcome, reason: reason ?? '' });
  // Of what was left out, nobody saw anything.
  if (outcome !== 'skipped') metrics.shareSeen.observe(segment.shareSeen);
  for (const pair of pairs) countPair(pair, groupOf, metrics);
  for (const { reason: gate } of rejected) {
    metrics.pairs.inc({ outcome: 'rejected', qa_type: '' });
    metrics.rejections.inc({ reason: gate });
  }
}

function countPair(pair: QaPair, groupOf: GroupOf, metrics: Metrics): void {
  const { verification, qaType, supportingTurns, costUsd } = pair;
  const { status, reason } = verification;
  metrics.pairs.inc({ outcome: status, qa_type: qaType });
  metrics.verdicts.inc({ status, reason: reason ?? '' });
  if (status !== 'proved' && status !== 'pass') return;
  metrics.acceptedPairs.inc({ agent_group: groupOf(pair.agent) });
  metrics.pairTurns.observe(supportingTurns.length);
  metrics.pairSpan.observe(Math.max(...supportingTurns) - Math.min(...supportingTurns) + 1);
  if (costUsd !== null) metrics.pairCost.observe(costUsd);
}
