import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SegmentResult } from '../../src/compile/calls.ts';
import type { DoorStatus } from '../../src/compile/models/door.ts';
import { park } from '../../src/errors.ts';
import { createCompileObserver } from '../../src/metrics/compile-observer.ts';
import { type Definition, definitions } from '../../src/metrics/definitions.ts';
import { type Gauged, refreshGauges } from '../../src/metrics/gauges.ts';
import { observeCompile, observeSink, observeStep } from '../../src/metrics/observe.ts';
import { createMetrics, type Metrics } from '../../src/metrics/registry.ts';
import type { Lsn } from '../../src/records.ts';
import type { SourceStatus } from '../../src/stream/contract.ts';
import type { Lag } from '../../src/topic/topic.ts';
import { callOf, compiledOf, pairOf, rejectionOf, segmentOf, trajectoryOf } from '../support/records.ts';
import { counted, present, samplesIn } from './reading.ts';

let metrics: Metrics;
const noon = Date.parse('2026-11-21T12:00:00Z');
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: noon });
  metrics = createMetrics('test');
});
afterEach(() => {
  vi.useRealTimers();
});

const status: SourceStatus = {
  connected: true,
  history: { rows: 40, estimatedRows: 100, startedAt: 0 },
  lastLsn: '00000000/00000010' as Lsn,
  confirmedLsn: '00000000/00000010' as Lsn,
  serverLsn: '00000000/00000020' as Lsn,
  lagBytes: 16,
  lagMs: 1_500,
  retainedBytes: 4_096,
  walStatus: 'extended',
  safeWalBytes: 1_024,
  watermark: (noon - 2_000) * 1_000,
  rows: 9,
  transactions: 3,
  bytes: 900,
  bufferedRows: 2,
  bufferedBytes: 200,
  paused: true,
  reconnects: 1,
  truncates: 1,
  updates: 2,
  deletes: 3,
  attached: 4,
  republished: 5,
  unlogged: 6,
};

const door: DoorStatus = {
  provider: 'gemini',
  model: 'gemini-2.5-flash',
  inFlight: 2,
  waiting: 1,
  limits: [
    { limit: 'concurrency', allowed: 4, used: 2 },
    { limit: 'tokens_per_minute', allowed: 1_000, used: 600 },
  ],
  breaker: 'half_open',
  resumeAt: null,
  shutdownAt: new Date('2026-12-01T00:00:00Z'),
};

const lag: Lag = { messages: 5, inWork: 2, oldestAgeMs: 2_500, deadLetters: 1 };

/** Everything that there can be, unless told otherwise. */
function gauged(changes: Partial<Gauged> = {}, source: Partial<SourceStatus> = {}): Gauged {
  return {
    capture: {
      source: { status: () => ({ ...status, ...source }) },
      journal: { totals: () => ({ sessions: 12, open: 3, held: 2 }), outbox: { depth: () => 4 } },
    },
    lags: async () => [
      { topic: 'trajectories', group: 'compile', lag: { ...lag, partitions: [{ partition: 0, messages: 5 }] } },
    ],
    counts: () => [{ topic: 'trajectories', redeliveries: 3, duplicates: 2, rebalances: 1 }],
    paused: () => ({ code: 'budget_exhausted' }),
    spending: async () => [{ scope: 'day', limitUsd: 5, spentUsd: 1.5, reservedUsd: 0.25 }],
    models: () => [door],
    disk: async () => ({ files: [{ file: 'journal', bytes: 8_192 }], freeBytes: 1e9 }),
    dataset: async () => ({ pairs: 11, rejected: 7 }),
    logged: { warn: 2, error: 1 },
    ...changes,
  };
}

const refresh = (changes?: Partial<Gauged>, source?: Partial<SourceStatus>) =>
  refreshGauges(metrics, gauged(changes, source));
const read = async (name: string) => (await present(metrics, name)).join();

