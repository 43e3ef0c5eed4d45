/** How a running pipe stands, in one line and in gauges. */
import { count, usd } from '../dataset/figures.ts';
import type { Pipeline } from '../pipeline.ts';
import { type Totals, totalsOf } from '../totals.ts';
import { bytes } from './figures.ts';

/** Over Kafka each reading asks the brokers: no more often than somebody looks. */
const refreshMs = process.stderr.isTTY === true ? 1000 : 5000;

export interface RunStatus {
  text: () => string;
  stop: () => void;
}

/** Reads the figures now and then, so that drawing the line costs nothing. */
export async function followStatus(pipeline: Pipeline): Promise<RunStatus> {
  let before = await readFigures(pipeline);
  let latest = before;
  let reading = false;
  const timer = setInterval(async () => {
    if (reading) return;
    reading = true;
    const next = await readFigures(pipeline).catch(() => latest);
    reading = false;
    if (next.at - before.at > 2000) before = latest;
    latest = next;
  }, refreshMs);
  timer.unref();
  return { text: () => statusText(latest, before), stop: () => clearInterval(timer) };
}

interface Figures {
  at: number;
  totals: Totals;
  lagBytes: number | null;
  waiting: number;
  inWork: number;
}

async function readFigures(pipeline: Pipeline): Promise<Figures> {
  const lags = await pipeline.lags();
  const inWork = lags.reduce((sum, { lag }) => sum + lag.inWork, 0);
  const waiting = lags.reduce((sum, { lag }) => sum + lag.messages, 0);
  const totals = await totalsOf({ ...pipeline, lags: async () => lags });
  return { at: Date.now(), totals, lagBytes: pipeline.capture?.source.status().lagBytes ?? null, waiting, inWork };
}

function statusText({ at, totals, lagBytes, waiting, inWork }: Figures, before: Figures): string {
  const { capture, dataset, parked } = totals;
  const seconds = (at - before.at) / 1000;
  const figures: string[] = [];
  if (capture !== undefined) {
    const rate = seconds > 0 ? (capture.rows - (before.totals.capture?.rows ?? 0)) / seconds : 0;
    figures.push(
      `rows ${count(capture.rows)} (${count(rate)}/s)`,
      `lag ${lagBytes === null ? '?' : bytes(Math.max(0, lagBytes))}`,
      `open ${count(capture.open)}`,
      `trajectories ${count(capture.trajectories)}`,
    );
  }
  figures.push(...(capture === undefined ? [`waiting ${count(waiting)}`] : []), `in work ${count(inWork)}`);
  if (dataset !== undefined) figures.push(`pairs ${count(dataset.pairs)}`, `rejected ${count(dataset.rejected)}`);
  if (parked > 0) figures.push(`parked ${count(parked)}`);
  if (dataset !== undefined) figures.push(usd(dataset.costUsd));
  return figures.join(' · ');
}
