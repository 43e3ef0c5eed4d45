/** What the topics of a pipe are to be like in Kafka. */
import { namesOf } from './names.ts';
import type { TopicSpec } from './topics.ts';

export interface SpecOptions {
  /** In the pipe, such as `trajectories`. */
  name: string;
  prefix: string;
  partitions: number;
  /** 0: the broker's default. */
  replicationFactor: number;
  /** Null: for ever. */
  retentionMs: number | null;
  maxMessageBytes: number;
}

/** A dead letter is larger than its message by its headers. */
const headerBytes = 64 * 1024;

export function mainSpec({ name, prefix, ...limits }: SpecOptions): TopicSpec {
  return specOf(namesOf(prefix, name).main, limits);
}

/** What a group of consumers needs beside the topic: where messages wait to be tried again, and where they are parked. */
export function groupSpecs({ name, prefix, ...limits }: SpecOptions, group: string): TopicSpec[] {
  const names = namesOf(prefix, name);
  const enlarged = { ...limits, maxMessageBytes: limits.maxMessageBytes + headerBytes };
  return [
    specOf(names.retry(group), enlarged),
    { ...specOf(names.dead(group), { ...enlarged, retentionMs: null }), partitions: 1, cleanup: 'compact' },
  ];
}

function specOf(name: string, limits: Omit<SpecOptions, 'name' | 'prefix'>): TopicSpec {
  const { partitions, replicationFactor, retentionMs, maxMessageBytes } = limits;
  return { name, partitions, replicationFactor, cleanup: 'delete', retentionMs, maxMessageBytes };
}
