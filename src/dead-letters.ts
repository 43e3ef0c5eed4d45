/** Messages that were parked, over every topic of a data directory. */
import { existsSync } from 'node:fs';
import type { Config } from './config.ts';
import type { Logger } from './log.ts';
import { filesOf } from './stages.ts';
import { type EmbeddedTopic, openEmbeddedTopic } from './topic/embedded.ts';
import type { Codec, DeadLetter } from './topic/topic.ts';

export interface ParkedMessage extends DeadLetter {
  topic: string;
}

const topicNames = ['trajectories', 'compiled'];

/** Nothing is decoded here. */
const asBytes: Codec<Uint8Array> = { encode: (bytes) => bytes, decode: (bytes) => bytes };

/** Oldest first within a topic. */
export async function listDeadLetters(config: Config, log: Logger): Promise<ParkedMessage[]> {
  return await overTopics(config, log, async (topic) => {
    const letters = await Promise.all(topic.groups().map((group) => topic.deadLetters(group)));
    return letters.flat().map((letter) => ({ ...letter, topic: topic.name }));
  });
}

/** Puts parked messages back, that of `id` or all of them; the next run works on them. Resolves with those it put back. */
export async function requeueDeadLetters(config: Config, log: Logger, id: string | null): Promise<ParkedMessage[]> {
  return await overTopics(config, log, async (topic) => {
    const requeued: ParkedMessage[] = [];
    for (const group of topic.groups()) {
      for (const letter of await topic.deadLetters(group)) {
        if (id !== null && letter.id !== id) continue;
        if (await topic.requeue(group, letter.id)) requeued.push({ ...letter, topic: topic.name });
      }
    }
    return requeued;
  });
}

async function overTopics<R>(
  config: Config,
  log: Logger,
  work: (topic: EmbeddedTopic<Uint8Array>) => Promise<R[]>,
): Promise<R[]> {
  const path = filesOf(config).topics;
  if (!existsSync(path)) return [];
  const results: R[] = [];
  for (const name of topicNames) {
    const topic = openEmbeddedTopic({ path, name, codec: asBytes, log });
    try {
      results.push(...(await work(topic)));
    } finally {
      await topic.close();
    }
  }
  return results;
}
