/**
 * How old messages are that nobody here reads. For any moment the brokers tell which offset came first after it, so a
 * search over moments finds the age of an offset, and no message is fetched.
 */
import type { KafkaCluster } from './client.ts';
import type { Unfinished } from './lag.ts';
import { readOffsetsAt } from './offsets.ts';

export interface Ages {
  /** When the oldest of the unfinished messages was written, in milliseconds since 1970; null where there are none. */
  oldestOf(unfinished: readonly Unfinished[], now: number): Promise<number | null>;
}

const shortestMs = 1_000;
const longestMs = 10 * 365 * 86_400_000;
// Each round leaves the sixth root of what was between the bounds: after three they are a tenth apart.
const rounds = 3;
const momentsAtOnce = 5;

/** For one group, which is asked for again and again. */
export function createAges(cluster: Pick<KafkaCluster, 'admin'>): Ages {
  let found = { where: '', at: 0 };
  return {
    async oldestOf(unfinished, now) {
      const waiting = unfinished.filter(({ messages }) => messages > 0);
      if (waiting.length === 0) return null;
      // While nothing is finished the oldest stays the oldest: a group that is away costs one search.
      const where = JSON.stringify(unfinished.map(({ topic, partition, first }) => [topic, partition, first]));
      if (where === found.where) return found.at;
      found = { where, at: now - (await searchAge((ageMs) => anyBefore(cluster, waiting, now - ageMs))) };
      return found.at;
    },
  };
}

/** The age of which `isOlder` tells, in milliseconds: up to a tenth less than it is, and a second at least. */
export async function searchAge(isOlder: (ageMs: number) => Promise<boolean>): Promise<number> {
  let [atLeast, below] = [shortestMs, longestMs];
  for (let round = 0; round < rounds; round++) {
    const step = (below / atLeast) ** (1 / (momentsAtOnce + 1));
    const asked = Array.from({ length: momentsAtOnce }, (_, nth) => atLeast * step ** (nth + 1));
    const older = await Promise.all(asked.map(isOlder));
    const last = older.lastIndexOf(true);
    [atLeast, below] = [asked[last] ?? atLeast, asked[last + 1] ?? below];
  }
  return atLeast;
}

/** Whether some of these messages was written before the moment. */
async function anyBefore(
  cluster: Pick<KafkaCluster, 'admin'>,
  waiting: readonly Unfinished[],
  moment: number,
): Promise<boolean> {
  const topics = [...new Set(waiting.map(({ topic }) => topic))];
  const offsets = new Map(
    await Promise.all(topics.map(async (topic) => [topic, await readOffsetsAt(cluster, topic, moment)] as const)),
  );
  return waiting.some(({ topic, partition, first }) => (offsets.get(topic)?.get(partition) ?? 0) > first);
}
