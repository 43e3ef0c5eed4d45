/** Compiling sessions that are already in the table: read-only, without a slot, longest first. */
import { existsSync } from 'node:fs';
import PQueue from 'p-queue';
import type { CompileStage } from './compile/compile.ts';
import { openCompiling } from './compiling/compiling.ts';
import type { Config } from './config.ts';
import {
  arrivingAmong,
  compiledAmong,
  knownSessions,
  rowsAmong,
  skippedAmong,
  storedTrajectory,
  trajectoriesOf,
} from './dataset/known.ts';
import { openDataset } from './dataset/open.ts';
import { codeOf, kindOf, messageOf, stop } from './errors.ts';
import { type LogReader, openLog } from './existing-log.ts';
import { Releasers } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { type Marking, openMarking } from './marking.ts';
import { withOriginalText } from './original-rows.ts';
import { createPauses, isUnfinishedPause, type Pauses } from './pausing.ts';
import type { Compiled, Micros, ModelCall, Trajectory, Turn } from './records.ts';
import { createDigester, openDigestKey, type RowDigester } from './row-digest.ts';
import { groupHistory } from './sessionizer/history.ts';
import { type JournalReader, openJournalReader } from './sessionizer/journal-reader.ts';
import type { Sink } from './sinks/sink.ts';
import type { SqliteDatabase } from './sqlite.ts';
import { filesOf, openSinks, sessionRules } from './stages.ts';

export interface CompileExistingOptions {
  config: Config;
  /** Sessions in which there is something to compile, longest first; what is known does not count. */
  limit: number;
  /** Compile what is known too. */
  force: boolean;
  /** These, whatever `limit` says, and in them also what was left out for its shape or its cost. */
  sessions?: readonly string[];
  log: Logger;
  /** Begin no further session; finish what is in work. */
  drain: AbortSignal;
  /** Give up what is in work. */
  abort: AbortSignal;
  onProgress: (progress: CompileProgress) => void;
}

export interface CompileProgress {
  /** Sessions looked at, of `total` that are long enough. */
  sessions: number;
  total: number;
  /** Trajectories compiled. */
  compiled: number;
  /** Trajectories that this compiler has been over before. */
  known: number;
  /** Sessions, or rests of sessions, that are still running, too short, or in the pipe of this data directory. */
  notYet: number;
  /** Trajectories that could not be compiled, by the code of what was wrong. */
  failed: Record<string, number>;
  pairs: number;
  rejected: number;
  /** Of the calls made now; null where one's cost is unknown. */
  costUsd: number | null;
}

/**
 * Compiles sessions of the table into the dataset. A row belongs to one trajectory at most, whichever way it came: rows
 * that are in the dataset stay in the trajectory they are in, which is compiled where this compiler has not been over it
 * or `force` asks for it; rows that are in the pipe of this data directory are left to it.
 *
 * @throws OperatorError where the table can't be read, the dataset can't be written, or only an operator can help; what
 * was in work is finished before.
 */
export async function compileExisting(options: CompileExistingOptions): Promise<CompileProgress> {
  const releasers = new Releasers();
  try {
    const progress = noProgress();
    const parts = await openParts(options, progress, releasers);
    try {
      return await new ExistingWork(options, parts, progress).run();
    } finally {
      if (!options.abort.aborted) await parts.marking?.finish(options.abort);
    }
  } finally {
    await releasers.unwind();
  }
}

const noProgress = (): CompileProgress => ({
  sessions: 0,
  total: 0,
  compiled: 0,
  known: 0,
  notYet: 0,
  failed: {},
  pairs: 0,
  rejected: 0,
  costUsd: 0,
});

interface Parts {
  reader: LogReader;
  digester: RowDigester;
  stage: CompileStage;
  /** The dataset last: what is in it is known, and not written again. */
  sinks: Sink[];
  marking: Marking | null;
  dataset: SqliteDatabase;
  journal: JournalReader | null;
  snapshotAt: Micros;
}

