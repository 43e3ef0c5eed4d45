/**
 * Every metric's name, labels and help, and the wrappers that feed them by observing a stage from outside. No label has
 * an unbounded number of values: never a session, a pair, a file.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Compiled, ModelCall } from './records.ts';
import type { Step } from './sessionizer/sessionize.ts';
import type { Sink } from './sinks/sink.ts';
import type { SourceStatus } from './stream/contract.ts';
import type { Lag } from './topic/topic.ts';

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(version: string) {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labelNames: readonly L[] = []) =>
    new Histogram<L>({ name, help, labelNames, buckets, registers });
  const metrics = {
    registry,
    buildInfo: gauge('tc_build_info', 'Version that runs; always 1.', ['version']),

    rows: counter('tc_source_rows_total', 'Audit-log rows stored in the journal.'),
    rowsSkipped: counter('tc_source_rows_skipped_total', 'Audit-log rows that were not carried on.', ['reason']),
    reconnects: gauge('tc_source_reconnects', 'Times the replication connection was made again since the start.'),
    connected: gauge('tc_source_connected', '1 while the replication connection stands.'),
    tampered: gauge(
      'tc_source_append_only_violations',
      'Updates, deletes and truncates of the audit log since the start.',
      ['kind'],
    ),
    watermarkDelay: gauge(
      'tc_watermark_delay_seconds',
      'How far the watermark is behind the clock: how late an ended session is noticed.',
    ),
    unstreamed: gauge(
      'tc_source_unstreamed',
      'What made rows miss the stream: filled partitions attached and publications replaced since the start, tables unlogged now.',
      ['kind'],
    ),
    slotLag: gauge('tc_slot_lag_bytes', 'WAL between what is received and the end of the WAL.'),
    slotRetained: gauge('tc_slot_retained_bytes', 'WAL that the server keeps for the slot.'),
    slotSafe: gauge(
      'tc_slot_safe_bytes',
      'WAL that may still be written before the slot can be lost; NaN for no limit.',
    ),

    openParts: gauge('tc_sessions_open', 'Parts of sessions that are open.'),
    closes: counter('tc_parts_closed_total', 'Parts sealed, by what closed them.', ['reason']),
    released: counter('tc_parts_released_total', 'Parts let go without becoming a trajectory.', ['reason']),
    journalCommit: histogram(
      'tc_journal_commit_seconds',
      'Duration of one durable transaction of the journal.',
      [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    ),
    outboxDepth: gauge('tc_outbox_depth', 'Sealed trajectories that are not yet on the topic.'),
    topicDepth: gauge('tc_topic_depth', 'Messages a group has not finished.', ['topic', 'group']),
    topicAge: gauge('tc_topic_oldest_seconds', 'Age of the oldest message a group has not finished; 0 for none.', [
      'topic',
      'group',
    ]),
    duplicates: gauge('tc_topic_duplicates', 'Messages that came again though finished, since the start.', ['topic']),
    rebalances: gauge('tc_topic_rebalances', 'Times partitions were shared out anew, since the start.', ['topic']),
    deadLetters: gauge('tc_dead_letters', 'Messages parked for a person to look at.', ['topic', 'group']),

    trajectories: counter('tc_trajectories_compiled_total', 'Trajectories compiled, by what came of them.', [
      'outcome',
    ]),
    segments: counter('tc_segments_total', 'Segments compiled, by what came of them.', ['outcome', 'reason']),
    pairs: counter('tc_pairs_total', 'Pairs proposed, by outcome and type.', ['outcome', 'qa_type']),
    verdicts: counter('tc_verdicts_total', 'Verdicts on pairs that passed the gates, and why.', ['status', 'reason']),
    rejections: counter('tc_pair_rejections_total', 'Pairs refused by a gate.', ['reason']),
    compileDuration: histogram(
      'tc_compile_duration_seconds',
      'From taking a trajectory to having compiled it.',
      [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
    ),

    redactions: counter('tc_redactions_total', 'Values that were replaced before a model or a sink saw them.', [
      'kind',
    ]),
    paused: gauge('tc_compile_paused', '1 while compiling waits for what comes back by itself, by what it waits for.', [
      'reason',
    ]),
    budgetLimit: gauge('tc_budget_limit_usd', 'Cap of the current day or month; absent where there is none.', [
      'scope',
    ]),
    budgetSpent: gauge(
      'tc_budget_spent_usd',
      'Spent in the current day or month, what may have been billed included.',
      ['scope'],
    ),
    budgetReserved: gauge('tc_budget_reserved_usd', 'Reserved for calls in flight.', ['scope']),

    modelCalls: counter('tc_llm_requests_total', 'Model calls, by what came of them.', ['model', 'stage', 'outcome']),
    modelTokens: counter('tc_llm_tokens_total', 'Tokens by kind; cached ones are not counted as input.', [
      'model',
      'type',
    ]),
    modelCost: counter('tc_llm_cost_usd_total', 'Cost of model calls whose price is known.', [
      'model',
      'stage',
      'tier',
    ]),
    modelCostUnknown: counter(
      'tc_llm_cost_unknown_total',
      'Model calls whose cost is not known: no price, or no answer that says what it took.',
      ['model'],
    ),
    modelDuration: histogram(
      'tc_llm_request_duration_seconds',
      'Duration of model calls.',
      [0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120],
      ['model', 'stage'],
    ),

    sinkWrites: counter('tc_sink_writes_total', 'Messages written to a sink.', ['sink', 'outcome']),
  };
  metrics.buildInfo.set({ version }, 1);
  return metrics;
}

const violationKinds = ['updates', 'deletes', 'truncates'] as const;
const unstreamedKinds = ['attached', 'republished', 'unlogged'] as const;

/** What can be asked of a running pipe at any time. */
export interface Gauged {
  /** Null where another process captures. */
  capture: {
    source: {
      status(): Pick<
        SourceStatus,
        | 'connected'
        | 'watermark'
        | 'lagBytes'
        | 'retainedBytes'
        | 'safeWalBytes'
        | 'reconnects'
        | (typeof violationKinds)[number]
        | (typeof unstreamedKinds)[number]
      >;
    };
    journal: { totals(): { open: number }; outbox: { depth(): number } };
  } | null;
  /** Topic, group, and how it stands. */
  lags(): Promise<{ topic: string; group: string; lag: Lag }[]>;
  counts(): { topic: string; duplicates: number; rebalances: number }[];
  paused(): { code: string } | null;
  /** Of the current day and month; none where no model is called. */
  spending(): Promise<{ scope: string; limitUsd: number | null; spentUsd: number; reservedUsd: number }[]>;
}

