/**
 * The whole system on one screen, and the only place where the stages meet.
 *
 *   source ─▶ sessionize ─▶ journal ─▶ outbox ─▶ topic: trajectories ─▶ compile ─▶ topic: compiled ─▶ sinks
 *
 * Capture, publishing, compiling and each sink are loops of their own, and what lies between two of them is on disk. So
 * any of them may be slow, fail or be killed; what it had not finished is there when it comes back.
 */
import { z } from 'zod';
import { withoutCompiled } from './already-compiled.ts';
import type { CompileStage } from './compile/compile.ts';
import type { Config } from './config.ts';
import { openDataset } from './dataset/open.ts';
import { pause, Releasers } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { type Metrics, observeCall, observeCompile, observeSink, observeStep } from './metrics.ts';
import { openAuditReader } from './postgres/rows.ts';
import { type Compiled, compiledSchema, compilerKey } from './records.ts';
import { type Journal, openJournal } from './sessionizer/journal.ts';
import { lockDataDir } from './sessionizer/lock.ts';
import { type SessionRules, sessionize, watermarkOf } from './sessionizer/sessionize.ts';
import type { Sink } from './sinks/sink.ts';
import { openSqliteSink } from './sinks/sqlite.ts';
import type { SqliteDatabase } from './sqlite.ts';
import { captureSettings, filesOf, openCompileStage, sessionRules, tableSettings } from './stages.ts';
import type { Source } from './stream/contract.ts';
import { openSource } from './stream/source.ts';
import { currentTarget } from './stream/target.ts';
import { jsonCodec } from './topic/codec.ts';
import { type EmbeddedTopic, openEmbeddedTopic } from './topic/embedded.ts';
import type { Lag } from './topic/topic.ts';
import { Waker } from './topic/waker.ts';

