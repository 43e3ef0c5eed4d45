/**
 * Capture as fast as Postgres can send: our whole process with journal, fsync and confirmation against `pg_recvlogical`
 * writing to nothing, over the same WAL and the same transport, in alternating pairs. Then memory and time where there
 * is much: of open sessions, of rows in one transaction, of history; how soon an ended session is on the topic; and what
 * metrics that are scraped cost.
 *
 *     npm run bench:capture -- [--part pairs|sessions|delay|long|metrics]… [--transaction 1000|1]… [--short] [--json]
 *                              [--rows 200000] [--pairs 5] [--seconds 10] [--rounds 9]
 *
 * Ends with code 1 where a goal was missed. It needs `pg_recvlogical` of Debian's postgresql-client, and Linux (/proc).
 */
import { parseArgs } from 'node:util';
import { measureDelay } from './capture/delay.ts';
import { captureHistory, captureLongTransaction } from './capture/long.ts';
import { measureOverhead, type Spread } from './capture/overhead.ts';
import { measurePairs, type PairsResult } from './capture/pairs.ts';
import { build, findPgRecvlogical } from './capture/readers.ts';
import { measureSessions } from './capture/sessions.ts';

const goals = {
  ratios: [
    { perTransaction: 1000, least: 0.6 },
    { perTransaction: 1, least: 0.8 },
  ] as const,
  peakBytes: 300 * 2 ** 20,
  sessionsMiB: 700,
  reopenMs: 15_000,
  delayMs: 2000,
  metricsOverhead: 1.02,
};

