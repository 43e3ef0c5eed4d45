/** Wrappers that feed the metrics by observing a stage from outside, as things happen. */
import { codeOf, kindOf } from '../errors.ts';
import type { Compiled, ModelCall, QaPair } from '../records.ts';
import type { Step } from '../sessionizer/sessionize.ts';
import type { Sink } from '../sinks/sink.ts';
import type { GroupOf } from './agent-groups.ts';
import type { Metrics } from './registry.ts';

/** Counts what one batch did to the journal, once it is durable. */
export function observeStep({ counts }: Step, metrics: Metrics, commit: () => void): void {
  const stopTimer = metrics.journalCommit.startTimer();
  commit();
  stopTimer();
  metrics.rows.inc(counts.rows);
  for (const [reason, n] of Object.entries(counts.skipped)) metrics.rowsSkipped.inc({ reason }, n);
  for (const [reason, n] of Object.entries(counts.closes)) metrics.closes.inc({ reason }, n);
  for (const [reason, { parts }] of Object.entries(counts.released)) metrics.released.inc({ reason }, parts);
}

type CompileTrajectory<T> = (trajectory: T, signal: AbortSignal) => Promise<Compiled>;

/** Counts what one compiled trajectory brought, or how it failed. */
export function observeCompile<T>(
  compile: CompileTrajectory<T>,
  metrics: Metrics,
  groupOf: GroupOf,
): CompileTrajectory<T> {
  return async (trajectory, signal) => {
    const stopTimer = metrics.compileDuration.startTimer();
    metrics.inFlight.inc();
    try {
      const compiled = await compile(trajectory, signal);
      stopTimer();
      countCompiled(compiled, metrics, groupOf);
      return compiled;
    } catch (error) {
      if (!signal.aborted) countFailure(error, metrics);
      throw error;
    } finally {
      metrics.inFlight.dec();
    }
  };
}

const redactionFailures: readonly string[] = ['redaction_failed', 'redaction_leak', 'redacted_elsewhere'];

function countFailure(error: unknown, metrics: Metrics): void {
  const code = codeOf(error);
  metrics.compileErrors.inc({ kind: kindOf(error), code });
  if (redactionFailures.includes(code)) metrics.redactionFailures.inc({ code });
}

function countCompiled(compiled: Compiled, metrics: Metrics, groupOf: GroupOf): void {
  for (const [kind, n] of Object.entries(compiled.redactions ?? {})) metrics.redactions.inc({ kind }, n);
  metrics.trajectories.inc({ outcome: compiled.pairs.length > 0 ? 'pairs' : 'no_pairs' });
  for (const { segment, outcome, reason } of compiled.segments) {
    metrics.segments.inc({ outcome, reason: reason ?? '' });
    metrics.shareSeen.observe(segment.shareSeen);
  }
  for (const pair of compiled.pairs) countPair(pair, metrics, groupOf);
  for (const { reason } of compiled.rejected) {
    metrics.pairs.inc({ outcome: 'rejected', qa_type: '' });
    metrics.rejections.inc({ reason });
  }
}

function countPair(pair: QaPair, metrics: Metrics, groupOf: GroupOf): void {
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

/** Counts a model call that was really made: the same call comes again with every redelivered trajectory. */
export function observeCall(call: ModelCall, agentGroup: string, metrics: Metrics): void {
  const model = call.model ?? call.requestedModel;
  const { provider, stage, outcome } = call;
  const asked = { provider, model, stage };
  metrics.modelCalls.inc({ ...asked, outcome });
  metrics.modelDuration.observe(asked, call.durationMs / 1000);
  const cached = call.cachedTokens ?? 0;
  metrics.modelTokens.inc({ ...asked, type: 'input' }, Math.max(0, (call.promptTokens ?? 0) - cached));
  metrics.modelTokens.inc({ ...asked, type: 'cached' }, cached);
  metrics.modelTokens.inc({ ...asked, type: 'output' }, call.outputTokens ?? 0);
  metrics.modelTokens.inc({ ...asked, type: 'thinking' }, call.thinkingTokens ?? 0);
  if (call.costUsd === null) metrics.modelCostUnknown.inc(asked);
  else metrics.modelCost.inc({ ...asked, tier: call.serviceTier, agent_group: agentGroup }, call.costUsd);
}

/** Counts a call that is made because the one before it failed. */
export function observeRetry({ provider, model, requestedModel, stage, outcome }: ModelCall, metrics: Metrics): void {
  metrics.modelRetries.inc({ provider, model: model ?? requestedModel, stage, reason: outcome });
}

/** Counts a sink's writes. */
export function observeSink(sink: Sink, metrics: Metrics): Sink {
  const { name } = sink;
  return {
    name,
    close: () => sink.close(),
    async write(message, signal) {
      const stopTimer = metrics.sinkDuration.startTimer({ sink: name });
      try {
        const rows = await sink.write(message, signal);
        stopTimer();
        metrics.sinkWrites.inc({ sink: name, outcome: 'ok' });
        for (const [effect, n] of Object.entries(rows)) metrics.sinkRows.inc({ sink: name, effect }, n);
        return rows;
      } catch (error) {
        if (!signal.aborted) metrics.sinkWrites.inc({ sink: name, outcome: 'error' });
        throw error;
      }
    },
  };
}
