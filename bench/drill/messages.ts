/** Messages of a topic, counted by the id that their envelope names. */

import { createLogger } from '../../src/log.ts';
import { type KafkaCluster, openKafka } from '../../src/topic/kafka/client.ts';

export interface MessageCount {
  messages: number;
  /** Those whose id another message of the topic has too. */
  repeated: number;
}

export async function countMessages(brokers: string[], topic: string): Promise<MessageCount> {
  const common = { clientId: 'drill', tls: null, sasl: null, sendTimeoutMs: 10_000 };
  const cluster = openKafka({ ...common, brokers, log: createLogger('silent') });
  try {
    const offsets = await (await cluster.admin()).fetchTopicOffsets(topic);
    const ends = new Map(
      offsets.filter(({ high }) => high !== '0').map(({ partition, high }) => [partition, BigInt(high)]),
    );
    const ids = await readIds(cluster, topic, ends);
    return { messages: ids.length, repeated: ids.length - new Set(ids).size };
  } finally {
    await cluster.close();
  }
}

async function readIds(cluster: KafkaCluster, topic: string, ends: Map<number, bigint>): Promise<string[]> {
  const ids: string[] = [];
  if (ends.size === 0) return ids;
  const consumer = cluster.kafka.consumer({ groupId: `drill-count-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({
      partition,
      message,
    }: {
      partition: number;
      message: { offset: string; headers?: object };
    }) => {
      ids.push(String((message.headers as { id?: Buffer } | undefined)?.id));
      if (BigInt(message.offset) + 1n >= (ends.get(partition) ?? 0n)) ends.delete(partition);
      if (ends.size === 0) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return ids;
}
