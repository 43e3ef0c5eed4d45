/** How a running process stands, as a person reads it. */
import { count, usd } from '../dataset/figures.ts';
import type { InstanceStatus } from '../instance/status.ts';
import { bytes } from './figures.ts';

type Capture = NonNullable<InstanceStatus['capture']>;

/** One line, what matters most first: a terminal may cut its end. */
export function statusLine(status: InstanceStatus): string {
  const { capture, messages, dataset, paused } = status;
  const figures: string[] = [];
  if (capture?.history) figures.push(historyText(capture.history, Date.parse(status.at)));
  if (capture !== null) {
    figures.push(
      `rows ${count(capture.rows)} (${count(capture.rowsPerSecond)}/s)`,
      capture.connected ? `lag ${lagText(capture)}` : 'not connected',
      `open ${count(capture.openSessions)}`,
      `trajectories ${count(capture.trajectories)}`,
    );
  } else figures.push(`waiting ${count(messages.waiting)}`);
  figures.push(`in flight ${count(messages.inWork)}`);
  if (dataset !== null) figures.push(`pairs ${count(dataset.pairs)}`, `rejected ${count(dataset.rejected)}`);
  if (messages.parked > 0) figures.push(`parked ${count(messages.parked)}`);
  const cost = costText(status);
  if (cost !== null) figures.push(cost);
  if (paused !== null) figures.push(`waiting for ${paused.code} until ${timeText(paused.until)}`);
  return figures.join(' · ');
}

/** What a line has no room for. */
export function statusDetails({ version, pid, roles, startedAt, capture, spending, paused, away }: InstanceStatus) {
  const lines = [`${roles.join(', ')} · process ${pid} · version ${version} · since ${timeText(startedAt)}`];
  if (capture !== null) {
    const { retainedBytes, safeBytes, walStatus } = capture.slot;
    const safe =
      safeBytes === null ? 'no limit is set' : `${bytes(safeBytes)} more may be written before it can be lost`;
    lines.push(`the slot retains ${bytes(retainedBytes)} of WAL (${walStatus}; ${safe})`);
  }
  for (const { scope, period, limitUsd, spentUsd } of spending) {
    lines.push(
      `spent this ${scope} (${period}, UTC): ${spentText(spentUsd, limitUsd)}${shareText(spentUsd, limitUsd)}`,
    );
  }
  if (paused !== null) lines.push(`compiling waits until ${timeText(paused.until)}: ${paused.message}`);
  for (const line of away?.split('\n') ?? []) lines.push(`away: ${line}`);
  return lines;
}

/** Behind by time where that is known; bytes say more while a backlog is read. */
function lagText({ lagMs, lagBytes }: Capture): string {
  if (lagMs === null) return lagBytes === null ? '?' : bytes(lagBytes);
  if (lagMs < 1000) return '0 s';
  return `${timeLeft(lagMs / 1000)}${lagBytes === null ? '' : ` (${bytes(lagBytes)})`}`;
}

function costText({ spending, dataset }: InstanceStatus): string | null {
  const today = spending.find(({ scope }) => scope === 'day');
  if (today !== undefined) return `today ${spentText(today.spentUsd, today.limitUsd)}`;
  return dataset === null ? null : `cost ${usd(dataset.costUsd)}`;
}

function spentText(spentUsd: number, limitUsd: number | null): string {
  return limitUsd === null ? usd(spentUsd) : `${usd(spentUsd)} of ${usd(limitUsd)}`;
}

function shareText(spentUsd: number, limitUsd: number | null): string {
  return limitUsd === null || limitUsd === 0 ? '' : ` (${((100 * spentUsd) / limitUsd).toFixed(0)} %)`;
}

/** `history 1,200 of about 9,000 rows (300/s, about 26 s left)`; without what can't be told. */
export function historyText({ rows, estimatedRows, startedAt }: NonNullable<Capture['history']>, at: number): string {
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
function timeText(at: string): string {
  return `${at.slice(0, 16).replace('T', ' ')} UTC`;
}
