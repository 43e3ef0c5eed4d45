import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BudgetRefusal } from '../../src/compile/budget/budget.ts';
import { OperatorError, park, retry } from '../../src/errors.ts';
import { observeCompile, observeSink, observeStep } from '../../src/metrics/observe.ts';
import { createMetrics, type Metrics } from '../../src/metrics/registry.ts';
import { createPauses } from '../../src/pausing.ts';
import type { Compiled } from '../../src/records.ts';
import type { Step, StepCounts } from '../../src/sessionizer/sessionize.ts';
import type { Sink, WriteEffect } from '../../src/sinks/sink.ts';
import { silent } from '../support/capture.ts';
import { compiledOf } from '../support/records.ts';
import { counted, present } from './reading.ts';

let metrics: Metrics;
beforeEach(() => {
  metrics = createMetrics('test');
});
afterEach(() => {
  vi.useRealTimers();
});

const forever = new AbortController().signal;
const countOf = async (histogram: string) => (await counted(metrics, `${histogram}_count`)).join();

describe('a batch of the journal', () => {
  const counts: StepCounts = {
    rows: 7,
    replayed: 2,
    skipped: { no_session: 3, excluded: 1 },
    held: 1,
    closes: { idle: 2, max_age: 1 },
    released: { below_min_turns: { parts: 4, rows: 9 } },
  };
  const step: Step = { version: 1, parts: [], lastPosition: null, watermark: null, counts };

  it('is counted: rows taken in, rows skipped, parts closed and let go, how long it took', async () => {
    observeStep(step, metrics, () => {});
    expect(await counted(metrics, 'tc_source_rows_total')).toEqual(['7']);
    expect(await counted(metrics, 'tc_source_rows_skipped_total')).toEqual(['excluded 1', 'no_session 3']);
    expect(await counted(metrics, 'tc_parts_closed_total')).toEqual(['idle 2', 'max_age 1']);
    expect(await counted(metrics, 'tc_parts_released_total')).toEqual(['below_min_turns 4']);
    expect(await countOf('tc_journal_commit_seconds')).toBe('1');
  });

  it('counts for nothing where it was not stored', async () => {
    const full = () => {
      throw new Error('disk full');
    };
    expect(() => observeStep(step, metrics, full)).toThrow('disk full');
    for (const name of ['tc_source_rows_total', 'tc_parts_closed_total', 'tc_journal_commit_seconds_count'])
      expect(await counted(metrics, name), name).toEqual([]);
  });

  it('is counted under reasons that are in the table: no series is born late', async () => {
    const before = await Promise.all(
      ['tc_source_rows_skipped_total', 'tc_parts_closed_total', 'tc_parts_released_total'].map((name) =>
        present(metrics, name),
      ),
    );
    observeStep(step, metrics, () => {});
    const known = before.flat().map((series) => series.split(' ')[0]);
    for (const reason of ['no_session', 'excluded', 'idle', 'max_age', 'below_min_turns'])
      expect(known).toContain(reason);
  });
});

