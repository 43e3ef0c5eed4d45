/**
 * Every metric: name, kind, labels, what it means. The registry, docs/metrics.md and the tests of dashboards and alerts
 * all come from this one table. No label has an unbounded number of values: never a session, a pair, a file.
 *
 * Base units, `_total` on what only grows, `tc_` before all. Sources of the conventions: the Prometheus documentation on
 * metric and label naming.
 */

import { reasons, segmentReasons } from '../compile/reasons.ts';
import { kindNames } from '../compile/redact/kinds.ts';

/** Under what the page lists them, in this order. */
export const metricParts = {
  program: 'Program',
  source: 'Source and slot',
  sessions: 'Sessions and journal',
  topics: 'Topics',
  compile: 'Compiling',
  models: 'Models and money',
  sinks: 'Sinks and dataset',
} as const;
export type MetricPart = keyof typeof metricParts;

/** What a label tells apart, and what bounds the number of its values. */
export interface Label {
  means: string;
  /** All of them, where they are known beforehand: then each series is there from the start, at 0. */
  values?: readonly string[];
}

interface Described<L extends string> {
  name: string;
  help: string;
  part: MetricPart;
  labels: Readonly<Record<L, Label>>;
  /** What OpenTelemetry's semantic conventions for generative AI call it, where they have a name. */
  otel?: string;
}
export type CounterDefinition<L extends string> = Described<L> & { kind: 'counter' };
export type GaugeDefinition<L extends string> = Described<L> & { kind: 'gauge' };
export type HistogramDefinition<L extends string> = Described<L> & { kind: 'histogram'; buckets: readonly number[] };
export type Definition<L extends string = string> = CounterDefinition<L> | GaugeDefinition<L> | HistogramDefinition<L>;

function define(part: MetricPart) {
  const described = <L extends string>(name: string, help: string, labels?: Record<L, Label>, otel?: string) => ({
    name,
    help,
    part,
    labels: labels ?? ({} as Record<L, Label>),
    ...(otel === undefined ? {} : { otel }),
  });
  return {
    counter: <L extends string = never>(name: string, help: string, labels?: Record<L, Label>, otel?: string) =>
      ({ kind: 'counter', ...described(name, help, labels, otel) }) as CounterDefinition<L>,
    gauge: <L extends string = never>(name: string, help: string, labels?: Record<L, Label>, otel?: string) =>
      ({ kind: 'gauge', ...described(name, help, labels, otel) }) as GaugeDefinition<L>,
    histogram: <L extends string = never>(
      name: string,
      help: string,
      buckets: readonly number[],
      labels?: Record<L, Label>,
      otel?: string,
    ) => ({ kind: 'histogram', buckets, ...described(name, help, labels, otel) }) as HistogramDefinition<L>,
  };
}

const program = define('program');
const source = define('source');
const sessions = define('sessions');
const topics = define('topics');
const compile = define('compile');
const models = define('models');
const sinks = define('sinks');

const topic: Label = { means: 'the topic', values: ['trajectories', 'compiled'] };
const group: Label = { means: 'the consumer group: `compile`, or a sink’s name' };
const sink: Label = { means: 'the sink: those of the setting `sinks`' };
const model: Label = {
  means: 'the model that is asked, by its name in the settings; under which one it answered, the dataset’s calls tell',
};
const provider: Label = { means: 'who serves it', values: ['gemini', 'vertex', 'openai-compatible'] };
const modelStage: Label = { means: 'what it was asked for', values: ['compile', 'verify'] };
const agentGroup: Label = {
  means: 'the agent by `metrics.agentGroups`; without it its own name, the first 50 of a process, then `other`',
};
const scope: Label = { means: 'of the day or of the month, UTC', values: ['day', 'month'] };

/** How long a part of compiling takes: rules need milliseconds, models minutes. */
const compileBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

