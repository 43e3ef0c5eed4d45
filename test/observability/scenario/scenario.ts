/** Load and faults, from an empty log to a dataset at rest, while Prometheus looks on. */
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
const patienceMs = 120_000;

export async function playScenario(): Promise<Scenario> {
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
  const untilSeen = (...conditions: string[]) =>
    until(conditions.join(' and '), () => hold(prometheus, conditions), patienceMs);
  const untilAtRest = (rows: number) =>
    untilSeen(
      `sum(tc_source_rows_total) == ${rows}`,
      // Both were scraped, and all the time.
      'sum(min_over_time(up[3s])) == 2',
      'sum(tc_sessions_open) + sum(tc_outbox_depth) == 0',
      // Processes are scraped one after the other: what passes from one to the other is seen by the next scrape.
      'sum(max_over_time(tc_topic_depth[3s])) == 0',
    );

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
  await untilAtRest(first.length);
  const second = sessionsOf(secondWave, 100);
  await pipeline.append(second);
  await untilAtRest(first.length + second.length);
  await untilSeen('sum(tc_source_append_only_violations_total) > 0');
  return [...first, ...second];
}

async function hold(prometheus: TestPrometheus, conditions: readonly string[]): Promise<boolean> {
  const met = await Promise.all(conditions.map((condition) => prometheus.query(condition)));
  return met.every((samples) => samples.length > 0);
}

function sessionsOf(wave: Partial<Record<Lane, number>>, from: number): LoggedRow[] {
  return Object.entries(wave).flatMap(([lane, count]) =>
    Array.from({ length: count }, (_, nth) => rowsOf(parcelOf(lane as Lane, from + nth))).flat(),
  );
}
