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

type History = NonNullable<ReturnType<NonNullable<Pipeline['capture']>['source']['status']>['history']>;

interface Figures {
  at: number;
  totals: Totals;
  lagBytes: number | null;
  history: History | null;
  waiting: number;
  inWork: number;
  paused: string | null;
}

async function readFigures(pipeline: Pipeline): Promise<Figures> {
  const lags = await pipeline.lags();
  const inWork = lags.reduce((sum, { lag }) => sum + lag.inWork, 0);
  const waiting = lags.reduce((sum, { lag }) => sum + lag.messages, 0);
  const totals = await totalsOf({ ...pipeline, lags: async () => lags });
  const { lagBytes = null, history = null } = pipeline.capture?.source.status() ?? {};
  const pause = pipeline.paused();
  const paused = pause === null ? null : `waiting for ${pause.code} until ${timeText(pause.until)}`;
  return { at: Date.now(), totals, lagBytes, history, waiting, inWork, paused };
}

/** `history 1,200 of about 9,000 rows (300/s, about 26 s left)`; without what can't be told. */
export function historyText({ rows, estimatedRows, startedAt }: History, at: number): string {
  const seconds = (at - startedAt) / 1000;
  const about = estimatedRows === null ? '' : ` of about ${count(estimatedRows)}`;
  if (rows === 0) return `history: waiting for the first row${about}`;
  const rate = seconds > 0 ? rows / seconds : 0;
  // The guess may be too low.
  const left = estimatedRows === null || rate === 0 ? 0 : (estimatedRows - rows) / rate;
  return `history ${count(rows)}${about} rows (${count(rate)}/s${left > 0 ? `, about ${timeLeft(left)} left` : ''})`;
}

function timeLeft(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  return seconds < 7200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}

/** `2026-03-02 00:00 UTC`. */
function timeText(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function statusText({ at, totals, lagBytes, history, waiting, inWork, paused }: Figures, before: Figures): string {
  const { capture, dataset, parked } = totals;
  const seconds = (at - before.at) / 1000;
  const figures: string[] = history === null ? [] : [historyText(history, at)];
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
  if (paused !== null) figures.push(paused);
  return figures.join(' · ');
}
