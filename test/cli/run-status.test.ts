import { expect, test } from 'vitest';
import { historyText } from '../../src/cli/run-status.ts';

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