describe('a trajectory', () => {
  const compiling = (answer: () => Promise<Compiled>) => observeCompile(answer, metrics);

  it('is counted by whether it gave pairs, with what was redacted and how long it took', async () => {
    const redactions = { EMAIL: 2, IBAN: 1 };
    await compiling(async () => compiledOf({ redactions }))({}, forever);
    await compiling(async () => compiledOf({ pairs: [] }))({}, forever);
    expect(await counted(metrics, 'tc_trajectories_compiled_total')).toEqual(['pairs 1', 'no_pairs 1']);
    expect(await counted(metrics, 'tc_redactions_total')).toEqual(['EMAIL 2', 'IBAN 1']);
    expect(await countOf('tc_compile_duration_seconds')).toBe('2');
  });

  it('is in flight as long as it is worked on', async () => {
    let finish = (_: Compiled) => {};
    const working = compiling(() => new Promise((resolve) => (finish = resolve)))({}, forever);
    expect(await present(metrics, 'tc_compile_in_flight')).toEqual(['1']);
    finish(compiledOf());
    await working;
    await expect(compiling(() => Promise.reject(new Error('x')))({}, forever)).rejects.toThrow('x');
    expect(await present(metrics, 'tc_compile_in_flight')).toEqual(['0']);
  });

  it('that fails is counted under what follows and why, and passes the error on', async () => {
    const errors = [retry('model_network', 'x'), park('redaction_leak', 'x'), new Error('nobody knows')];
    for (const error of errors) await expect(compiling(() => Promise.reject(error))({}, forever)).rejects.toBe(error);
    expect(await counted(metrics, 'tc_compile_errors_total')).toEqual([
      'model_network,retry 1',
      'redaction_leak,park 1',
      'unexpected,retry 1',
    ]);
    expect(await counted(metrics, 'tc_redaction_failures_total')).toEqual(['redaction_leak 1']);
    expect(await counted(metrics, 'tc_trajectories_compiled_total')).toEqual([]);
    expect(await countOf('tc_compile_duration_seconds')).toBe('');
  });

  it('that waits for what comes back has not failed, however often it looks whether it is back', async () => {
    vi.useFakeTimers();
    const resumeAt = new Date(Date.now() + 3_600_000);
    const refusals = [
      new BudgetRefusal('no more today', { scope: 'day', since: new Date(), resumeAt }),
      new OperatorError('fewer calls', { kind: 'retry', code: 'model_rate_limited', resumeAt }),
    ];
    const answers = [...refusals, ...refusals];
    const compile = compiling(async () => {
      const refusal = answers.shift();
      if (refusal !== undefined) throw refusal;
      return compiledOf();
    });
    const pauses = createPauses({ waitsForMoney: true, log: silent });
    const working = pauses.outlast(() => compile({}, forever), forever);
    await vi.advanceTimersByTimeAsync(4 * 3_600_000);
    await working;
    expect(await counted(metrics, 'tc_compile_errors_total')).toEqual([]);
    expect(await counted(metrics, 'tc_trajectories_compiled_total')).toEqual(['pairs 1']);
  });

  it('that nobody can wait for has failed', async () => {
    const refusal = new BudgetRefusal('too dear', { scope: 'trajectory', since: new Date() });
    await expect(compiling(() => Promise.reject(refusal))({}, forever)).rejects.toBe(refusal);
    expect(await counted(metrics, 'tc_compile_errors_total')).toEqual(['budget_exhausted,stop 1']);
  });

  it('that was given up has not failed', async () => {
    const stopping = new AbortController();
    const compile = compiling(async () => {
      stopping.abort(new Error('second signal'));
      throw stopping.signal.reason;
    });
    await expect(compile({}, stopping.signal)).rejects.toThrow('second signal');
    expect(await counted(metrics, 'tc_compile_errors_total')).toEqual([]);
  });
});

describe('a sink', () => {
  const message = compiledOf();
  const sinkOf = (write: () => Promise<WriteEffect>) => {
    const close = vi.fn(async () => {});
    const sink: Sink = { name: 'sqlite', write, close };
    return { sink: observeSink(sink, metrics), close };
  };

  it('is counted by message and by row, with how long it took', async () => {
    const effect = { written: 5, unchanged: 2, unknown: 0 };
    const { sink, close } = sinkOf(async () => effect);
    expect(await sink.write(message, forever)).toBe(effect);
    await sink.write(message, forever);
    expect(await counted(metrics, 'tc_sink_writes_total')).toEqual(['ok,sqlite 2']);
    expect(await counted(metrics, 'tc_sink_rows_total')).toEqual(['written,sqlite 10', 'unchanged,sqlite 4']);
    expect(await countOf('tc_sink_write_duration_seconds')).toBe('sqlite 2');
    // By the trajectory's last row; what was compiled long ago is late by as much.
    expect(await countOf('tc_sink_delay_seconds')).toBe('sqlite 2');
    expect(sink.name).toBe('sqlite');
    await sink.close();
    expect(close).toHaveBeenCalledOnce();
  });

  it('that fails is counted, unless it was told to give up', async () => {
    const { sink } = sinkOf(() => Promise.reject(retry('sink_away', 'away')));
    await expect(sink.write(message, forever)).rejects.toThrow('away');
    await expect(sink.write(message, AbortSignal.abort())).rejects.toThrow('away');
    expect(await counted(metrics, 'tc_sink_writes_total')).toEqual(['error,sqlite 1']);
    expect(await counted(metrics, 'tc_sink_rows_total')).toEqual([]);
    expect(await countOf('tc_sink_write_duration_seconds')).toBe('');
  });

  it('is there at 0 before its first message: an increase from nothing is none to Prometheus', async () => {
    sinkOf(() => Promise.reject(new Error('never written')));
    expect(await present(metrics, 'tc_sink_writes_total')).toEqual(['ok,sqlite 0', 'error,sqlite 0']);
    expect(await present(metrics, 'tc_sink_rows_total')).toHaveLength(3);
    expect(await present(metrics, 'tc_sink_write_duration_seconds_count')).toEqual(['sqlite 0']);
  });
});
