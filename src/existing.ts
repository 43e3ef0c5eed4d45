/** Working on sessions that are already in the table: read-only, without a slot, longest first. */
import { existsSync } from 'node:fs';
import PQueue from 'p-queue';
import type { CompileStage } from './compile/compile.ts';
import type { Config } from './config.ts';
import { knownSessions, rowsAmong } from './dataset/known.ts';
import { openDataset, openDatasetIfPresent } from './dataset/open.ts';
import { codeOf, kindOf, messageOf } from './errors.ts';
import { Releasers } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { type AuditReader, openAuditReader } from './postgres/rows.ts';
import type { Compiled, Micros, Trajectory, Turn } from './records.ts';
import { groupHistory } from './sessionizer/history.ts';
import { type JournalReader, openJournalReader } from './sessionizer/journal.ts';
import type { Sink } from './sinks/sink.ts';
import { openSqliteSink } from './sinks/sqlite.ts';
import type { SqliteDatabase } from './sqlite.ts';
import { filesOf, openCompileStage, sessionRules, tableSettings, urlOf } from './stages.ts';
import { currentTarget } from './stream/source.ts';

export interface ExistingSession {
  sessionId: string;
  agents: string[];
  turns: number;
  firstAt: string | null;
  lastAt: string | null;
  /** Turns of it that are in the dataset. */
  compiledTurns: number;
}

export interface ExistingSessions {
  /** Longest first. */
  sessions: ExistingSession[];
  /** All of at least `minTurns`, listed or not. */
  total: number;
  /** Of those listed, how many are in the dataset. */
  compiled: number;
  /** What a lower `minTurns` would add. */
  lower: { minTurns: number; sessions: number };
}

/** What there is to compile. @throws OperatorError where the table can't be read. */
export async function listExisting(config: Config, limit: number): Promise<ExistingSessions> {
  const minTurns = config['session.minTurns'];
  const lower = Math.max(2, Math.floor(minTurns / 2));
  const reader = await openReader(config);
  const dataset = openDatasetIfPresent(filesOf(config).dataset);
  try {
    const { sessions, total } = await reader.listSessions({ minTurns, limit });
    const more = await reader.listSessions({ minTurns: lower, limit: 0 });
    const known = dataset === null ? new Map() : knownSessions(dataset, reader.source);
    const listed = sessions.map((session) => ({ ...session, compiledTurns: known.get(session.sessionId)?.turns ?? 0 }));
    return {
      sessions: listed,
      total,
      compiled: listed.filter(({ compiledTurns }) => compiledTurns > 0).length,
      lower: { minTurns: lower, sessions: more.total - total },
    };
  } finally {
    dataset?.close();
    await reader.close();
  }
}

export interface CompileExistingOptions {
  config: Config;
  limit: number;
  /** Compile what is known too. */
  force: boolean;
  log: Logger;
  signal: AbortSignal;
  onProgress: (progress: CompileProgress) => void;
}

export interface CompileProgress {
  /** Sessions looked at, of `total`. */
  sessions: number;
  total: number;
  compiled: number;
  /** Trajectories that are in the dataset already. */
  known: number;
  /** Sessions, or rests of sessions, that are still running, too short, or in the pipe of this data directory. */
  notYet: number;
  /** Trajectories that could not be compiled, by the code of what was wrong. */
  failed: Record<string, number>;
  pairs: number;
  rejected: number;
  costUsd: number | null;
}

/**
 * Compiles sessions of the table into the dataset. A row belongs to one trajectory at most: what is in the dataset, or
 * in the pipe of this data directory, is left to it; `force` compiles what is in the dataset again.
 *
 * @throws OperatorError where the table can't be read, the dataset can't be written, or only an operator can help.
 */
export async function compileExisting(options: CompileExistingOptions): Promise<CompileProgress> {
  const releasers = new Releasers();
  try {
    const work = await ExistingWork.open(options, releasers);
    return await work.run();
  } finally {
    await releasers.unwind();
  }
}

