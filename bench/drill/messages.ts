/** All messages of a topic, by the id that their envelope names. */
import type { EachMessagePayload } from 'kafkajs';

import { createLogger } from '../../src/log.ts';
import { type KafkaCluster, openKafka } from '../../src/topic/kafka/client.ts';

export interface TopicMessage {
  id: string;
  /** The session's id. */
  key: string;
  partition: number;
  offset: string;
}

export async function readMessages(brokers: string[], topic: string): Promise<TopicMessage[]> {
  const common = { clientId: 'drill', tls: null, sasl: null, sendTimeoutMs: 10_000 };
  const cluster = openKafka({ ...common, brokers, log: createLogger('silent') });
  try {
    const offsets = await (await cluster.admin()).fetchTopicOffsets(topic);
    const ends = new Map(
      offsets.filter(({ high }) => high !== '0').map(({ partition, high }) => [partition, BigInt(high)]),
    );
    return await readUpTo(cluster, topic, ends);
  } finally {
    await cluster.close();
  }
}

async function readUpTo(cluster: KafkaCluster, topic: string, ends: Map<number, bigint>): Promise<TopicMessage[]> {
  const read: TopicMessage[] = [];
  if (ends.size === 0) return read;
  const consumer = cluster.kafka.consumer({ groupId: `drill-count-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ partition, message }: EachMessagePayload) => {
      const { key, offset, headers } = message;
      read.push({ id: String(headers?.id), key: String(key), partition, offset });
      if (BigInt(offset) + 1n >= (ends.get(partition) ?? 0n)) ends.delete(partition);
      if (ends.size === 0) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return read;
}
