/** Where sealed and published trajectories are that the dataset does not hold yet. */
import type { Config } from '../config.ts';
import { Releasers } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { filesOf, kafkaConnection, kafkaTopicSettings } from '../stages.ts';
import { asBytes } from '../topic/codec.ts';
import { openKafka } from '../topic/kafka/client.ts';
import { type KafkaTopic, openKafkaTopic } from '../topic/kafka.ts';

import { compileGroup } from '../transport/transport.ts';
import { TopicFile, type Whereabouts } from './topic-file.ts';

export interface Delivery {
  /**
   * Looks along the way that trajectories take, so that one that moves on meanwhile is met further down: those that are
   * not found are in the dataset by now, or lost.
   */
  find(trajectoryIds: readonly string[]): Promise<Map<string, Whereabouts>>;
  close(): Promise<void>;
}

/** @param sink the group that writes the dataset */
export function openDelivery(config: Config, sink: string, log: Logger): Delivery {
  return config['topics.transport'] === 'kafka' ? overKafka(config, sink, log) : embedded(config, sink);
}

function embedded(config: Config, sink: string): Delivery {
  const topics = new TopicFile(filesOf(config).topics);
  return {
    async find(ids) {
      const before = topics.find('trajectories', compileGroup, ids);
      const after = topics.find(
        'compiled',
        sink,
        ids.filter((id) => !before.has(id)),
      );
      return new Map([...before, ...after]);
    },
    close: async () => topics.close(),
  };
}

/** A cluster is not asked for single messages: as long as any is unfinished, any of these may be among them. */
function overKafka(config: Config, sink: string, log: Logger): Delivery {
  const releasers = new Releasers();
  const { compiledRetentionMs, ...common } = kafkaTopicSettings(config);
  const cluster = openKafka({ ...kafkaConnection(config), log });
  releasers.push('Kafka', () => cluster.close());
  const open = async (name: string, group: string, retentionMs: number | null) => {
    const topic = await openKafkaTopic({ ...common, name, groups: [group], retentionMs, cluster, codec: asBytes, log });
    releasers.push(name, () => topic.close());
    return topic;
  };
  let opening: Promise<[KafkaTopic<Uint8Array>, KafkaTopic<Uint8Array>]> | null = null;
  return {
    async find(ids) {
      opening ??= Promise.all([
        open('trajectories', compileGroup, common.retentionMs),
        open('compiled', sink, compiledRetentionMs),
      ]);
      const [trajectories, compiled] = await opening;
      const found = new Map<string, Whereabouts>();
      for (const [topic, group] of [
        [trajectories, compileGroup],
        [compiled, sink],
      ] as const) {
        await findIn(
          topic,
          group,
          ids.filter((id) => !found.has(id)),
          found,
        );
      }
      return found;
    },
    close: async () => void (await releasers.unwind()),
  };
}

async function findIn(
  topic: KafkaTopic<Uint8Array>,
  group: string,
  ids: readonly string[],
  found: Map<string, Whereabouts>,
): Promise<void> {
  if (ids.length === 0) return;
  // Messages of one trajectory are called after it, and what was compiled of it further on.
  const parked = new Set((await topic.deadLetters(group)).map(({ id }) => id.split(' ')[0]));
  const { messages } = await topic.lag(group);
  for (const id of ids) {
    if (parked.has(id)) found.set(id, 'parked');
    else if (messages > 0) found.set(id, 'on_the_way');
  }
}
