import { expect, test } from 'vitest';
import { partsBy, partsText } from '../../src/init/session-preview.ts';

const minute = 60_000;
const rows = [
  ...[0, 1, 2, 30, 31].map((at) => ({ session: 'a', at: at * minute })),
  ...[5, 4].map((at) => ({ session: 'b', at: at * minute })),
];

test('a longer pause than the timeout begins another part of its session', () => {
  expect(partsBy(rows, 10 * minute)).toEqual([3, 2, 2]);
  expect(partsBy(rows, 28 * minute)).toEqual([5, 2]);
  expect(partsBy([], minute)).toEqual([]);
});

test('the parts are told with how many of them are long enough', () => {
  expect(partsText([3, 2, 2], 3)).toBe('3 parts, 1 with at least 3 turns');
  expect(partsText([12], 3)).toBe('1 part, 1 with at least 3 turns');
});
