/** Sessions whose text is read for an estimate: of a long log some, of a file all. */
import type { CoverageRules } from '../compile/coverage/coverage.ts';
import { openCoverage } from '../compile/coverage/sqlite.ts';
import type { Config } from '../config.ts';
import { type LogReader, openLog } from '../existing-log.ts';
import type { Logger } from '../log.ts';
import type { Trajectory } from '../records.ts';
import { groupHistory } from '../sessionizer/history.ts';
import { sessionRules } from '../stages.ts';
import { recordedTrajectories } from './recorded-rows.ts';
import { type MeasuredSegment, segmentSizes } from './sizes.ts';

/** Enough for an average that holds, few enough to be read while somebody waits. */
const maxSampledSessions = 300;

export interface Sample {
  of: 'log' | 'file';
  sessions: number;
  sampledSessions: number;
  turns: number;
  /** What the sampled ones are to be multiplied by. */
  scale: number;
  segments: MeasuredSegment[];
}

/** @throws OperatorError where the table can't be read. */
export async function sampleLog(config: Config, log: Logger): Promise<Sample> {
  const { reader, readClock } = await openLog(config, log);
  try {
    const minTurns = config['session.minTurns'];
    const { total } = await reader.listSessions({ minTurns, limit: 0 });
    const { sessions } = await reader.listSessions({ minTurns, limit: total });
    const sampled = everyNth(sessions, maxSampledSessions);
    const byEnd = sampled.toSorted((a, b) => ((a.lastAt ?? '') < (b.lastAt ?? '') ? -1 : 1));
    const read = turnsIn(sampled);
    const turns = turnsIn(sessions);
    const scale = read === 0 ? 1 : turns / read;
    const snapshotAt = await readClock();
    const trajectories = existingTrajectories(config, reader, snapshotAt, byEnd);
    const segments = await sizesOf(config, trajectories, scale);
    return { of: 'log', sessions: sessions.length, sampledSessions: sampled.length, turns, scale, segments };
  } finally {
    await reader.close();
  }
}

/** @throws OperatorError where the file can't be read. */
export async function sampleFile(config: Config, file: string): Promise<Sample> {
  const { sessions, trajectories } = await recordedTrajectories(file, sessionRules(config));
  const turns = trajectories.reduce((sum, trajectory) => sum + trajectory.turns.length, 0);
  const segments = await sizesOf(config, trajectories, 1);
  return { of: 'file', sessions, sampledSessions: sessions, turns, scale: 1, segments };
}

/** With coverage in memory; of a sample fewer make the first ones of a shape. */
async function sizesOf(
  config: Config,
  trajectories: AsyncIterable<Trajectory> | Iterable<Trajectory>,
  scale: number,
): Promise<MeasuredSegment[]> {
  const rules: CoverageRules = {
    first: Math.max(1, Math.round(config['coverage.first'] / scale)),
    oneIn: config['coverage.oneIn'],
    windowMs: config['coverage.window'],
  };
  const coverage = openCoverage({ path: ':memory:', ...rules });
  try {
    return await segmentSizes(trajectories, { windowTokens: config['compile.windowTokens'], coverage });
  } finally {
    await coverage.close();
  }
}

/** What capture would have made of these sessions so far; what is open still counts as it is. */
export async function* existingTrajectories(
  config: Config,
  reader: LogReader,
  snapshotAt: number,
  sessions: readonly { sessionId: string }[],
): AsyncGenerator<Trajectory> {
  const options = { source: reader.source, rules: sessionRules(config), snapshotAt };
  for (const { sessionId } of sessions) {
    for await (const { standing, trajectory } of groupHistory(await reader.readSession(sessionId), options)) {
      if (standing === 'sealed' || standing === 'open') yield trajectory;
    }
  }
}

export const turnsIn = (sessions: readonly { turns: number }[]) => sessions.reduce((sum, { turns }) => sum + turns, 0);

/** At most so many of a list, spread evenly over it. */
export function everyNth<T>(all: readonly T[], most: number): T[] {
  const step = Math.max(1, all.length / most);
  return Array.from({ length: Math.min(all.length, most) }, (_, nth) => all[Math.floor(nth * step)]!);
}