async function openParts(
  options: CompileExistingOptions,
  progress: CompileProgress,
  releasers: Releasers,
): Promise<Parts> {
  const { config, log, sessions } = options;
  const files = filesOf(config);
  const { reader, readClock } = await openLog(config, log);
  releasers.push('reader', () => reader.close());
  const journal = existsSync(files.journal) ? openJournalReader(files.journal, reader.source) : null;
  releasers.push('journal', () => journal?.close());
  // Whoever names a session wants all of it.
  const wanted: Config = sessions === undefined ? config : { ...config, 'coverage.oneIn': 1 };
  // What a trajectory lists may have been paid for long before: recorded answers, attempts of a process that was killed.
  const onCall = ({ costUsd }: ModelCall) => {
    const { costUsd: sum } = progress;
    progress.costUsd = sum === null || costUsd === null ? null : sum + costUsd;
  };
  const compiling = await openCompiling(wanted, log, { onCall });
  const { stage } = compiling;
  releasers.push('compile stage', () => compiling.close());
  const mirrors = config.sinks.filter((name) => name !== 'sqlite');
  const sinks = await openSinks({ ...config, sinks: [...mirrors, 'sqlite'] }, log);
  for (const sink of sinks) releasers.push(`sink ${sink.name}`, () => sink.close());
  const marking = openMarking({ ...config, sinks: [...mirrors, 'sqlite'] }, log);
  releasers.push('marks of duplicates', () => marking?.close());
  const dataset = openDataset(files.dataset);
  releasers.push('dataset reader', () => void dataset.close());
  mentionOtherSources(dataset, reader.source, log);
  const digester = createDigester(openDigestKey(files.digestKey, config['capture.digestKey']));
  return { reader, digester, stage, sinks, marking, dataset, journal, snapshotAt: await readClock() };
}

/** Rows are known by source and key: read directly and through PostgREST, the same log is two sources. */
function mentionOtherSources(dataset: SqliteDatabase, source: string, log: Logger): void {
  const holds = (condition: string) =>
    dataset.prepare(`SELECT 1 FROM trajectories WHERE ${condition} LIMIT 1`).get(source) !== undefined;
  if (holds('source = ?') || !holds('source <> ?')) return;
  log.warn(
    'the dataset holds trajectories of another source and none of this one: if they are of the same audit log, read in another way (postgres.url or supabase.url), its sessions are compiled a second time',
  );
}

class ExistingWork {
  readonly #options: CompileExistingOptions;
  readonly #parts: Parts;
  readonly #queue: PQueue;
  readonly #pauses: Pauses;
  readonly #progress: CompileProgress;
  #stopped: { error: unknown } | null = null;

  constructor(options: CompileExistingOptions, parts: Parts, progress: CompileProgress) {
    this.#options = options;
    this.#parts = parts;
    this.#progress = progress;
    this.#queue = new PQueue({ concurrency: options.config['compile.concurrency'] });
    this.#pauses = createPauses({ waitsForMoney: false, waitsForModel: false, log: options.log });
  }

  async run(): Promise<CompileProgress> {
    const { config, limit, drain, sessions: asked } = this.#options;
    const { reader, dataset } = this.#parts;
    if (asked !== undefined) return await this.#compileThose(asked);
    // Enough to reach the limit though every known session comes first.
    const known = knownSessions(dataset, reader.source);
    const listed = limit + known.size;
    const { sessions, total } = await reader.listSessions({ minTurns: config['session.minTurns'], limit: listed });
    this.#progress.total = total;
    for (let begun = 0; sessions.length > 0 && begun < limit && !drain.aborted && this.#stopped === null; ) {
      const { sessionId, turns } = sessions.shift()!;
      const work = await this.#plan(sessionId, turns > (known.get(sessionId)?.turns ?? 0));
      if (work.length > 0) begun += 1;
      await this.#enqueue(work);
    }
    return await this.#finish();
  }

  async #compileThose(sessionIds: readonly string[]): Promise<CompileProgress> {
    const distinct = [...new Set(sessionIds)];
    this.#progress.total = distinct.length;
    for (const sessionId of distinct) {
      if (this.#options.drain.aborted || this.#stopped !== null) break;
      await this.#requireSession(sessionId);
      await this.#enqueue(await this.#plan(sessionId, true));
    }
    return await this.#finish();
  }

