/** Load and faults, from an empty log to a dataset at rest, while Prometheus looks on. */
import { join } from 'node:path';
import { pause } from '../../../src/lifecycle.ts';
import { countIn } from '../../e2e/pipe.ts';
import { until } from '../../support/capture.ts';
import type { TestPrometheus } from '../../support/prometheus.ts';
import { type Lane, parcelOf, rowsOf } from './parcels.ts';
import { type ScrapedPipeline, startPipeline } from './pipeline.ts';
import { type LoggedRow, recordedRows } from './recordings.ts';
import { startServer } from './server.ts';

export interface Scenario {
  pipeline: ScrapedPipeline;
  prometheus: TestPrometheus;
  /** Everything that was appended to the log. */
  rows: readonly LoggedRow[];
  begun: Date;
  stop(): Promise<void>;
}

/** Sessions of each kind: at first, and in a second wave, since a series that begins with its first event has no rate. */
const firstWave: Partial<Record<Lane, number>> = {
  passes: 14,
  easy: 2,
  unsupported: 2,
  refused: 2,
  parked: 1,
  unreadable: 1,
  patient: 1,
};
const secondWave: Partial<Record<Lane, number>> = { passes: 6, easy: 2, unsupported: 2, refused: 2, unreadable: 1 };
const parkedAgent = 'depot-parked';
/** The default of session.minTurns. */
const minTurns = 10;
const patienceMs = 120_000;

/** Before the third minute of a day (UTC) nothing is projected: a scenario that lay before it would see no figure. */
const silentMs = 120_000;
const dayMs = 86_400_000;

export async function playScenario(): Promise<Scenario> {
  await pause(Math.max(0, silentMs - (Date.now() % dayMs)));
  const begun = new Date();
  const pipeline = await startPipeline();
  let prometheus: TestPrometheus | undefined;
  const stop = async () => {
    await prometheus?.stop();
    await pipeline.stop();
  };
  try {
    prometheus = await startServer(pipeline.targets);
    const rows = await play(pipeline, prometheus);
    return { pipeline, prometheus, rows, begun, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function play(pipeline: ScrapedPipeline, prometheus: TestPrometheus): Promise<LoggedRow[]> {
  /** All at the same moment. */
  const untilSeen = (...conditions: string[]) => {
    const all = conditions.map((condition) => `(${condition})`).join(' and on () ');
    return until(all, async () => (await prometheus.query(all)).length > 0, patienceMs);
  };
  const untilAtRest = async (rows: readonly LoggedRow[]) => {
    const due = dueTrajectories(rows);
    const done = () => countIn(join(pipeline.dataDir, 'qa_pairs.sqlite'), 'SELECT count(*) FROM trajectories');
    await until(`${due} trajectories in the dataset`, () => done() === due, patienceMs);
    await untilSeen(
      `min(timestamp(up)) > ${Date.now() / 1000}`,
      'sum(up) == 2',
      `sum(tc_source_rows_total) == ${rows.length}`,
      'sum(tc_topic_depth) == 0',
    );
  };

  await untilSeen('min(tc_source_connected) == 1', 'sum(up) == 2');
  const mirrorFailed = pipeline.failMirror();
  const first = [...recordedRows(), ...sessionsOf(firstWave, 1)];
  const resume = await pipeline.stall();
  try {
    await pipeline.append(first);
    await untilSeen('max(tc_source_lag_seconds) > 1', 'max(tc_source_lag_bytes) > 0');
  } finally {
    resume();
  }
  await untilSeen(`sum(tc_source_rows_total) == ${first.length}`);
  await pipeline.disconnect();
  await pipeline.tamper();
  await mirrorFailed;
  await untilSeen('sum(tc_source_reconnects_total) > 0');
  await untilAtRest(first);
  const second = sessionsOf(secondWave, 100);
  await pipeline.append(second);
  await untilAtRest([...first, ...second]);
  await untilSeen('sum(tc_source_append_only_violations_total) > 0');
  return [...first, ...second];
}

/** Sessions that are long enough, apart from those that become dead letters. */
function dueTrajectories(rows: readonly LoggedRow[]): number {
  const turns = new Map<string, number>();
  for (const { session_id: id, agent } of rows) if (agent !== parkedAgent) turns.set(id, (turns.get(id) ?? 0) + 1);
  return [...turns.values()].filter((count) => count >= minTurns).length;
}

function sessionsOf(wave: Partial<Record<Lane, number>>, from: number): LoggedRow[] {
  return Object.entries(wave).flatMap(([lane, count]) =>
    Array.from({ length: count }, (_, nth) => rowsOf(parcelOf(lane as Lane, from + nth))).flat(),
  );
}
