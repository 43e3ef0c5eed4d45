/**
 * The whole system on one screen, and the only place where the stages meet.
 *
 *   source ─▶ sessionize ─▶ journal ─▶ outbox ─▶ topic: trajectories ─▶ compile ─▶ topic: compiled ─▶ sinks
 *   └────────────── capture ─────────────────┘                       └ compile ┘                  └ sink ┘
 *
 * Capture, publishing, compiling and each sink are loops of their own, and what lies between two of them is on disk. So
 * any of them may be slow, fail or be killed; what it had not finished is there when it comes back. A process runs the
 * roles that the settings name; the others may run in other processes, and with Kafka between them on other hosts.
 */
import { capture, type From, forgetFinished, openCaptureJournal, openCaptureSource, publish } from './capturing.ts';
import type { BudgetLevel } from './compile/budget/budget.ts';
import type { CompileStage } from './compile/compile.ts';
import type { DoorStatus } from './compile/models/door.ts';
import { type CompilingHooks, openCompiling } from './compiling/compiling.ts';
import type { Config } from './config.ts';
import { crashPoint } from './crash-points.ts';
import { type DataDisk, dataDisk } from './data-files.ts';
import { openDatasetIfPresent } from './dataset/open.ts';
import { followSize } from './dataset/size.ts';
import { busiestAgents, type DatasetTotals } from './dataset/stats.ts';
import { codeOf, messageOf } from './errors.ts';
import { persevere, Releasers } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { type Marking, openMarking } from './marking.ts';
import { mostAgents } from './metrics/agent-groups.ts';
import { createCompileObserver } from './metrics/compile-observer.ts';
import { observeCompile, observeSink } from './metrics/observe.ts';
import type { Metrics } from './metrics/registry.ts';
import { createPauses, type Pause, type Pauses } from './pausing.ts';
import { awayFrom, lagsOf, type Standing, spendingOf, untilDone } from './pipe-standing.ts';
import { createReadiness } from './readiness.ts';
import type { Trajectory } from './records.ts';
import type { Requests } from './requests.ts';
import type { Reseal } from './resealing.ts';
import type { Journal } from './sessionizer/journal.ts';
import type { SessionRules } from './sessionizer/part.ts';
import type { Sink } from './sinks/sink.ts';
import type { SqliteDatabase } from './sqlite.ts';
import { filesOf, openSinks } from './stages.ts';
import type { Source } from './stream/contract.ts';
import { Waker } from './topic/waker.ts';
import { openTransport } from './transport/open.ts';
import type { CompiledTopic, GroupLag, TopicCounts, TrajectoryTopic } from './transport/transport.ts';

export interface PipelineOptions {
  config: Config;
  from: From;
  /** `once`: what is committed at the start. `idle`: until no part is open and nothing is in work. */
  until: 'stopped' | 'once' | 'idle';
  /** Whoever fills the log from within this process: nothing is idle before it has resolved, and its failure is ours. */
  feed?: Promise<void> | undefined;
  log: Logger;
  metrics: Metrics;
  /** Take nothing new, finish what is in work. */
  drain: AbortSignal;
  /** Give up what is in work. */
  abort: AbortSignal;
}

export interface Pipeline {
  /** Null where another process captures. */
  capture: { journal: Journal; source: Source } | null;
  /** Null where other processes compile. */
  compile: CompileStage | null;
  /** Those that this process writes. */
  sinks: Sink[];
  /** The dataset of this data directory, to read; null where none is kept here. */
  stored: SqliteDatabase | null;
  /** How every group of the topics that are open here stands; a topic that can't be asked just now is left out. */
  lags(): Promise<GroupLag[]>;
  counts(): TopicCounts[];
  /** What compiling waits for just now; null for nothing. */
  paused(): Pause | null;
  /** How large that is, as it was counted last; null too where nothing was counted yet. */
  dataset(): Promise<DatasetTotals | null>;
  /** What the current day and month cost so far; empty where no model is called, or the books can't be read just now. */
  spending(): Promise<BudgetLevel[]>;
  /** Every model that is asked here. */
  models(): DoorStatus[];
  /** Of the data directory. */
  disk(): Promise<DataDisk>;
  /** What this process needs and found away when it last asked or wrote; null for nothing. */
  away(): string | null;
  /** Runs every loop until the work is done or a signal fires; rejects with what stopped it. */
  run(): Promise<void>;
  /** Closes what was opened, in reverse. */
  close(): Promise<void>;
}

