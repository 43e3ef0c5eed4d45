import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { KafkaCluster } from '../../src/topic/kafka/client.ts';
import { namesOf } from '../../src/topic/kafka/names.ts';
import { send } from '../../src/topic/kafka/producer.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { clusterAt, newPrefix, openParcels } from './kafka-pipe.ts';

const maxMessageBytes = 100_000;

describeKafka('a message as large as its topic takes', () => {
  let kafka: TestKafka;
  let cluster: KafkaCluster;
  beforeAll(async () => {
    kafka = await startKafka();
    cluster = clusterAt(kafka.brokers);
  });
  afterAll(async () => {
    await cluster?.close();
    await kafka?.stop();
  });

  it('can be parked, with all that a dead letter says beside it', async () => {
    const prefix = newPrefix();
    const topic = await openParcels(cluster, { prefix, groups: ['g'], maxMessageBytes, maxInlineBytes: 90_000 });
    const { main } = namesOf(prefix, 'parcels');
    // Its envelope says nothing, so it is parked at once.
    const message = { topic: main, key: 'k', headers: { id: 'large' } };
    await send(cluster, { ...message, value: Buffer.alloc(maxMessageBytes - 120) });
    await expect(send(cluster, { ...message, value: Buffer.alloc(maxMessageBytes - 20) })).rejects.toMatchObject({
      code: 'message_too_large',
    });
    const stopping = new AbortController();
    const ended = topic.consume('g', async () => {}, { concurrency: 1, signal: stopping.signal });
    await vi.waitFor(async () => expect(await topic.deadLetters('g')).toMatchObject([{ id: 'large' }]), {
      timeout: 30_000,
    });
    stopping.abort();
    await ended;
    await topic.close();
  });
});