export interface PipelineOptions {
  config: Config;
  from: 'now' | 'beginning';
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

/** The embedded topic carries references: the body is in the journal, and is read when it is delivered. */
const referenceSchema = z.object({ spec: z.literal('trajectory_ref/1'), trajectoryId: z.string() });
type Reference = z.infer<typeof referenceSchema>;

const compileGroup = 'compile';
const watchEveryMs = 200;
const publishEveryMs = 1000;

export interface GroupLag {
  topic: string;
  group: string;
  lag: Lag;
}

export interface Pipeline {
  journal: Journal;
  source: Source;
  trajectories: EmbeddedTopic<Reference>;
  compiled: EmbeddedTopic<Compiled>;
  sinks: Sink[];
  /** The dataset, to read. */
  stored: SqliteDatabase;
  /** How every group of every topic stands. */
  lags(): Promise<GroupLag[]>;
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

async function assemble(options: PipelineOptions, releasers: Releasers): Promise<Pipeline> {
  const { config, log, metrics } = options;
  const files = filesOf(config);
  const rules = sessionRules(config);
  const settings = captureSettings(config);

  const lock = lockDataDir(config.dataDir);
  releasers.push('lock', () => lock.release());
  const reader = await openAuditReader({ url: settings.url, ...tableSettings(config) });
  await reader.close();
  const journal = openJournal(files.journal, { source: reader.source, rules });
  releasers.push('journal', () => journal.close());
  const interrupted = journal.dropHistory();
  if (interrupted) log.info('reading of history was interrupted: it starts over');
  if (options.from === 'beginning' && journal.progress !== null) {
    log.info(`${config.dataDir} has a position already and goes on from there: --from beginning is for a fresh one`);
  }

  const { stage, calls } = openCompileStage(config, log, (call) => observeCall(call, metrics));
  releasers.push('call store', () => calls.close());
  const sinks = [observeSink(openSqliteSink({ path: files.dataset, log }), metrics)];
  for (const sink of sinks) releasers.push(`sink ${sink.name}`, () => sink.close());
  const stored = openDataset(files.dataset);
  releasers.push('dataset', () => void stored.close());

  const retry = { maxAttempts: config['compile.maxAttempts'], log, path: files.topics };
  const trajectories = openEmbeddedTopic<Reference>({
    ...retry,
    name: 'trajectories',
    groups: [compileGroup],
    codec: jsonCodec(referenceSchema, 'trajectory_ref/1'),
    onFinished: (ids) => journal.outbox.forget(ids),
  });
  releasers.push('topic trajectories', () => trajectories.close());
  const compiled = openEmbeddedTopic<Compiled>({
    ...retry,
    name: 'compiled',
    groups: sinks.map(({ name }) => name),
    codec: jsonCodec(compiledSchema, 'compiled/1'),
  });
  releasers.push('topic compiled', () => compiled.close());
  // A crash can come between finishing a message and forgetting its body.
  journal.outbox.forget(trajectories.finishedAmong(journal.outbox.publishedIds()));

  const target = options.until === 'once' ? await currentTarget(settings.url) : undefined;
  const source = await openSource(
    {
      ...settings,
      from: interrupted ? 'beginning' : options.from,
      batchRows: config['capture.batchRows'],
      batchMs: config['capture.batchDelay'],
      maxBufferBytes: config['capture.bufferBytes'],
      until: target,
    },
    { progress: journal.progress, identity: journal.identity, columns: journal.columns },
    log,
  );
  releasers.push('source', () => source.close());
  journal.setIdentity(source.identity);
  journal.setColumns(source.columns);

  const parts = { journal, source, trajectories, compiled, sinks, stored };
  return {
    ...parts,
    lags: () => Promise.all([trajectories, compiled].flatMap(lagsOf)),
    run: () => runLoops({ ...parts, stage, rules, options }),
    close: async () => {
      for (const { name, error } of await releasers.unwind()) log.error({ err: error }, `${name} did not close`);
    },
  };
}

function lagsOf(topic: EmbeddedTopic<Reference> | EmbeddedTopic<Compiled>): Promise<GroupLag>[] {
  return topic.groups().map(async (group) => ({ topic: topic.name, group, lag: await topic.lag(group) }));
}

type Loops = Omit<Pipeline, 'run' | 'close' | 'lags'> & {
  stage: CompileStage;
  rules: SessionRules;
  options: PipelineOptions;
};

async function runLoops(loops: Loops): Promise<void> {
  const { trajectories, compiled, sinks, options } = loops;
  const done = new AbortController();
  const failed = new AbortController();
  const signal = AbortSignal.any([options.drain, options.abort, done.signal, failed.signal]);
  const abort = AbortSignal.any([options.abort, failed.signal]);
  // Not waited for: who feeds goes on until told to stop. But without its rows the rest would run for nothing.
  options.feed?.catch((error: unknown) => failed.abort(error));
  const sealed = new Waker();
  signal.addEventListener('abort', () => sealed.wake(), { once: true });
  const concurrency = options.config['compile.concurrency'];
  const captured = { all: false };

  const running = [
    capture(loops, sealed, signal).then(() => {
      captured.all = true;
    }),
    publish(loops, sealed, signal),
    trajectories.consume(compileGroup, compileInto(loops), { concurrency, signal, abort }),
    ...sinks.map((sink) =>
      compiled.consume(sink.name, ({ message, signal }) => sink.write(message.value, signal), {
        concurrency: 1,
        signal,
        abort,
      }),
    ),
    ...(options.until === 'stopped' ? [] : [watchForEnd(loops, captured, signal).then(() => done.abort())]),
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
  if (failed.signal.aborted) throw failed.signal.reason;
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

async function capture(loops: Loops, sealed: Waker, signal: AbortSignal): Promise<void> {
  const { source, journal, stored, rules, options } = loops;
  for await (const received of source.batches(signal)) {
    const known = journal.recall(received.sessionIds, watermarkOf(received));
    const isLive = (id: string) => received.history === undefined && known.parts.has(id);
    const batch = withoutCompiled(received, isLive, stored, source.source);
    const step = sessionize(known, batch, rules);
    observeStep(step, options.metrics, () => journal.commit(step, batch));
    if (journal.resumeLsn !== null) await source.confirm(journal.resumeLsn);
    if (step.parts.some(({ standing }) => standing.kind === 'sealed') || batch.history?.state === 'done') sealed.wake();
  }
}

/** From the outbox onto the topic. A crash between the two publishes again, which the topic does not notice. */
async function publish({ journal, trajectories }: Loops, sealed: Waker, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const refs = journal.outbox.pending(256);
    await Promise.all(
      refs.map(({ trajectoryId, sessionId }) =>
        trajectories.publish({
          id: trajectoryId,
          key: sessionId,
          value: { spec: 'trajectory_ref/1', trajectoryId },
        }),
      ),
    );
    journal.outbox.published(refs.map(({ trajectoryId }) => trajectoryId));
    if (refs.length === 0) await sealed.wait(publishEveryMs);
  }
}

function compileInto({ journal, stage, compiled, options }: Loops) {
  const compile = observeCompile(stage.compileTrajectory, options.metrics);
  return async ({ message, signal }: { message: { key: string; value: Reference }; signal: AbortSignal }) => {
    const trajectory = journal.outbox.assemble(message.value.trajectoryId);
    const value = await compile(trajectory, signal);
    // Acknowledged only once the result is durable. A known result keeps its time, so a redelivery is the same message.
    const id = [trajectory.id, compilerKey(value.compiler), value.compiledAt].join(' ');
    await compiled.publish({ id, key: message.key, value });
  };
}

/** Resolves when everything committed by now was taken in, nothing is in work and, for `idle`, no part is open. */
async function watchForEnd(loops: Loops, captured: { all: boolean }, signal: AbortSignal): Promise<void> {
  const { journal, options, ...rest } = loops;
  await options.feed;
  const { at } = await currentTarget(captureSettings(options.config).url);
  const taken = () =>
    options.until === 'once' ? captured.all : (journal.watermark ?? 0) >= at && journal.totals().open === 0;
  while (!signal.aborted && !(taken() && (await isIdle({ journal, ...rest })))) await pause(watchEveryMs, signal);
}

async function isIdle({ journal, trajectories, compiled }: Pick<Loops, 'journal' | 'trajectories' | 'compiled'>) {
  if (journal.outbox.depth() > 0) return false;
  const lags = await Promise.all([trajectories, compiled].flatMap(lagsOf));
  return lags.every(({ lag }) => lag.messages === 0);
}