/** Reads every gauge; called before a scrape, so that nothing is read while nobody looks. */
export async function refreshGauges(metrics: Metrics, gauged: Gauged): Promise<void> {
  const { capture, lags, counts } = gauged;
  if (capture !== null) refreshCapture(metrics, capture);
  metrics.paused.reset();
  const pause = gauged.paused();
  if (pause !== null) metrics.paused.set({ reason: pause.code }, 1);
  for (const { scope, limitUsd, spentUsd, reservedUsd } of await gauged.spending()) {
    if (limitUsd !== null) metrics.budgetLimit.set({ scope }, limitUsd);
    metrics.budgetSpent.set({ scope }, spentUsd);
    metrics.budgetReserved.set({ scope }, reservedUsd);
  }
  for (const { topic, duplicates, rebalances } of counts()) {
    metrics.duplicates.set({ topic }, duplicates);
    metrics.rebalances.set({ topic }, rebalances);
  }
  for (const { topic, group, lag } of await lags()) {
    metrics.topicDepth.set({ topic, group }, lag.messages);
    metrics.topicAge.set({ topic, group }, (lag.oldestAgeMs ?? 0) / 1000);
    metrics.deadLetters.set({ topic, group }, lag.deadLetters);
  }
}

function refreshCapture(metrics: Metrics, { source, journal }: NonNullable<Gauged['capture']>): void {
  const { connected, watermark, lagBytes, retainedBytes, safeWalBytes, reconnects, ...breaches } = source.status();
  for (const kind of violationKinds) metrics.tampered.set({ kind }, breaches[kind]);
  for (const kind of unstreamedKinds) metrics.unstreamed.set({ kind }, breaches[kind]);
  metrics.connected.set(connected ? 1 : 0);
  metrics.reconnects.set(reconnects);
  if (watermark !== null) metrics.watermarkDelay.set(Math.max(0, Date.now() - watermark / 1000) / 1000);
  if (lagBytes !== null) metrics.slotLag.set(Math.max(0, lagBytes));
  metrics.slotRetained.set(retainedBytes);
  metrics.slotSafe.set(safeWalBytes ?? Number.NaN);
  metrics.openParts.set(journal.totals().open);
  metrics.outboxDepth.set(journal.outbox.depth());
}

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

