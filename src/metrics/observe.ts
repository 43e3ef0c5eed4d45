/** Wrappers that feed the metrics by observing a stage from outside, as things happen. */
import { codeOf, kindOf, OperatorError } from '../errors.ts';
import type { Compiled } from '../records.ts';
import type { Step } from '../sessionizer/sessionize.ts';
import type { Sink } from '../sinks/sink.ts';
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

/** Counts trajectories that were compiled, or how they failed. What their segments gave, the stage tells itself. */
export function observeCompile<T>(compile: CompileTrajectory<T>, metrics: Metrics): CompileTrajectory<T> {
  return async (trajectory, signal) => {
    const stopTimer = metrics.compileDuration.startTimer();
    metrics.inFlight.inc();
    try {
      const compiled = await compile(trajectory, signal);
      stopTimer();
      for (const [kind, n] of Object.entries(compiled.redactions ?? {})) metrics.redactions.inc({ kind }, n);
      metrics.trajectories.inc({ outcome: compiled.pairs.length > 0 ? 'pairs' : 'no_pairs' });
      return compiled;
    } catch (error) {
      if (!signal.aborted && !isWaitedFor(error)) countFailure(error, metrics);
      throw error;
    } finally {
      metrics.inFlight.dec();
    }
  };
}

/** A new day's money, a model that is away: nothing failed, and `tc_compile_paused` tells of it. */
function isWaitedFor(error: unknown): boolean {
  return error instanceof OperatorError && error.resumeAt !== undefined;
}

const redactionFailures: readonly string[] = ['redaction_failed', 'redaction_leak', 'redacted_elsewhere'];

function countFailure(error: unknown, metrics: Metrics): void {
  const code = codeOf(error);
  metrics.compileErrors.inc({ kind: kindOf(error), code });
  if (redactionFailures.includes(code)) metrics.redactionFailures.inc({ code });
}

const effects = ['written', 'unchanged', 'unknown'] as const;

/** Counts a sink's writes. */
export function observeSink(sink: Sink, metrics: Metrics): Sink {
  const { name } = sink;
  // Each series is there before there is anything to count: one that is born with its first write shows no increase.
  for (const outcome of ['ok', 'error']) metrics.sinkWrites.inc({ sink: name, outcome }, 0);
  for (const effect of effects) metrics.sinkRows.inc({ sink: name, effect }, 0);
  metrics.sinkDuration.zero({ sink: name });
  metrics.sinkDelay.zero({ sink: name });
  return {
    name,
    close: () => sink.close(),
    async write(message, signal) {
      const stopTimer = metrics.sinkDuration.startTimer({ sink: name });
      try {
        const rows = await sink.write(message, signal);
        stopTimer();
        metrics.sinkWrites.inc({ sink: name, outcome: 'ok' });
        if (message.spec === 'compiled/1')
          metrics.sinkDelay.observe({ sink: name }, Math.max(0, Date.now() - message.trajectory.endedAt / 1000) / 1000);
        for (const effect of effects) metrics.sinkRows.inc({ sink: name, effect }, rows[effect]);
        return rows;
      } catch (error) {
        if (!signal.aborted) metrics.sinkWrites.inc({ sink: name, outcome: 'error' });
        throw error;
      }
    },
  };
}
