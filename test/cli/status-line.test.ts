import { expect, it } from 'vitest';
import { fitted } from '../../src/cli/status-line.ts';

const line = 'rows 1,200 (3/s) · lag 0 s · open 12 · pairs 1,024';

it.each([
  [60, line],
  [line.length, line],
  [line.length - 1, 'rows 1,200 (3/s) · lag 0 s · open 12 …'],
  [38, 'rows 1,200 (3/s) · lag 0 s · open 12 …'],
  [37, 'rows 1,200 (3/s) · lag 0 s …'],
  [10, 'rows 1,200'],
])('on %i columns a status line has whole figures alone, where one fits', (width, shown) => {
  expect(fitted(line, width)).toBe(shown);
  expect(shown.length).toBeLessThanOrEqual(Math.max(width, 10));
});