  async #requireSession(sessionId: string): Promise<void> {
    const { reader, dataset } = this.#parts;
    if (trajectoriesOf(dataset, reader.source, sessionId).length > 0) return;
    if ((await reader.readSession(sessionId)).length > 0) return;
    throw stop('no_such_session', `the table holds no session ${sessionId}: see \`extract\` for those that it holds`);
  }

  async #enqueue(work: readonly Trajectory[]): Promise<void> {
    this.#progress.sessions += 1;
    this.#options.onProgress(this.#progress);
    for (const trajectory of work) void this.#queue.add(() => this.#compile(trajectory));
    // Bodies wait in memory: no more of them than are about to be worked on.
    await this.#queue.onSizeLessThan(this.#queue.concurrency);
  }

  async #finish(): Promise<CompileProgress> {
    await this.#queue.onIdle();
    if (this.#stopped !== null) throw this.#stopped.error;
    return this.#progress;
  }

  /** What of a session this compiler has still to go over; its rows are read where there are any beyond the dataset's. */
  async #plan(sessionId: string, hasMore: boolean): Promise<Trajectory[]> {
    const { reader, journal, dataset, stage } = this.#parts;
    const { force, sessions: asked } = this.#options;
    const ids = trajectoriesOf(dataset, reader.source, sessionId);
    if (journal?.isInPipe(sessionId) === true || arrivingAmong(dataset, ids).size > 0) {
      this.#progress.notYet += 1;
      return [];
    }
    const done = force ? new Set<string>() : compiledAmong(dataset, ids, stage.version);
    if (asked !== undefined) for (const id of skippedAmong(dataset, ids)) done.delete(id);
    this.#progress.known += done.size;
    const again: Trajectory[] = [];
    for (const id of ids) if (!done.has(id)) again.push(await this.#readAgain(id));
    return hasMore ? [...again, ...(await this.#group(await reader.readSession(sessionId)))] : again;
  }

  /** What the dataset holds was redacted once: its placeholders would be taken for text that imitates some. */
  async #readAgain(id: string): Promise<Trajectory> {
    const { reader, digester, dataset } = this.#parts;
    const stored = storedTrajectory(dataset, id);
    return this.#options.config['redact.mode'] === 'off' ? stored : await withOriginalText(stored, reader, digester);
  }

  /** The trajectories of those turns that are in none so far. */
  async #group(turns: Turn[]): Promise<Trajectory[]> {
    const { reader, digester, dataset, snapshotAt } = this.#parts;
    const keys = turns.map(({ rowKey }) => rowKey);
    const known = rowsAmong(dataset, keys, reader.source);
    const rest = turns
      .filter(({ rowKey }) => !known.has(rowKey))
      .map((turn) => ({ ...turn, digest: digester.digestOf(turn) }));
    const rules = sessionRules(this.#options.config);
    const sealed: Trajectory[] = [];
    for await (const { standing, trajectory } of groupHistory(rest, { source: reader.source, rules, snapshotAt })) {
      if (standing === 'sealed') sealed.push(trajectory);
      else this.#progress.notYet += 1;
    }
    return sealed;
  }

  async #compile(trajectory: Trajectory): Promise<void> {
    const { stage } = this.#parts;
    const { drain, abort, force } = this.#options;
    try {
      const compile = () => stage.compileTrajectory(trajectory, abort, { force });
      const compiled = await this.#pauses.outlast(compile, AbortSignal.any([drain, abort]));
      const refused = await this.#write(compiled);
      this.#count(compiled);
      if (refused !== null) this.#countFailure(trajectory, refused);
    } catch (error) {
      if (!abort.aborted && !isUnfinishedPause(error, drain)) this.#countFailure(trajectory, error);
    }
    this.#options.onProgress(this.#progress);
  }

  /** What a mirror will never take does not keep it from the dataset; what it may take later does, until it has. */
  async #write(compiled: Compiled): Promise<unknown> {
    let refused: unknown = null;
    for (const sink of this.#parts.sinks) {
      try {
        await sink.write(compiled, this.#options.abort);
      } catch (error) {
        if (kindOf(error) !== 'park') throw error;
        refused ??= error;
      }
    }
    return refused;
  }

  #countFailure({ id }: Trajectory, error: unknown): void {
    // What only an operator can mend would fail for every session alike.
    if (kindOf(error) === 'stop') {
      this.#queue.clear();
      this.#stopped ??= { error };
      return;
    }
    const code = codeOf(error);
    this.#progress.failed[code] = (this.#progress.failed[code] ?? 0) + 1;
    this.#options.log.warn({ trajectory: id, code }, messageOf(error));
  }

  #count({ pairs, rejected }: Compiled): void {
    this.#progress.compiled += 1;
    this.#progress.pairs += pairs.length;
    this.#progress.rejected += rejected.length;
  }
}
