import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AckWindow } from '../../src/topic/kafka/ack-window.ts';
import { createAges, searchAge } from '../../src/topic/kafka/age.ts';
import { Backlog } from '../../src/topic/kafka/backlog.ts';
import { entryOf } from '../../src/topic/kafka/entry.ts';
import { byPartition, notReadHere, oldestReadHere, unfinishedOf } from '../../src/topic/kafka/lag.ts';
import { Lane } from '../../src/topic/kafka/lane.ts';
import type { Committed } from '../../src/topic/kafka/offsets.ts';

const topics = { main: 'parcels', retry: 'parcels.g.retry' };
const day = 86_400_000;

function committed(base: number | null, bits: number[] = []): Committed {
  return { base, note: { holder: null, finished: Uint8Array.from(bits), begun: [] } };
}

/** Holds the partition from the offset on, and has read one message where it was published. */
function laneOf(partition: number, base: number, publishedAt: number | null): Lane {
  const lane = new Lane(partition, topics, 0);
  lane.main = new Backlog(topics.main, partition, new AckWindow(base));
  if (publishedAt === null) return lane;
  const about = { key: Buffer.from('a'), value: Buffer.alloc(1), headers: {}, attributes: 0 };
  lane.main.window.file(base);
  lane.main.add(entryOf(topics.main, partition, { ...about, offset: String(base), timestamp: String(publishedAt) }));
  return lane;
}

describe('how far behind a group on Kafka is', () => {
  const ranges = new Map([
    [1, { low: 5, high: 20 }],
    [0, { low: 0, high: 10 }],
  ]);

  it('is told by our windows where we work, and by the commits, with what is finished beyond them, elsewhere', () => {
    const commits = new Map([
      [0, committed(2, [0b10])],
      [1, committed(7)],
    ]);
    expect(unfinishedOf(topics.main, ranges, commits, [laneOf(1, 15, null)])).toEqual([
      { topic: topics.main, partition: 1, messages: 5, first: 15 },
      { topic: topics.main, partition: 0, messages: 7, first: 2 },
    ]);
  });

  it('is everything that is kept for a group that never committed, and nothing below zero', () => {
    const commits = new Map([
      [0, committed(99)],
      [1, committed(null)],
    ]);
    const counts = unfinishedOf(topics.main, ranges, commits, []).map(({ messages }) => messages);
    expect(counts).toEqual([15, 0]);
    expect(unfinishedOf(topics.main, ranges, undefined, []).map(({ messages }) => messages)).toEqual([15, 10]);
  });

  it('begins with the first message that is kept where earlier ones expired', () => {
    expect(unfinishedOf(topics.main, ranges, new Map([[1, committed(2)]]), [])[0]!.first).toBe(5);
  });

  it('is told by partition, in order, the retry topic with the topic', () => {
    const some = { topic: topics.retry, first: 0 };
    const unfinished = [
      ...unfinishedOf(topics.main, ranges, undefined, []),
      { ...some, partition: 0, messages: 3 },
      { ...some, partition: 1, messages: 0 },
    ];
    expect(byPartition(unfinished)).toEqual([
      { partition: 0, messages: 13 },
      { partition: 1, messages: 15 },
    ]);
  });

  it('has an age that is read here, but for partitions of others and what was not read yet', () => {
    const lanes = [laneOf(0, 2, 7_000), laneOf(1, 15, null)];
    const unfinished = unfinishedOf(topics.main, ranges, undefined, lanes);
    expect(oldestReadHere(lanes)).toBe(7_000);
    expect(oldestReadHere([])).toBeNull();
    expect(notReadHere(unfinished, lanes).map(({ partition }) => partition)).toEqual([1]);
    expect(notReadHere(unfinished, []).map(({ partition }) => partition)).toEqual([1, 0]);
    const finished = [laneOf(1, 20, null)];
    expect(notReadHere(unfinishedOf(topics.main, ranges, undefined, finished), finished)).toMatchObject([
      { partition: 0 },
    ]);
  });
});

describe('the search for an age', () => {
  it('finds any age from a second to years, and is never more than a tenth below it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1_000, max: 3_650 * day }), async (ageMs) => {
        let asked = 0;
        const found = await searchAge(async (olderThan) => {
          asked++;
          return ageMs > olderThan;
        });
        expect(found).toBeLessThanOrEqual(ageMs);
        expect(found).toBeGreaterThan(ageMs * 0.9);
        expect(asked).toBe(15);
      }),
    );
  });

  /** Partitions by the times of their messages; counts the questions. */
  function brokersOf(times: Record<string, number[][]>) {
    const brokers = { asked: 0, times };
    const admin = async () => ({
      fetchTopicOffsetsByTimestamp: async (topic: string, moment: number) => {
        brokers.asked++;
        return brokers.times[topic]!.map((written, partition) => {
          const first = written.findIndex((at) => at >= moment);
          return { partition, offset: String(first < 0 ? written.length : first) };
        });
      },
    });
    return { brokers, ages: createAges({ admin } as never) };
  }
  const now = 1_800_000_000_000;
  const place = (topic: string, partition: number, first: number, messages: number) => ({
    ...{ topic, partition, first, messages },
  });

  it('takes the oldest of all that waits, whichever topic and partition it is in', async () => {
    const { ages } = brokersOf({
      parcels: [[now - 9 * day, now - 60_000], [now - 5_000]],
      retry: [[], [now - day]],
    });
    const unfinished = [place('parcels', 0, 1, 1), place('parcels', 1, 0, 1), place('retry', 1, 0, 1)];
    const at = await ages.oldestOf([...unfinished, place('retry', 0, 0, 0)], now);
    expect(now - at!).toBeLessThanOrEqual(day);
    expect(now - at!).toBeGreaterThan(day * 0.9);
    expect(await ages.oldestOf(unfinished.slice(0, 2), now)).toBeGreaterThanOrEqual(now - 60_000);
  });

  it('asks nobody where nothing waits, nor again while nothing is finished', async () => {
    const { ages, brokers } = brokersOf({ parcels: [[now - day], []] });
    expect(await ages.oldestOf([place('parcels', 0, 1, 0), place('parcels', 1, 0, 0)], now)).toBeNull();
    expect(brokers.asked).toBe(0);
    const first = await ages.oldestOf([place('parcels', 0, 0, 1), place('parcels', 1, 0, 0)], now);
    const asked = brokers.asked;
    brokers.times.parcels![1]!.push(now + 1_000);
    const unfinished = [place('parcels', 0, 0, 1), place('parcels', 1, 0, 1)];
    expect(await ages.oldestOf(unfinished, now + 60_000)).toBe(first);
    expect(brokers.asked).toBe(asked);
    const next = await ages.oldestOf([place('parcels', 0, 1, 0), place('parcels', 1, 0, 1)], now + 60_000);
    expect(next).toBeGreaterThanOrEqual(now + 1_000);
  });
});