/** @throws OperatorError where a part can't be opened; what was opened by then is closed. */
export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const releasers = new Releasers();
  try {
    return await assemble(options, releasers);
  } catch (error) {
    await releasers.unwind();
    throw error;
  }
}

interface Parts extends Standing {
  capture: { journal: Journal; source: Source; rules: SessionRules; requests: Requests; reseal: Reseal } | null;
  trajectories: TrajectoryTopic | null;
  compiled: CompiledTopic | null;
  compile: CompileStage | null;
  sinks: Sink[];
  stored: SqliteDatabase | null;
  marking: Marking | null;
  pauses: Pauses;
}

async function assemble(options: PipelineOptions, releasers: Releasers): Promise<Pipeline> {
  const { config, log, metrics, from } = options;
  const does = (role: Config['roles'][number]) => config.roles.includes(role);

  const opened = does('capture') ? await openCaptureJournal(config, from, log, releasers) : null;
  for (const role of config.roles) metrics.roles.set({ role, until: options.until }, 1);
  const sinks = (does('sink') ? await openSinks(config, log) : []).map((sink) => observeSink(sink, metrics));
  for (const sink of sinks) releasers.push(`sink ${sink.name}`, () => sink.close());
  const marking = sinks.length > 0 ? openMarking(config, log) : null;
  releasers.push('marks of duplicates', () => marking?.close());
  const stored = openDatasetIfPresent(filesOf(config).dataset);
  releasers.push('dataset', () => void stored?.close());
  const agents = stored === null ? [] : busiestAgents(stored, mostAgents);
  const compiling = does('compile') ? await openCompiling(config, log, hooksOf(options, agents)) : null;
  if (compiling !== null) releasers.push('compile stage', () => compiling.close());

  const transport = openTransport(
    config,
    { journal: opened?.journal ?? null, calls: compiling?.calls ?? null },
    options,
    releasers,
  );
  const trajectories = opened !== null || compiling !== null ? await transport.openTrajectories() : null;
  const compiled = compiling !== null || sinks.length > 0 ? await transport.openCompiled() : null;
  const once = options.until === 'once';
  const source = opened === null ? null : await openCaptureSource(config, opened, { from, once }, log, releasers);

  const capture = opened === null || source === null ? null : { ...opened, source };
  const parts = {
    capture,
    compile: compiling?.stage ?? null,
    sinks,
    trajectories,
    compiled,
    stored,
    marking,
    readiness: createReadiness(),
    pauses: createPauses({ waitsForMoney: options.until === 'stopped', log }),
  };
  return {
    ...parts,
    lags: () => lagsOf(parts),
    paused: () => parts.pauses.current(),
    away: () => awayFrom(parts),
    dataset: stored === null ? async () => null : followSize(stored),
    spending: () => spendingOf(compiling),
    models: () => compiling?.models() ?? [],
    disk: () => dataDisk(config),
    counts: () => [trajectories, compiled].flatMap((topic) => topic?.counts() ?? []),
    run: () => runLoops(parts, options),
    close: async () => {
      for (const { name, error } of await releasers.unwind())
        log.error({ code: codeOf(error) }, `${name} did not close: ${messageOf(error)}`);
    },
  };
}

function hooksOf({ config, metrics, drain }: PipelineOptions, agents: readonly string[]): CompilingHooks {
  return { ...createCompileObserver(metrics, config['metrics.agentGroups'], agents), drain };
}