const { values } = parseArgs({
  options: {
    part: { type: 'string', multiple: true, default: ['pairs', 'sessions', 'delay', 'long', 'metrics'] },
    transaction: { type: 'string', multiple: true, default: ['1000', '1'] },
    short: { type: 'boolean', default: false },
    rows: { type: 'string' },
    pairs: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
/** A short run shows that everything works; its figures say little. */
const size = values.short
  ? {
      rows: 20_000,
      pairs: 1,
      seconds: 0,
      open: 20_000,
      closed: 40_000,
      delaySeconds: 5,
      long: 50_000,
      history: 50_000,
      metered: 100_000,
      rounds: 1,
    }
  : {
      rows: 200_000,
      pairs: 5,
      seconds: 10,
      open: 1e6,
      closed: 2e6,
      delaySeconds: 60,
      long: 1e6,
      history: 2e6,
      metered: 200_000,
      rounds: 9,
    };

const parts: Record<string, () => unknown> = {
  pairs: comparePairs,
  sessions: holdSessions,
  delay: timeDelay,
  long: holdLong,
  metrics: weighMetrics,
};
const results: Record<string, unknown> = {};
const missed: string[] = [];
const built = build();
try {
  for (const part of values.part) {
    const run = parts[part];
    if (run === undefined) throw new Error(`no part ${part}: ${Object.keys(parts).join(', ')}`);
    results[part] = await run();
  }
} finally {
  built.remove();
}
if (values.json) process.stdout.write(`${JSON.stringify({ ...results, missed })}\n`);
for (const goal of missed) say(`MISSED: ${goal}`);
process.exitCode = missed.length === 0 ? 0 : 1;

async function comparePairs(): Promise<PairsResult[]> {
  const all: PairsResult[] = [];
  for (const { perTransaction, least } of goals.ratios) {
    if (!values.transaction.includes(String(perTransaction))) continue;
    const result = await measurePairs({
      perTransaction,
      rows: Number(values.rows ?? size.rows),
      pairs: Number(values.pairs ?? size.pairs),
      seconds: Number(values.seconds ?? size.seconds),
      pgRecvlogical: findPgRecvlogical(),
      built,
      say,
    });
    all.push(result);
    tellPairs(result);
    const what = `transactions of ${perTransaction}`;
    expectThat(result.ratio >= least, `${what}: ratio ${result.ratio.toFixed(3)}, wanted ${least}`);
    expectThat(result.peakBytes <= goals.peakBytes, `${what}: peak memory ${mebibytes(result.peakBytes)}, wanted 300`);
  }
  return all;
}

function tellPairs(result: PairsResult): void {
  const rates = `pg_recvlogical ${Math.round(result.limitRowsPerSecond)} rows/s, capture ${Math.round(result.captureRowsPerSecond)} rows/s confirmed`;
  const stages = Object.entries(result.cpuUsPerRowByStage).map(([stage, us]) => `${stage} ${us.toFixed(2)}`);
  tell(
    `transactions of ${result.perTransaction}: ${rates}, median of ${result.pairs.length} paired ratios ${result.ratio.toFixed(3)}; ${result.cpuUsPerRow.toFixed(1)} µs CPU a row, peak ${mebibytes(result.peakBytes)}`,
  );
  tell(`  µs a row by stage, of a profile that counts waiting for the disk too: ${stages.join(', ')}`);
}

function holdSessions() {
  const report = measureSessions(size.open, size.closed);
  tell(
    `${report.openSessions} open sessions after ${report.closedRows} rows of closed ones: ${report.peakRssMiB.toFixed(0)} MiB at most, opened again in ${(report.reopenMs / 1000).toFixed(1)} s, file ${report.fileMiB.toFixed(0)} MiB`,
  );
  const perRow = Object.entries(report.cpuPerRow).map(([open, us]) => `${us.toFixed(1)} at ${open}`);
  tell(`  µs CPU a row by open sessions: ${perRow.join(', ')}`);
  expectThat(report.peakRssMiB <= goals.sessionsMiB, `open sessions: ${report.peakRssMiB.toFixed(0)} MiB, wanted 700`);
  expectThat(report.reopenMs <= goals.reopenMs, `open sessions: opened again in ${report.reopenMs} ms, wanted 15000`);
  return report;
}

async function timeDelay() {
  const result = await measureDelay(built, size.delaySeconds);
  const { rowsPerSecond, sessions, p50Ms, p99Ms } = result;
  tell(
    `${sessions} sessions at ${rowsPerSecond} rows/s: on the topic p50 ${Math.round(p50Ms)} ms, p99 ${Math.round(p99Ms)} ms after the idle timeout`,
  );
  expectThat(p99Ms <= goals.delayMs, `delay: p99 ${Math.round(p99Ms)} ms, wanted ${goals.delayMs}`);
  return result;
}

async function holdLong() {
  const all = [await captureLongTransaction(built, size.long), await captureHistory(built, size.history)];
  for (const { what, seconds, peakBytes } of all) {
    tell(`${what}, in a heap of 256 MB: ${seconds.toFixed(0)} s, peak ${mebibytes(peakBytes)}`);
    expectThat(peakBytes <= goals.peakBytes, `${what}: peak memory ${mebibytes(peakBytes)}, wanted 300`);
  }
  return all;
}

async function weighMetrics() {
  const result = await measureOverhead({
    rows: Number(values.rows ?? size.metered),
    rounds: Number(values.rounds ?? size.rounds),
    say,
  });
  const percent = (ratio: number) => `${((ratio - 1) * 100).toFixed(2)} %`;
  const spread = ({ median, least, most }: Spread) => `${percent(median)} (${percent(least)} to ${percent(most)})`;
  tell(
    `metrics, scraped every second: ${spread(result.cpu)} more CPU, ${spread(result.time)} more time; medians of ${result.rounds.length} paired rounds of ${result.rows} rows; not counted, with page faults on one side alone: ${result.unlike.on} rounds with metrics, ${result.unlike.off} without`,
  );
  const overhead = result.cpu.median;
  expectThat(overhead <= goals.metricsOverhead, `metrics: ${percent(overhead)} more CPU, wanted at most 2 %`);
  return result;
}

function expectThat(met: boolean, sentence: string): void {
  if (!met) missed.push(sentence);
}

function say(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

function tell(line: string): void {
  (values.json ? process.stderr : process.stdout).write(`${line}\n`);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