describe('the source', () => {
  it('is read with its lag, its buffer and its slot', async () => {
    await refresh();
    const values = {
      tc_source_connected: '1',
      tc_source_throttled: '1',
      tc_source_lag_seconds: '1.5',
      tc_source_lag_bytes: '16',
      tc_source_watermark_delay_seconds: '2',
      tc_source_buffered_rows: '2',
      tc_source_buffered_bytes: '200',
      tc_source_unlogged_tables: '6',
      tc_slot_retained_bytes: '4096',
      tc_slot_safe_bytes: '1024',
      tc_sessions_open: '3',
      tc_sessions_held: '2',
      tc_sessions_seen: '12',
      tc_outbox_depth: '4',
    };
    for (const [name, value] of Object.entries(values)) expect(await read(name), name).toBe(value);
    expect(await counted(metrics, 'tc_slot_wal_status')).toEqual(['extended 1']);
    expect(await present(metrics, 'tc_slot_wal_status')).toHaveLength(4);
  });

  it('counts on by itself: each reading takes over what it has counted, and adds nothing', async () => {
    await refresh();
    await refresh();
    expect(await read('tc_source_reconnects_total')).toBe('1');
    expect(await read('tc_source_received_bytes_total')).toBe('900');
    expect(await read('tc_source_transactions_total')).toBe('3');
    expect(await present(metrics, 'tc_source_append_only_violations_total')).toEqual([
      'updates 2',
      'deletes 3',
      'truncates 1',
    ]);
    expect(await present(metrics, 'tc_source_unstreamed_total')).toEqual(['attached 4', 'republished 5']);
  });

  it('of which something is not known yet says nothing of that', async () => {
    await refresh({}, { lagMs: null, lagBytes: null, watermark: null, history: null });
    for (const name of [
      'tc_source_lag_seconds',
      'tc_source_lag_bytes',
      'tc_source_watermark_delay_seconds',
      'tc_source_history_rows',
    ])
      expect(await read(name), name).toBe('');
  });

  it('without a limit of WAL is safe for ever, and one that is ahead is no lag below zero', async () => {
    await refresh({}, { safeWalBytes: null, lagBytes: -8, watermark: (noon + 1_000) * 1_000 });
    expect(await read('tc_slot_safe_bytes')).toBe('Infinity');
    expect(await read('tc_source_lag_bytes')).toBe('0');
    expect(await read('tc_source_watermark_delay_seconds')).toBe('0');
  });

  it('tells of history while it is read, and no longer', async () => {
    await refresh();
    expect([await read('tc_source_history_rows'), await read('tc_source_history_estimated_rows')]).toEqual([
      '40',
      '100',
    ]);
    await refresh({}, { history: { rows: 41, estimatedRows: null, startedAt: 0 } });
    expect([await read('tc_source_history_rows'), await read('tc_source_history_estimated_rows')]).toEqual(['41', '']);
    await refresh({}, { history: null });
    expect(await read('tc_source_history_rows')).toBe('');
  });

  it('of another process is none of this one’s figures', async () => {
    await refresh({ capture: null });
    for (const { part, kind, name } of Object.values(definitions) as Definition[])
      if (kind === 'gauge' && (part === 'source' || part === 'sessions')) expect(await read(name), name).toBe('');
  });
});

describe('a topic', () => {
  it('is read by group, and by partition where it has some', async () => {
    await refresh();
    expect(await read('tc_topic_depth')).toBe('compile,trajectories 5');
    expect(await read('tc_topic_in_work')).toBe('compile,trajectories 2');
    expect(await read('tc_topic_oldest_age_seconds')).toBe('compile,trajectories 2.5');
    expect(await read('tc_topic_dead_letters')).toBe('compile,trajectories 1');
    expect(await read('tc_topic_partition_lag')).toBe('compile,0,trajectories 5');
    for (const [name, value] of [
      ['redeliveries', '3'],
      ['duplicates', '2'],
      ['rebalances', '1'],
    ])
      expect(await read(`tc_topic_${name}_total`), name).toBe(`trajectories ${value}`);
  });

  const lags = (changes: Partial<Lag>) => ({
    lags: async () => [{ topic: 'compiled', group: 'sqlite', lag: { ...lag, ...changes } }],
  });

  it('forgets the partitions that went to another process', async () => {
    await refresh(lags({ partitions: [0, 1].map((partition) => ({ partition, messages: 1 })) }));
    await refresh(lags({ partitions: [{ partition: 1, messages: 2 }] }));
    expect(await read('tc_topic_partition_lag')).toBe('sqlite,1,compiled 2');
  });

  it('has an age of 0 where nothing waits, and none where what waits can’t be seen', async () => {
    await refresh(lags({ messages: 0, oldestAgeMs: null }));
    expect(await read('tc_topic_oldest_age_seconds')).toBe('sqlite,compiled 0');
    await refresh(lags({ messages: 3, oldestAgeMs: null }));
    expect(await read('tc_topic_oldest_age_seconds')).toBe('');
  });
});