async function runLoops(parts: Parts, options: PipelineOptions): Promise<void> {
  const done = new AbortController();
  const failed = new AbortController();
  const signal = AbortSignal.any([options.drain, options.abort, done.signal, failed.signal]);
  const abort = AbortSignal.any([options.abort, failed.signal]);
  // Not waited for: who feeds goes on until told to stop. But without its rows the rest would run for nothing.
  options.feed?.catch((error: unknown) => failed.abort(error));
  const captured = { all: parts.capture === null };

  const running = [
    ...captureLoops(parts, options, captured, signal),
    ...compileLoops(parts, options, signal, abort),
    ...sinkLoops(parts, options, signal, abort),
    ...(parts.marking === null ? [] : [parts.marking.keepUp(signal)]),
    ...(options.until === 'stopped' ? [] : [untilDone(parts, options, captured, signal).then(() => done.abort())]),
  ];
  const outcomes = await Promise.allSettled(
    running.map((loop) =>
      loop.catch((error: unknown) => {
        // The others stop; the first failure is the one to report.
        failed.abort(error);
        throw error;
      }),
    ),
  );
  if (!abort.aborted) await parts.marking?.finish(abort);
  if (failed.signal.aborted) throw failed.signal.reason;
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

function captureLoops(
  { capture: capturing, trajectories, stored: dataset }: Parts,
  { log, metrics }: PipelineOptions,
  captured: { all: boolean },
  signal: AbortSignal,
): Promise<void>[] {
  if (capturing === null || trajectories === null) return [];
  const { journal } = capturing;
  const sealed = new Waker();
  signal.addEventListener('abort', () => sealed.wake(), { once: true });
  return [
    capture({ ...capturing, dataset, metrics, sealed, log }, signal).then(() => {
      captured.all = true;
    }),
    publish(journal, trajectories, { sealed, log }, signal),
    forgetFinished(journal, trajectories, signal),
  ];
}

/** Trajectories in work for each call in flight: measured with bench/compile.ts, 20 % over the ideal time at 1, 7 % at this. */
const publishingShare = 1.25;

function compileLoops(
  { compile: stage, trajectories, compiled, pauses }: Parts,
  { config, log, metrics }: PipelineOptions,
  signal: AbortSignal,
  abort: AbortSignal,
): Promise<void>[] {
  if (stage === null || trajectories === null || compiled === null) return [];
  const compile = observeCompile(stage.compileTrajectory, metrics);
  const compileAndPublish = async (trajectory: Trajectory, delivered: AbortSignal) => {
    const given = AbortSignal.any([delivered, signal]);
    const result = await pauses.outlast(() => compile(trajectory, delivered), given);
    // Acknowledged only once the result is durable.
    const patience = { signal: given, log, doing: 'publish what was compiled' };
    await persevere(() => compiled.publish(result), patience);
    crashPoint('compile.published');
  };
  // The calls in flight are limited where they are made; what publishes meanwhile must not keep one of them from starting.
  const concurrency = Math.ceil(config['compile.concurrency'] * publishingShare);
  return [trajectories.consume(compileAndPublish, { concurrency, signal, abort })];
}

const sinkConcurrency = 4;

/** Each sink is a group of its own: one that is away for a day catches up alone. */
function sinkLoops(
  { sinks, compiled, readiness }: Parts,
  { log }: PipelineOptions,
  signal: AbortSignal,
  abort: AbortSignal,
) {
  return sinks.map(async (sink) => {
    await compiled?.consume(
      sink.name,
      async (message, delivered) => {
        const patience = { signal: AbortSignal.any([delivered, signal]), log, doing: `write to the sink ${sink.name}` };
        const write = () => sink.write(message, delivered);
        await persevere(() => readiness.attempt(`the sink ${sink.name}`, write, delivered), patience);
        crashPoint('sink.written');
      },
      { concurrency: sinkConcurrency, signal, abort },
    );
  });
}