class ExistingWork {
  readonly #options: CompileExistingOptions;
  readonly #parts: Parts;
  readonly progress: CompileProgress = {
    sessions: 0,
    total: 0,
    compiled: 0,
    known: 0,
    notYet: 0,
    failed: {},
    pairs: 0,
    rejected: 0,
    costUsd: 0,
  };

  constructor(options: CompileExistingOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  static async open(options: CompileExistingOptions, releasers: Releasers): Promise<ExistingWork> {
    const { config, log } = options;
    const files = filesOf(config);
    const { stage, calls } = openCompileStage(config, log);
    releasers.push('call store', () => calls.close());
    const reader = await openReader(config);
    releasers.push('reader', () => reader.close());
    const sink = openSqliteSink({ path: files.dataset, log });
    releasers.push('dataset', () => sink.close());
    const dataset = openDataset(files.dataset);
    releasers.push('dataset reader', () => void dataset.close());
    const journal = existsSync(files.journal) ? openJournalReader(files.journal) : null;
    releasers.push('journal', () => journal?.close());
    const { at } = await currentTarget(urlOf(config));
    return new ExistingWork(options, { reader, stage, sink, dataset, journal, snapshotAt: at });
  }

  async run(): Promise<CompileProgress> {
    const { config, limit, signal } = this.#options;
    const { sessions } = await this.#parts.reader.listSessions({ minTurns: config['session.minTurns'], limit });
    this.progress.total = sessions.length;
    const queue = new PQueue({ concurrency: config['compile.concurrency'] });
    await queue.addAll(
      sessions.map(({ sessionId }) => async () => {
        if (signal.aborted) return;
        await this.#session(sessionId);
        this.progress.sessions += 1;
        this.#options.onProgress(this.progress);
      }),
    );
    return this.progress;
  }

  async #session(sessionId: string): Promise<void> {
    const { reader, journal, snapshotAt } = this.#parts;
    if (journal?.isInPipe(sessionId) === true) {
      this.progress.notYet += 1;
      return;
    }
    const turns = await reader.readSession(sessionId);
    const rest = this.#options.force ? turns : this.#unknown(turns);
    if (rest.length === 0) this.progress.known += 1;
    const grouped = groupHistory(rest, {
      source: reader.source,
      rules: sessionRules(this.#options.config),
      snapshotAt,
    });
    for await (const { standing, trajectory } of grouped) {
      if (standing === 'sealed') await this.#compile(trajectory);
      else this.progress.notYet += 1;
    }
  }

  #unknown(turns: Turn[]): Turn[] {
    const known = rowsAmong(
      this.#parts.dataset,
      turns.map(({ rowKey }) => rowKey),
      this.#parts.reader.source,
    );
    return turns.filter(({ rowKey }) => !known.has(rowKey));
  }

  async #compile(trajectory: Trajectory): Promise<void> {
    const { stage, sink } = this.#parts;
    const { signal, force } = this.#options;
    try {
      const compiled = await stage.compileTrajectory(trajectory, signal, { force });
      await sink.write(compiled, signal);
      this.#count(compiled);
    } catch (error) {
      // What only an operator can mend would fail for every session alike.
      if (signal.aborted) return;
      if (kindOf(error) === 'stop') throw error;
      const code = codeOf(error);
      this.progress.failed[code] = (this.progress.failed[code] ?? 0) + 1;
      this.#options.log.warn({ trajectory: trajectory.id, code }, messageOf(error));
    }
  }

  #count({ pairs, rejected, calls }: Compiled): void {
    this.progress.compiled += 1;
    this.progress.pairs += pairs.length;
    this.progress.rejected += rejected.length;
    for (const { costUsd } of calls) {
      const { costUsd: sum } = this.progress;
      this.progress.costUsd = sum === null || costUsd === null ? null : sum + costUsd;
    }
  }
}

interface Parts {
  reader: AuditReader;
  stage: CompileStage;
  sink: Sink;
  dataset: SqliteDatabase;
  journal: JournalReader | null;
  snapshotAt: Micros;
}

async function openReader(config: Config): Promise<AuditReader> {
  return await openAuditReader({ url: urlOf(config), ...tableSettings(config) });
}
