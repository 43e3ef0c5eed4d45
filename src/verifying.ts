/** Verdicts on pairs of the dataset, asked for again: what `verify` does. */
import PQueue from 'p-queue';
import { gatesVersion } from './compile/compile.ts';
import { openCompiling } from './compiling/compiling.ts';
import type { Config } from './config.ts';
import { storedTrajectory } from './dataset/known.ts';
import { openDataset } from './dataset/open.ts';
import { type DuePair, duePairs, groupedBy } from './due-pairs.ts';
import { codeOf, kindOf, messageOf } from './errors.ts';
import { Releasers } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { type Judges, lookAgain } from './looking-again.ts';
import { type Marking, openMarking } from './marking.ts';
import { createPauses, isUnfinishedPause, type Pauses } from './pausing.ts';
import type { ModelCall, QaPair, Verification, Verified } from './records.ts';
import type { Sink } from './sinks/sink.ts';
import type { SqliteDatabase } from './sqlite.ts';
import { filesOf, openSinks } from './stages.ts';

export interface VerifyOptions {
  config: Config;
  /** ISO 8601, UTC: pairs compiled at or after it. */
  since: string;
  /** Pairs at most, the newest. */
  limit: number;
  /** Every pair that is not proved, whatever looked at it before. */
  all: boolean;
  log: Logger;
  /** Begin no further trajectory; finish what is in work. */
  drain: AbortSignal;
  /** Give up what is in work. */
  abort: AbortSignal;
  onProgress: (progress: VerifyProgress) => void;
}

export interface VerifyProgress {
  /** Pairs that are due. */
  due: number;
  /** Pairs that were looked at, with a new verdict or without. */
  done: number;
  /** New verdicts, by what they are. */
  verdicts: Partial<Record<Verification['status'], number>>;
  /** Of those that failed or are held, and of errors, by reason. */
  reasons: Record<string, number>;
  /** Pairs that could not be looked at, by the code of what was wrong. */
  failed: Record<string, number>;
  /** Of the calls made now; null where one's cost is unknown. */
  costUsd: number | null;
}

/**
 * Pairs that are due, newest first, before the gates and, where a model is configured, the verifier. Verdicts are written
 * trajectory by trajectory to every sink of the settings, and to the dataset.
 *
 * @throws OperatorError `no_dataset`; where only an operator or a new day can help, as with the budget: what was in work
 * is finished before, and its verdicts are kept.
 */
export async function verifyStored(options: VerifyOptions): Promise<VerifyProgress> {
  const releasers = new Releasers();
  try {
    const progress: VerifyProgress = { due: 0, done: 0, verdicts: {}, reasons: {}, failed: {}, costUsd: 0 };
    const parts = await openParts(options, progress, releasers);
    try {
      return await new VerifyWork(options, parts, progress).run();
    } finally {
      // What failed gives its place in view to the next one.
      if (!options.abort.aborted) await parts.marking?.finish(options.abort);
    }
  } finally {
    await releasers.unwind();
  }
}

interface Parts {
  dataset: SqliteDatabase;
  judges: Judges;
  /** The dataset last: a verdict that a mirror may still take is due until it has. */
  sinks: Sink[];
  marking: Marking | null;
}

async function openParts(
  { config, log, drain }: VerifyOptions,
  progress: VerifyProgress,
  releasers: Releasers,
): Promise<Parts> {
  const dataset = openDataset(filesOf(config).dataset);
  releasers.push('dataset reader', () => void dataset.close());
  // Of those too that brought no verdict.
  const onCall = ({ costUsd }: ModelCall) => {
    const { costUsd: sum } = progress;
    progress.costUsd = sum === null || costUsd === null ? null : sum + costUsd;
  };
  const { verifier, redactor, close } = await openCompiling(config, log, { drain, onCall });
  releasers.push('compile stage', close);
  const windowTokens = config['compile.windowTokens'];
  const judges = { verifier, leaks: (text: string) => redactor.leaks(text), windowTokens };
  const mirrors = config.sinks.filter((name) => name !== 'sqlite');
  const sinks = await openSinks({ ...config, sinks: [...mirrors, 'sqlite'] }, log);
  for (const sink of sinks) releasers.push(`sink ${sink.name}`, () => sink.close());
  const marking = openMarking({ ...config, sinks: [...mirrors, 'sqlite'] }, log);
  releasers.push('marks of duplicates', () => marking?.close());
  return { dataset, judges, sinks, marking };
}

