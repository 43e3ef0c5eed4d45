/** How a running pipe stands, in one line and in gauges. */
import { count, usd } from '../dataset/figures.ts';
import type { Pipeline } from '../pipeline.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { type Totals, totalsOf } from '../totals.ts';
import { bytes } from './figures.ts';

const refreshMs = 500;

export interface RunStatus {
  text: () => string;
  stop: () => void;
}

/** Reads the figures twice a second, so that drawing the line costs nothing. */
export async function followStatus(pipeline: Pipeline, dataset: SqliteDatabase): Promise<RunStatus> {
  let before = await readFigures(pipeline, dataset);
  let latest = before;
  const timer = setInterval(async () => {
    const next = await readFigures(pipeline, dataset).catch(() => latest);
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
  inWork: number;
}

async function readFigures(pipeline: Pipeline, dataset: SqliteDatabase): Promise<Figures> {
  const inWork = (await pipeline.lags()).reduce((sum, { lag }) => sum + lag.inWork, 0);
  const totals = await totalsOf(pipeline, dataset);
  return { at: Date.now(), totals, lagBytes: pipeline.source.status().lagBytes, inWork };
}

function statusText({ at, totals, lagBytes, inWork }: Figures, before: Figures): string {
  const seconds = (at - before.at) / 1000;
  const rate = seconds > 0 ? (totals.rows - before.totals.rows) / seconds : 0;
  return [
    `rows ${count(totals.rows)} (${count(rate)}/s)`,
    `lag ${lagBytes === null ? '?' : bytes(Math.max(0, lagBytes))}`,
    `open ${count(totals.open)}`,
    `trajectories ${count(totals.trajectories)}`,
    `in work ${count(inWork)}`,
    `pairs ${count(totals.pairs)}`,
    `rejected ${count(totals.rejected)}`,
    ...(totals.parked > 0 ? [`parked ${count(totals.parked)}`] : []),
    usd(totals.costUsd),
  ].join(' · ');
}
