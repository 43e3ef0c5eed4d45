/** Messages that were parked, over every topic of the pipe, whichever transport carries them. */
import { existsSync } from 'node:fs';
import type { Config } from './config.ts';
import { exitCodes, stop } from './errors.ts';
import { Releasers } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { filesOf, kafkaConnection, kafkaTopicSettings } from './stages.ts';
import { asBytes } from './topic/codec.ts';
import { openEmbeddedTopic } from './topic/embedded.ts';
import { openKafka } from './topic/kafka/client.ts';
import { openKafkaTopic } from './topic/kafka.ts';
import type { DeadLetter, Topic } from './topic/topic.ts';
import { compileGroup } from './transport/transport.ts';

export interface ParkedMessage extends DeadLetter {
  topic: string;
}

export interface ShownMessage extends ParkedMessage {
  /** The value's JSON text: contents of rows. */
  value: string;
}

/** Oldest first within a topic. */
export async function listDeadLetters(config: Config, log: Logger): Promise<ParkedMessage[]> {
  return await overTopics(config, log, lettersOf);
}

/** The parked message of that id, once for each group that parked it. */
export async function showDeadLetters(config: Config, log: Logger, id: string): Promise<ShownMessage[]> {
  return await overTopics(config, log, async (topic) => {
    const shown = await Promise.all(topic.groups().map((group) => topic.showDeadLetter(group, id)));
    return shown.flatMap((found) => {
      if (found === null) return [];
      return { ...found.letter, topic: topic.name, value: new TextDecoder().decode(found.bytes) };
    });
  });
}

/** Puts parked messages back, that of `id` or all of them; the next run works on them. Resolves with those it put back. */
export async function requeueDeadLetters(config: Config, log: Logger, id: string | null): Promise<ParkedMessage[]> {
  return await overTopics(config, log, async (topic) => {
    const requeued: ParkedMessage[] = [];
    for (const letter of await lettersOf(topic)) {
      if (id !== null && letter.id !== id) continue;
      if (await topic.requeue(letter.group, letter.id)) requeued.push(letter);
    }
    return requeued;
  });
}

/**
 * Gives up a sink: what waits for it and what is parked for it goes. On a cluster nothing is kept for one sink alone.
 *
 * @throws OperatorError `no_group` where nothing is kept for a sink of that name.
 */
export async function dropSink(config: Config, log: Logger, sink: string): Promise<void> {
  const path = filesOf(config).topics;
  const isEmbedded = config['topics.transport'] === 'embedded' && existsSync(path);
  const topic = isEmbedded ? openEmbeddedTopic({ path, name: 'compiled', codec: asBytes, log }) : null;
  try {
    if (topic?.groups().includes(sink)) return await topic.dropGroup(sink);
  } finally {
    await topic?.close();
  }
  throw stop('no_group', `nothing is kept for a sink ${sink} in ${config.dataDir}`, { exitCode: exitCodes.failed });
}

type AnyTopic = Topic<Uint8Array> & { groups(): string[] };

async function lettersOf(topic: AnyTopic): Promise<ParkedMessage[]> {
  const letters = await Promise.all(topic.groups().map((group) => topic.deadLetters(group)));
  return letters.flat().map((letter) => ({ ...letter, topic: topic.name }));
}

async function overTopics<R>(config: Config, log: Logger, work: (topic: AnyTopic) => Promise<R[]>): Promise<R[]> {
  const releasers = new Releasers();
  try {
    const results: R[] = [];
    for (const open of openers(config, log, releasers)) {
      const topic = await open();
      releasers.push(topic.name, () => topic.close());
      results.push(...(await work(topic)));
    }
    return results;
  } finally {
    await releasers.unwind();
  }
}

function openers(config: Config, log: Logger, releasers: Releasers): (() => AnyTopic | Promise<AnyTopic>)[] {
  if (config['topics.transport'] === 'kafka') return kafkaOpeners(config, log, releasers);
  const path = filesOf(config).topics;
  if (!existsSync(path)) return [];
  return ['trajectories', 'compiled'].map((name) => () => openEmbeddedTopic({ path, name, codec: asBytes, log }));
}

function kafkaOpeners(config: Config, log: Logger, releasers: Releasers) {
  const cluster = openKafka({ ...kafkaConnection(config), log });
  releasers.push('Kafka', () => cluster.close());
  const { compiledRetentionMs, ...common } = kafkaTopicSettings(config);
  const topics = [
    { name: 'trajectories', groups: [compileGroup], retentionMs: common.retentionMs },
    { name: 'compiled', groups: config.sinks, retentionMs: compiledRetentionMs },
  ];
  return topics.map((topic) => () => openKafkaTopic({ ...common, ...topic, cluster, codec: asBytes, log }));
}

/** @throws OperatorError `no_dead_letter`, for a command that was given an id. */
export function refuseUnknown(id: string): never {
  throw stop('no_dead_letter', `no message ${id} is parked: \`trajectory-compiler dlq list\` shows those that are`, {
    exitCode: exitCodes.failed,
  });
}
