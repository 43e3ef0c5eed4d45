import { expect, test } from 'vitest';
import { lsnOf } from '../../src/stream/lsn.ts';
import { timings } from '../../src/stream/replication.ts';
import { tamperedSince } from '../../src/stream/tamper.ts';
import { committed, freshWatermark, probed, reached, slackMicros } from '../../src/stream/watermark.ts';

const second = 1_000_000;

test('the slack covers an asynchronous commit, and half a second at least', () => {
  expect(slackMicros(200)).toBe(800_000);
  expect(slackMicros(10)).toBe(500_000);
});

test('a commit advances it, the slack behind, and an earlier commit time never takes it back', () => {
  const mark = freshWatermark(second);
  committed(mark, 10 * second);
  expect(mark.at).toBe(9 * second);
  committed(mark, 10 * second - 300);
  expect(mark.at).toBe(9 * second);
});

test('a probe counts only once the stream has reached its position', () => {
  const mark = freshWatermark(second);
  probed(mark, { lsn: lsnOf(100n), at: 50 * second });
  reached(mark, lsnOf(99n));
  expect(mark.at).toBeNull();
  reached(mark, lsnOf(100n));
  expect(mark.at).toBe(49 * second);
});

test('while one probe is open a later one is not taken: it would move the goal for ever under load', () => {
  const mark = freshWatermark(second);
  probed(mark, { lsn: lsnOf(100n), at: 50 * second });
  probed(mark, { lsn: lsnOf(200n), at: 60 * second });
  reached(mark, lsnOf(150n));
  expect(mark.at).toBe(49 * second);
  expect(mark.probe).toBeNull();
});

test('the timings follow the server’s patience', () => {
  for (const patienceMs of [1_000, 2_000, 60_000]) {
    const { everyMs, deadMs } = timings(patienceMs);
    expect(everyMs / patienceMs).toBeGreaterThanOrEqual(0.6);
    expect(everyMs / patienceMs).toBeLessThanOrEqual(0.75);
    expect(deadMs).toBe(2 * patienceMs);
  }
  expect(timings(0)).toEqual(timings(60_000));
});

test('counters that went down were reset, and what they say now happened since', () => {
  const table = (updated: number, deleted: number) => [{ oid: '1', born: true, updated, deleted }];
  expect(tamperedSince(table(5, 7), table(6, 7))).toEqual({ updated: 1, deleted: 0 });
  expect(tamperedSince(table(5, 7), table(2, 0))).toEqual({ updated: 2, deleted: 0 });
});

test('what was done to a partition counts from when it became one, and leaves with it', () => {
  const attached = { oid: '1', born: false, updated: 5, deleted: 0 };
  const born = { oid: '2', born: true, updated: 3, deleted: 1 };
  expect(tamperedSince([], [attached, born])).toEqual({ updated: 3, deleted: 1 });
  expect(tamperedSince([attached, born], [attached])).toEqual({ updated: 0, deleted: 0 });
});
