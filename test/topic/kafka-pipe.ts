/** A topic of parcels on a real broker, under names of its own. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createLogger, type Logger } from '../../src/log.ts';
import { jsonCodec } from '../../src/topic/codec.ts';
import { type KafkaCluster, openKafka } from '../../src/topic/kafka/client.ts';
import { type KafkaTopic, type KafkaTopicOptions, openKafkaTopic } from '../../src/topic/kafka.ts';
import type { Parcel } from './contract.ts';

export const parcelCodec = jsonCodec(z.object({ spec: z.literal('parcel/1'), n: z.int() }), 'parcel/1');

export function clusterAt(brokers: readonly string[], log: Logger = createLogger('silent')): KafkaCluster {
  return openKafka({ brokers, clientId: 'test', tls: null, sasl: null, sendTimeoutMs: 10_000, log });
}

export function newPrefix(): string {
  return `t${randomUUID().slice(0, 8)}.`;
}

export function openParcels(
  cluster: KafkaCluster,
  options: Partial<KafkaTopicOptions<Parcel>> = {},
): Promise<KafkaTopic<Parcel>> {
  return openKafkaTopic<Parcel>({
    cluster,
    name: 'parcels',
    prefix: newPrefix(),
    groups: [],
    codec: parcelCodec,
    maxInlineBytes: 512 * 1024,
    maxMessageBytes: 1024 * 1024,
    partitions: 3,
    replicationFactor: 1,
    retentionMs: 3_600_000,
    sessionTimeoutMs: 6_000,
    handoverTimeoutMs: 20_000,
    maxAttempts: 3,
    backoff: { baseMs: 1, maxMs: 5 },
    log: createLogger('silent'),
    ...options,
  });
}
