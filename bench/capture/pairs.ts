/** Pairs of passes over the same WAL, one reader after the other, so that what else the machine does falls on both. */
import { join } from 'node:path';
import { type RowSum, refuseOther, rowsOfJournal, rowsOfTable } from './held-rows.ts';
import { inNewDir } from './in-new-dir.ts';
import { type AuditLog, startAuditLog, type TransactionRows } from './log-server.ts';
import { type Pass, type Reader, timePass } from './pass.ts';
import { type Built, ourCapture, pgRecvlogical } from './readers.ts';
import { cpuByStage } from './stages.ts';

export interface PairsOptions {
  perTransaction: TransactionRows;
  /** The least that a log holds; it grows until a pass of the limit takes `seconds`. */
  rows: number;
  pairs: number;
  seconds: number;
  pgRecvlogical: string;
  built: Built;
  say(sentence: string): void;
}

export interface PairsResult {
  perTransaction: number;
  rows: number;
  pairs: { limit: Pass; capture: Pass; ratio: number }[];
  /** Medians. */
  limitRowsPerSecond: number;
  captureRowsPerSecond: number;
  ratio: number;
  cpuUsPerRow: number;
  /** The highest of all passes. */
  peakBytes: number;
  /** Of a further pass under the profiler, which costs some itself. */
  cpuUsPerRowByStage: Record<string, number>;
}

export async function measurePairs(options: PairsOptions): Promise<PairsResult> {
  const log = await startAuditLog();
  try {
    const end = await fillForSeconds(log, options);
    const expected = await rowsOfTable(log);
    const pairs: PairsResult['pairs'] = [];
    for (let i = 0; i < options.pairs; i++) {
      const limit = await passOf(log, (slot) => pgRecvlogical(options.pgRecvlogical, log.url, slot, end), end);
      const capture = await captureOnce(log, options, end, expected);
      pairs.push({ limit, capture, ratio: capture.rowsPerSecond / limit.rowsPerSecond });
      options.say(`pair ${i + 1}: ${sentenceOf(limit)} against ${sentenceOf(capture)}: ${pairs[i]!.ratio.toFixed(3)}`);
    }
    return {
      perTransaction: options.perTransaction,
      rows: log.rows,
      pairs,
      limitRowsPerSecond: median(pairs.map(({ limit }) => limit.rowsPerSecond)),
      captureRowsPerSecond: median(pairs.map(({ capture }) => capture.rowsPerSecond)),
      ratio: median(pairs.map(({ ratio }) => ratio)),
      cpuUsPerRow: median(pairs.map(({ capture }) => capture.cpuUsPerRow)),
      peakBytes: Math.max(...pairs.map(({ capture }) => capture.peakBytes)),
      cpuUsPerRowByStage: await profileOnce(log, options, end),
    };
  } finally {
    await log.stop();
  }
}

/** Returns where the WAL ends. A first, short pass says how many rows a pass of `seconds` needs. */
async function fillForSeconds(log: AuditLog, options: PairsOptions): Promise<string> {
  await log.fill(options.rows, options.perTransaction);
  const limit = async () => {
    const end = await log.end();
    return { end, pass: await passOf(log, (slot) => pgRecvlogical(options.pgRecvlogical, log.url, slot, end), end) };
  };
  const first = await limit();
  const missing = Math.ceil((first.pass.rowsPerSecond * options.seconds * 1.1 - log.rows) / 10_000) * 10_000;
  if (missing > 0) await log.fill(missing, options.perTransaction);
  options.say(`${log.rows} rows in transactions of ${options.perTransaction}, about ${options.seconds} s a pass`);
  return log.end();
}

async function passOf(log: AuditLog, reader: (slot: string) => Reader, end: string): Promise<Pass> {
  const slot = await log.newSlot();
  try {
    return await timePass(log, slot, end, reader(slot));
  } finally {
    await log.dropSlot(slot);
  }
}

/** @throws Error where the journal does not hold the very rows of the table. */
async function captureOnce(log: AuditLog, { built }: PairsOptions, end: string, expected: RowSum): Promise<Pass> {
  return inNewDir(async (dataDir) => {
    const pass = await passOf(log, (slot) => ourCapture(built, { url: log.url, slot, dataDir }), end);
    refuseOther(expected, rowsOfJournal(dataDir));
    return pass;
  });
}

function profileOnce(log: AuditLog, { built }: PairsOptions, end: string): Promise<Record<string, number>> {
  return inNewDir(async (dataDir) => {
    const profiles = join(dataDir, 'profiles');
    const flags = ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
    await passOf(log, (slot) => ourCapture(built, { url: log.url, slot, dataDir, flags }), end);
    const spent = Object.entries(cpuByStage(profiles)).map(([stage, us]) => [stage, us / log.rows] as const);
    return Object.fromEntries(spent.sort((a, b) => b[1] - a[1]));
  });
}

function sentenceOf({ rowsPerSecond, ms }: Pass): string {
  return `${Math.round(rowsPerSecond)} rows/s (${(ms / 1000).toFixed(1)} s)`;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