describe('a model', () => {
  it('is read with its limits, its breaker and its end', async () => {
    await refresh();
    const model = 'gemini-2.5-flash,gemini';
    expect(await read('tc_llm_in_flight')).toBe(`${model} 2`);
    expect(await read('tc_llm_waiting')).toBe(`${model} 1`);
    expect(await present(metrics, 'tc_llm_limit')).toEqual([
      'concurrency,gemini-2.5-flash,gemini 4',
      'tokens_per_minute,gemini-2.5-flash,gemini 1000',
    ]);
    expect(await present(metrics, 'tc_llm_limit_used')).toEqual([
      'concurrency,gemini-2.5-flash,gemini 2',
      'tokens_per_minute,gemini-2.5-flash,gemini 600',
    ]);
    expect(await counted(metrics, 'tc_llm_breaker_state')).toEqual([`${model},half_open 1`]);
    expect(await present(metrics, 'tc_llm_breaker_state')).toHaveLength(3);
    const midnight = Date.UTC(2026, 11, 1) / 1000;
    expect(await read('tc_llm_model_shutdown_timestamp_seconds')).toBe(`${model} ${midnight}`);
  });

  it('whose end is not announced has no time of it', async () => {
    await refresh({ models: () => [{ ...door, shutdownAt: null, breaker: 'open' }] });
    expect(await read('tc_llm_model_shutdown_timestamp_seconds')).toBe('');
    expect(await counted(metrics, 'tc_llm_breaker_state')).toEqual(['gemini-2.5-flash,gemini,open 1']);
  });

  it('goes by one name in what is counted and what is read, whatever it answers under', async () => {
    await refresh();
    createCompileObserver(metrics, []).onCall(
      callOf(segmentOf(trajectoryOf()), { requestedModel: door.model, model: 'gemini-3.5-flash-lite' }),
      'phone',
    );
    const models = (Object.values(definitions) as Definition[]).filter(({ labels }) => 'model' in labels);
    const samples = await samplesIn(metrics);
    const named = models.flatMap(({ name }) => (samples.get(name) ?? []).map(({ labels }) => labels.model));
    expect(new Set(named.filter((name) => name !== undefined))).toEqual(new Set([door.model]));
  });
});

describe('money, disk, dataset and log', () => {
  it('are read as they stand', async () => {
    await refresh();
    expect(await read('tc_budget_limit_usd')).toBe('day 5');
    expect(await read('tc_budget_spent_usd')).toBe('day 1.5');
    expect(await read('tc_budget_reserved_usd')).toBe('day 0.25');
    expect(await read('tc_data_file_bytes')).toBe('journal 8192');
    expect(await read('tc_data_free_bytes')).toBe('1000000000');
    expect(await read('tc_dataset_pairs')).toBe('11');
    expect(await read('tc_dataset_rejected')).toBe('7');
    expect(await present(metrics, 'tc_log_lines_total')).toEqual(['warn 2', 'error 1']);
  });

  it('say nothing of what there is not: a cap, free space, a dataset', async () => {
    await refresh({
      spending: async () => [{ scope: 'day', limitUsd: null, spentUsd: 0, reservedUsd: 0 }],
      disk: async () => ({ files: [], freeBytes: null }),
      dataset: async () => null,
    });
    expect(await read('tc_budget_spent_usd')).toBe('day 0');
    for (const name of ['tc_budget_limit_usd', 'tc_data_free_bytes', 'tc_dataset_pairs', 'tc_dataset_rejected'])
      expect(await read(name), name).toBe('');
  });

  it('say nothing any more of what can no longer be read: books, a dataset, a file that is gone', async () => {
    await refresh();
    await refresh({
      spending: async () => [],
      dataset: async () => null,
      disk: async () => ({ files: [], freeBytes: null }),
    });
    for (const name of ['tc_budget_limit_usd', 'tc_budget_spent_usd', 'tc_budget_reserved_usd', 'tc_dataset_pairs'])
      expect(await read(name), name).toBe('');
    for (const name of ['tc_dataset_rejected', 'tc_data_file_bytes', 'tc_data_free_bytes'])
      expect(await read(name), name).toBe('');
  });

  it('say what is waited for just now, and nothing once it came', async () => {
    await refresh();
    expect(await read('tc_compile_paused')).toBe('budget_exhausted 1');
    await refresh({ paused: () => ({ code: 'model_unavailable' }) });
    expect(await read('tc_compile_paused')).toBe('model_unavailable 1');
    await refresh({ paused: () => null });
    expect(await read('tc_compile_paused')).toBe('');
  });
});