/** Counts what one compiled trajectory brought. */
export function observeCompile<T>(compile: CompileTrajectory<T>, metrics: Metrics): CompileTrajectory<T> {
  return async (trajectory, signal) => {
    const stopTimer = metrics.compileDuration.startTimer();
    const compiled = await compile(trajectory, signal);
    stopTimer();
    count(compiled, metrics);
    return compiled;
  };
}

function count(compiled: Compiled, metrics: Metrics): void {
  for (const [kind, n] of Object.entries(compiled.redactions ?? {})) metrics.redactions.inc({ kind }, n);
  metrics.trajectories.inc({ outcome: compiled.pairs.length > 0 ? 'pairs' : 'no_pairs' });
  for (const { outcome, reason } of compiled.segments) metrics.segments.inc({ outcome, reason: reason ?? '' });
  for (const { verification, qaType } of compiled.pairs) {
    metrics.pairs.inc({ outcome: verification.status, qa_type: qaType });
    metrics.verdicts.inc({ status: verification.status, reason: verification.reason ?? '' });
  }
  for (const { reason } of compiled.rejected) {
    metrics.pairs.inc({ outcome: 'rejected', qa_type: '' });
    metrics.rejections.inc({ reason });
  }
}

/** Counts a model call that was really made: the same call comes again with every redelivered trajectory. */
export function observeCall(call: ModelCall, metrics: Metrics): void {
  const model = call.model ?? call.requestedModel;
  const { stage, outcome } = call;
  metrics.modelCalls.inc({ model, stage, outcome });
  metrics.modelDuration.observe({ model, stage }, call.durationMs / 1000);
  const cached = call.cachedTokens ?? 0;
  metrics.modelTokens.inc({ model, type: 'input' }, Math.max(0, (call.promptTokens ?? 0) - cached));
  metrics.modelTokens.inc({ model, type: 'cached' }, cached);
  metrics.modelTokens.inc({ model, type: 'output' }, call.outputTokens ?? 0);
  metrics.modelTokens.inc({ model, type: 'thinking' }, call.thinkingTokens ?? 0);
  if (call.costUsd !== null) metrics.modelCost.inc({ model, stage, tier: call.serviceTier }, call.costUsd);
  else metrics.modelCostUnknown.inc({ model });
}

/** Counts a sink's writes. */
export function observeSink(sink: Sink, metrics: Metrics): Sink {
  return {
    name: sink.name,
    close: () => sink.close(),
    async write(compiled, signal) {
      try {
        await sink.write(compiled, signal);
        metrics.sinkWrites.inc({ sink: sink.name, outcome: 'ok' });
      } catch (error) {
        metrics.sinkWrites.inc({ sink: sink.name, outcome: 'error' });
        throw error;
      }
    },
  };
}