class VerifyWork {
  readonly #options: VerifyOptions;
  readonly #parts: Parts;
  readonly #queue: PQueue;
  readonly #pauses: Pauses;
  readonly #progress: VerifyProgress;
  #stopped: { error: unknown } | null = null;

  constructor(options: VerifyOptions, parts: Parts, progress: VerifyProgress) {
    this.#options = options;
    this.#parts = parts;
    this.#progress = progress;
    this.#queue = new PQueue({ concurrency: options.config['compile.concurrency'] });
    this.#pauses = createPauses({ waitsForMoney: false, waitsForModel: false, log: options.log });
  }

  async run(): Promise<VerifyProgress> {
    const { since, limit, all, drain, onProgress } = this.#options;
    const { dataset, judges } = this.#parts;
    const versions = [gatesVersion, ...(judges.verifier === null ? [] : [judges.verifier.version])];
    const due = duePairs(dataset, { since, limit, all, versions });
    this.#progress.due = due.length;
    onProgress(this.#progress);
    for (const [id, ofTrajectory] of groupedBy(due, ({ pair }) => pair.trajectoryId)) {
      if (drain.aborted || this.#stopped !== null) break;
      void this.#queue.add(() => this.#lookAt(id, ofTrajectory));
      // Bodies wait in memory: no more of them than are about to be worked on.
      await this.#queue.onSizeLessThan(this.#queue.concurrency);
    }
    await this.#queue.onIdle();
    if (this.#stopped !== null) throw this.#stopped.error;
    return this.#progress;
  }

  async #lookAt(trajectoryId: string, due: readonly DuePair[]): Promise<void> {
    const { dataset, judges } = this.#parts;
    const { drain, abort, onProgress } = this.#options;
    try {
      const look = () => lookAgain(storedTrajectory(dataset, trajectoryId), due, judges, abort);
      const verified = await this.#pauses.outlast(look, AbortSignal.any([drain, abort]));
      if (verified.pairs.length > 0 || verified.calls.length > 0) await this.#write(verified);
      this.#progress.done += due.length;
      for (const pair of verified.pairs) this.#countVerdict(pair);
    } catch (error) {
      if (!abort.aborted && !isUnfinishedPause(error, drain)) this.#countFailure(trajectoryId, due.length, error);
    }
    onProgress(this.#progress);
  }

  /** What a mirror will never take does not keep it from the dataset; it is told all the same. */
  async #write(verified: Verified): Promise<void> {
    for (const sink of this.#parts.sinks) {
      try {
        await sink.write(verified, this.#options.abort);
      } catch (error) {
        if (kindOf(error) !== 'park') throw error;
        this.#tell(verified.trajectoryId, verified.pairs.length, error);
      }
    }
  }

  #countFailure(trajectoryId: string, pairs: number, error: unknown): void {
    if (kindOf(error) === 'stop') {
      this.#queue.clear();
      this.#stopped ??= { error };
      return;
    }
    this.#tell(trajectoryId, pairs, error);
  }

  #tell(trajectory: string, pairs: number, error: unknown): void {
    const code = codeOf(error);
    this.#progress.failed[code] = (this.#progress.failed[code] ?? 0) + pairs;
    this.#options.log.warn({ trajectory, code }, messageOf(error));
  }

  #countVerdict({ verification: { status, reason } }: QaPair): void {
    const { verdicts, reasons } = this.#progress;
    verdicts[status] = (verdicts[status] ?? 0) + 1;
    if (reason !== null) reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
}