describe('after a round of everything', () => {
  const trajectory = trajectoryOf();
  const segment = segmentOf(trajectory);
  const forever = new AbortController().signal;

  /** One of everything that is observed while the pipe runs. */
  async function observeAll(): Promise<void> {
    const counts = {
      rows: 1,
      replayed: 0,
      skipped: { excluded: 1 },
      held: 0,
      closes: { idle: 1 },
      released: { below_min_turns: { parts: 1, rows: 1 } },
    };
    observeStep({ version: 1, parts: [], lastPosition: null, watermark: null, counts }, metrics, () => {});
    const { onModel, onCall, onRetry, onStage, onSegment } = createCompileObserver(metrics, []);
    const call = callOf(segment);
    onModel({ provider: call.provider, model: call.requestedModel, stage: 'compile', tiers: ['flex'] });
    onCall(call, 'phone');
    onCall({ ...call, costUsd: null }, 'phone');
    onRetry(call);
    onStage('redact', 0.1);
    const result: SegmentResult = {
      spec: 'segment_result/1',
      outcome: segment,
      pairs: [pairOf(trajectory, segment, { costUsd: 0.01 })],
      rejected: [rejectionOf(segment)],
      calls: [],
      compiledAt: '2026-03-02T10:00:00.000000Z',
    };
    onSegment(result);
    const compile = observeCompile(async (failing: boolean) => {
      if (failing) throw park('redaction_failed', 'x');
      return compiledOf({ redactions: { EMAIL: 1 } });
    }, metrics);
    await compile(false, forever);
    await compile(true, forever).catch(() => {});
    const effect = { written: 1, unchanged: 0, unknown: 0 };
    const sink = observeSink({ name: 'sqlite', write: async () => effect, close: async () => {} }, metrics);
    await sink.write(compiledOf(), forever);
  }

  /** What one line elsewhere sets or counts. */
  const fedElsewhere = {
    tc_role: 'src/pipeline.ts',
    tc_trajectory_revisions_total: 'src/capturing.ts',
  };

  it('every metric of the table has been fed: none is there for nothing', async () => {
    await refresh();
    await observeAll();
    const samples = await samplesIn(metrics);
    const fed = ({ kind, name }: Definition) => {
      if (kind === 'gauge') return samples.get(name)?.length !== 0;
      const counts = samples.get(kind === 'histogram' ? `${name}_count` : name) ?? [];
      return counts.some(({ value }) => value > 0);
    };
    const unfed = (Object.values(definitions) as Definition[]).filter((definition) => !fed(definition));
    expect(unfed.map(({ name }) => name)).toEqual(Object.keys(fedElsewhere));
  });

  it('every series has the labels of its table, with values that the table lists', async () => {
    await refresh();
    await observeAll();
    const samples = await samplesIn(metrics);
    for (const { kind, name, labels } of Object.values(definitions) as Definition[]) {
      for (const series of samples.get(kind === 'histogram' ? `${name}_count` : name) ?? []) {
        expect(Object.keys(series.labels).sort(), name).toEqual(Object.keys(labels).sort());
        for (const [label, { values }] of Object.entries(labels))
          if (values !== undefined) expect(values, `${name} ${label}`).toContain(series.labels[label]);
      }
    }
  });
});