export const definitions = {
  buildInfo: program.gauge('tc_build_info', 'What runs; always 1.', {
    version: { means: 'of this program' },
    node: { means: 'version of Node.js' },
  }),
  roles: program.gauge('tc_role', '1 for each role that this process has.', {
    role: { means: 'part of the pipe', values: ['capture', 'compile', 'sink'] },
    until: {
      means: 'when it ends: told to (`stopped`), `run --once` or `run --until-idle`',
      values: ['stopped', 'once', 'idle'],
    },
  }),
  logLines: program.counter('tc_log_lines_total', 'Lines of the log that call for attention.', {
    level: { means: 'severity', values: ['warn', 'error'] },
  }),
  dataFileBytes: program.gauge(
    'tc_data_file_bytes',
    'Size of the files of the data directory, write-ahead logs included.',
    {
      file: {
        means: 'which one',
        values: ['journal', 'topics', 'calls', 'placeholders', 'budget', 'coverage', 'dataset', 'requests'],
      },
    },
  ),
  dataFree: program.gauge('tc_data_free_bytes', 'Space that is left where the data directory lies.'),

  rows: source.counter('tc_source_rows_total', 'Audit-log rows stored in the journal.'),
  rowsSkipped: source.counter('tc_source_rows_skipped_total', 'Audit-log rows that were not carried on.', {
    reason: {
      means: 'why not',
      values: [
        'excluded',
        'no_session',
        'no_key',
        'other_table',
        'too_large',
        'already_compiled',
        'already_taken',
        'changed',
      ],
    },
  }),
  received: source.counter('tc_source_received_bytes_total', 'Bytes of row messages received from Postgres.'),
  transactions: source.counter('tc_source_transactions_total', 'Transactions of the audit log received.'),
  lagSeconds: source.gauge(
    'tc_source_lag_seconds',
    'How long ago the server was where the stream is now; 0 for caught up.',
  ),
  lagBytes: source.gauge('tc_source_lag_bytes', 'WAL between what is received and the end of the WAL.'),
  bufferedRows: source.gauge('tc_source_buffered_rows', 'Rows received that are not in the journal yet.'),
  bufferedBytes: source.gauge('tc_source_buffered_bytes', 'Bytes of them.'),
  throttled: source.gauge('tc_source_throttled', '1 while reading is paused until the journal has caught up.'),
  connected: source.gauge('tc_source_connected', '1 while the replication connection stands.'),
  reconnects: source.counter('tc_source_reconnects_total', 'Times the replication connection was made again.'),
  watermarkDelay: source.gauge(
    'tc_source_watermark_delay_seconds',
    'How far the watermark is behind the clock: how late an ended session is noticed.',
  ),
  tampered: source.counter('tc_source_append_only_violations_total', 'Changes that an append-only log must not see.', {
    kind: { means: 'what was done', values: ['updates', 'deletes', 'truncates'] },
  }),
  unstreamed: source.counter('tc_source_unstreamed_total', 'What made rows miss the stream.', {
    kind: {
      means: 'a partition that was attached filled, or a publication that was replaced',
      values: ['attached', 'republished'],
    },
  }),
  unlogged: source.gauge('tc_source_unlogged_tables', 'Tables of the log whose rows never reach the WAL.'),
  historyRows: source.gauge('tc_source_history_rows', 'Rows of history read so far; absent while none is read.'),
  historyEstimate: source.gauge(
    'tc_source_history_estimated_rows',
    'Rows of history by the planner’s guess; absent while none is read.',
  ),
  slotRetained: source.gauge('tc_slot_retained_bytes', 'WAL that the server keeps for the slot.'),
  slotSafe: source.gauge(
    'tc_slot_safe_bytes',
    'WAL that may still be written before the slot can be lost; +Inf for no limit.',
  ),
  slotStatus: source.gauge('tc_slot_wal_status', '1 for how the slot stands, by pg_replication_slots.wal_status.', {
    status: { means: 'wal_status', values: ['reserved', 'extended', 'unreserved', 'lost'] },
  }),

  openParts: sessions.gauge('tc_sessions_open', 'Parts of sessions that are open.'),
  heldParts: sessions.gauge(
    'tc_sessions_held',
    'Parts that closed with fewer turns than session.minTurns and wait for more.',
  ),
  seenSessions: sessions.gauge('tc_sessions_seen', 'Sessions that the data directory knows of.'),
  closes: sessions.counter('tc_parts_closed_total', 'Parts sealed as trajectories.', {
    reason: {
      means: 'what closed them',
      values: ['idle', 'end_marker', 'max_turns', 'max_bytes', 'max_age', 'history'],
    },
  }),
  released: sessions.counter('tc_parts_released_total', 'Parts let go without becoming a trajectory.', {
    reason: { means: 'why', values: ['below_min_turns', 'short_at_cap'] },
  }),
  revisions: sessions.counter(
    'tc_trajectory_revisions_total',
    'Sealed trajectories that went out once more, rebuilt from the log, since they were lost further down.',
  ),
  journalCommit: sessions.histogram(
    'tc_journal_commit_seconds',
    'Duration of one durable transaction of the journal.',
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  ),
  outboxDepth: sessions.gauge('tc_outbox_depth', 'Sealed trajectories that are not yet on the topic.'),

  topicDepth: topics.gauge('tc_topic_depth', 'Messages a group has not finished.', { topic, group }),
  topicPartition: topics.gauge(
    'tc_topic_partition_lag',
    'Messages a group has not finished, by partition; Kafka only.',
    {
      topic,
      group,
      partition: { means: 'its number, as many as kafka.partitions' },
    },
  ),
  topicInWork: topics.gauge('tc_topic_in_work', 'Messages delivered that are neither finished nor parked.', {
    topic,
    group,
  }),
  topicAge: topics.gauge(
    'tc_topic_oldest_age_seconds',
    'Age of the oldest message a group has not finished; 0 for none.',
    {
      topic,
      group,
    },
  ),
  redeliveries: topics.counter('tc_topic_redeliveries_total', 'Deliveries that were not a message’s first.', { topic }),
  duplicates: topics.counter('tc_topic_duplicates_total', 'Messages that came again though finished.', { topic }),
  rebalances: topics.counter('tc_topic_rebalances_total', 'Times partitions were shared out anew.', { topic }),
  deadLetters: topics.gauge('tc_topic_dead_letters', 'Messages parked for a person to look at.', { topic, group }),

  trajectories: compile.counter('tc_trajectories_compiled_total', 'Trajectories compiled, redelivered ones included.', {
    outcome: { means: 'whether they gave pairs', values: ['pairs', 'no_pairs'] },
  }),
  inFlight: compile.gauge('tc_compile_in_flight', 'Trajectories that are being compiled.'),
  compileErrors: compile.counter(
    'tc_compile_errors_total',
    'Attempts to compile a trajectory that failed; waiting for money or a model is none.',
    {
      kind: { means: 'what follows', values: ['retry', 'park', 'stop'] },
      code: { means: 'code of the error: those of this program' },
    },
  ),
  compileDuration: compile.histogram(
    'tc_compile_duration_seconds',
    'From taking a trajectory to having compiled it.',
    compileBuckets,
  ),
  stageDuration: compile.histogram(
    'tc_compile_stage_duration_seconds',
    'Duration of one stage of compiling: redact of a trajectory, the others of a segment.',
    compileBuckets,
    { stage: { means: 'which one', values: ['redact', 'propose', 'gates', 'verify', 'store'] } },
  ),
  segments: compile.counter('tc_segments_total', 'Segments compiled or passed over, each once.', {
    outcome: { means: 'what came of them', values: ['compiled', 'no_structure', 'skipped', 'failed'] },
    reason: { means: `why no pairs, empty where there are: ${Object.keys(segmentReasons).join(', ')}` },
  }),
  shareSeen: compile.histogram(
    'tc_segment_share_seen',
    'Share of a segment’s characters that the compiler saw; skipped ones left out.',
    [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1],
  ),
  pairs: compile.counter('tc_pairs_total', 'Pairs proposed.', {
    outcome: {
      means: '`rejected` by a gate, or the verdict of those that passed',
      values: ['rejected', 'unverified', 'proved', 'pass', 'fail', 'held', 'error'],
    },
    qa_type: {
      means: 'kind of question; empty for rejected ones',
      values: ['factoid', 'reasoning', 'composition', 'temporal', ''],
    },
  }),
  acceptedPairs: compile.counter('tc_pairs_accepted_total', 'Pairs that are proved or that passed.', {
    agent_group: agentGroup,
  }),
  pairTurns: compile.histogram(
    'tc_pair_supporting_turns',
    'Turns that the answer of an accepted pair needs: its hops.',
    [2, 3, 4, 5, 6, 8, 12],
  ),
  pairSpan: compile.histogram(
    'tc_pair_span_turns',
    'Turns from the first to the last that an accepted pair needs.',
    [3, 5, 10, 20, 50, 100, 200, 500],
  ),
  pairCost: compile.histogram(
    'tc_pair_cost_usd',
    'Cost of an accepted pair: its share of its segment’s calls; none for unknown cost.',
    [0, 0.00001, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1],
  ),
  rejections: compile.counter('tc_pair_rejections_total', 'Pairs refused by a gate.', {
    reason: { means: 'which gate', values: Object.keys(reasons) },
  }),
  verdicts: compile.counter('tc_verdicts_total', 'Verdicts on pairs that passed the gates.', {
    status: {
      means: 'the verdict',
      values: ['unverified', 'proved', 'pass', 'fail', 'held', 'error'],
    },
    reason: { means: 'why: the reasons of this program; empty for none' },
  }),
  redactions: compile.counter('tc_redactions_total', 'Values replaced before a model or a sink saw them.', {
    kind: { means: 'of personal data or secret', values: kindNames },
  }),
  redactionFailures: compile.counter(
    'tc_redaction_failures_total',
    'Trajectories and prompts that went nowhere because redaction failed or left something.',
    {
      code: {
        means: 'of the error',
        values: ['redaction_failed', 'redaction_leak', 'redacted_elsewhere'],
      },
    },
  ),
  paused: compile.gauge('tc_compile_paused', '1 while compiling waits for what comes back by itself.', {
    reason: { means: 'code of what it waits for: budget, quota, a model that is away' },
  }),

  modelCalls: models.counter(
    'tc_llm_requests_total',
    'Model calls.',
    {
      provider,
      model,
      stage: modelStage,
      outcome: { means: '`ok` for an answer, usable or not, else why none came: outcomes of this program' },
    },
    'count of `gen_ai.client.operation.duration`; `outcome` is `error.type` unless `ok`',
  ),
  modelTokens: models.counter(
    'tc_llm_tokens_total',
    'Tokens of model calls.',
    {
      provider,
      model,
      stage: modelStage,
      type: {
        means: 'kind of tokens; cached ones are not counted as input, nor thinking as output',
        values: ['input', 'cached', 'output', 'thinking'],
      },
    },
    'sum of `gen_ai.client.token.usage`; input and cached are `gen_ai.token.type=input`, output and thinking `output`',
  ),
  modelCost: models.counter(
    'tc_llm_cost_usd_total',
    'Cost of model calls whose price is known.',
    {
      provider,
      model,
      stage: modelStage,
      tier: { means: 'service tier that answered: standard, flex, priority' },
    },
    'none standard; `gen_ai.client.operation.cost` where one is used',
  ),
  agentCost: models.counter('tc_agent_cost_usd_total', 'The same cost, by the agent whose work was compiled.', {
    agent_group: agentGroup,
  }),
  modelCostUnknown: models.counter(
    'tc_llm_cost_unknown_total',
    'Model calls whose cost is not known: no price, or no answer that says what it took.',
    { provider, model, stage: modelStage },
  ),
  modelDuration: models.histogram(
    'tc_llm_request_duration_seconds',
    'Duration of model calls.',
    [0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120],
    { provider, model, stage: modelStage },
    '`gen_ai.client.operation.duration`',
  ),
  modelRetries: models.counter('tc_llm_retries_total', 'Model calls made because one before had failed.', {
    provider,
    model,
    stage: modelStage,
    reason: { means: 'outcome of the call before, as of tc_llm_requests_total' },
  }),
  modelInFlight: models.gauge('tc_llm_in_flight', 'Model calls in flight.', { provider, model }),
  modelWaiting: models.gauge('tc_llm_waiting', 'Model calls that wait for a limit.', { provider, model }),
  modelLimit: models.gauge('tc_llm_limit', 'What a limit of this process allows; absent for none.', {
    provider,
    model,
    limit: { means: 'which one', values: ['concurrency', 'requests_per_minute', 'tokens_per_minute'] },
  }),
  modelLimitUsed: models.gauge('tc_llm_limit_used', 'How much of it is used now, or was within the last minute.', {
    provider,
    model,
    limit: { means: 'which one', values: ['concurrency', 'requests_per_minute', 'tokens_per_minute'] },
  }),
  modelBreaker: models.gauge('tc_llm_breaker_state', '1 for the state of the breaker that keeps calls from a model.', {
    provider,
    model,
    state: { means: 'open: nothing is sent', values: ['closed', 'half_open', 'open'] },
  }),
  modelShutdown: models.gauge(
    'tc_llm_model_shutdown_timestamp_seconds',
    'When the provider shuts the model down, seconds since 1970; absent where nothing is announced.',
    { provider, model },
  ),
  budgetLimit: models.gauge('tc_budget_limit_usd', 'Cap of the current day or month; absent where there is none.', {
    scope,
  }),
  budgetSpent: models.gauge(
    'tc_budget_spent_usd',
    'Spent in the current day or month, what may have been billed included.',
    { scope },
  ),
  budgetReserved: models.gauge('tc_budget_reserved_usd', 'Reserved for calls in flight.', { scope }),

  sinkWrites: sinks.counter('tc_sink_writes_total', 'Messages written to a sink.', {
    sink,
    outcome: { means: 'whether it took them', values: ['ok', 'error'] },
  }),
  sinkDuration: sinks.histogram(
    'tc_sink_write_duration_seconds',
    'Duration of writing one message to a sink.',
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    { sink },
  ),
  sinkDelay: sinks.histogram(
    'tc_sink_delay_seconds',
    'From a trajectory’s last row, by the server’s clock, to its being in the sink: session.idleTimeout and what follows.',
    [10, 30, 60, 300, 600, 660, 720, 900, 1800, 3600, 7200, 21_600, 86_400],
    { sink },
  ),
  sinkRows: sinks.counter('tc_sink_rows_total', 'Rows of the messages written to a sink.', {
    sink,
    effect: {
      means: '`unchanged` rows were there already: duplicates absorbed; `unknown` where the sink can’t tell',
      values: ['written', 'unchanged', 'unknown'],
    },
  }),
  datasetPairs: sinks.gauge('tc_dataset_pairs', 'Pairs in force in the dataset of this data directory.'),
  datasetRejected: sinks.gauge('tc_dataset_rejected', 'Rejected pairs in force in it.'),
} as const;

export type Definitions = typeof definitions;
