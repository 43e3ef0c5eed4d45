import { expect, test } from 'vitest';
import { historyText, statusDetails, statusLine } from '../../src/cli/status-text.ts';
import type { InstanceStatus } from '../../src/instance/status.ts';

const text = (rows: number, estimatedRows: number | null, seconds: number) =>
  historyText({ rows, estimatedRows, startedAt: 0 }, seconds * 1000);

test('the line of history says rows, rate and time left, as far as they can be told', () => {
  expect(text(200_000, 2_000_000, 10)).toBe('history 200,000 of about 2,000,000 rows (20,000/s, about 90 s left)');
  expect(text(200_000, 200_000_000, 10)).toContain('about 3 h left');
  expect(text(0, 2_000_000, 10)).toBe('history: waiting for the first row of about 2,000,000');
  expect(text(50, null, 10)).toBe('history 50 rows (5/s)');
});

test('a guess that was too low promises no time', () => {
  expect(text(300, 200, 10)).toBe('history 300 of about 200 rows (30/s)');
});

const status = (more: Partial<InstanceStatus> = {}): InstanceStatus => ({
  spec: 'status/1',
  version: '0.1.0',
  pid: 42,
  roles: ['capture', 'compile', 'sink'],
  startedAt: '2026-03-02T08:00:00.000Z',
  at: '2026-03-02T09:00:00.000Z',
  capture: {
    connected: true,
    rows: 12_345,
    rowsPerSecond: 12.4,
    lagMs: 300,
    lagBytes: 2048,
    openSessions: 3,
    trajectories: 900,
    slot: { retainedBytes: 16 * 2 ** 20, safeBytes: null, walStatus: 'reserved' },
    history: null,
  },
  messages: { waiting: 5, inWork: 2, parked: 0 },
  dataset: { pairs: 1204, rejected: 85, costUsd: 3.5 },
  spending: [{ scope: 'day', period: '2026-03-02', limitUsd: 5, spentUsd: 0.42 }],
  paused: null,
  away: null,
  ...more,
});

test('the line says what an operator looks for, in this order', () => {
  expect(statusLine(status())).toBe(
    'rows 12,345 (12/s) · lag 0 s · open 3 · trajectories 900 · in flight 2 · pairs 1,204 · rejected 85 · today $0.4200 of $5.00',
  );
});

test('what is wrong stands in the line only while it is', () => {
  const capture = { ...status().capture!, lagMs: 90_500, lagBytes: 3 * 2 ** 20 };
  expect(statusLine(status({ capture }))).toContain('lag 91 s (3.0 MiB)');
  expect(statusLine(status({ capture: { ...capture, connected: false } }))).toContain('not connected · open');
  expect(statusLine(status({ messages: { waiting: 5, inWork: 0, parked: 7 } }))).toContain('parked 7');
  const paused = { code: 'budget_exhausted', message: 'the day’s budget is spent', until: '2026-03-03T00:00:00.000Z' };
  expect(statusLine(status({ paused }))).toContain('waiting for budget_exhausted until 2026-03-03 00:00 UTC');
  expect(statusDetails(status({ paused, away: 'the sink supabase is away: refused' }))).toEqual([
    'capture, compile, sink · process 42 · version 0.1.0 · since 2026-03-02 08:00 UTC',
    'the slot retains 16.0 MiB of WAL (reserved; no limit is set)',
    'spent this day (2026-03-02, UTC): $0.4200 of $5.00 (8 %)',
    'compiling waits until 2026-03-03 00:00 UTC: the day’s budget is spent',
    'away: the sink supabase is away: refused',
  ]);
});

test('a process that captures nothing tells what waits, and one without a cap what it cost', () => {
  const worker = status({ capture: null, roles: ['compile'], dataset: null, spending: [] });
  expect(statusLine(worker)).toBe('waiting 5 · in flight 2');
  expect(statusLine(status({ spending: [] }))).toContain('cost $3.50');
  expect(
    statusLine(status({ spending: [{ scope: 'day', period: '2026-03-02', limitUsd: null, spentUsd: 2 }] })),
  ).toMatch(/today \$2\.00$/);
});
