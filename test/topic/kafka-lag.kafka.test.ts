import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { retry } from '../../src/errors.ts';
import type { KafkaCluster } from '../../src/topic/kafka/client.ts';
import type { KafkaTopic, KafkaTopicOptions } from '../../src/topic/kafka.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { type Parcel, parcel } from './contract.ts';
import { clusterAt, newPrefix, openParcels } from './kafka-pipe.ts';

const until = (condition: () => void | Promise<void>) => vi.waitFor(condition, { timeout: 40_000, interval: 20 });
const hour = 3_600_000;

describeKafka('the lag of a group on Kafka', () => {
  let kafka: TestKafka;
  let cluster: KafkaCluster;
  const closing: (() => unknown)[] = [];
  beforeAll(async () => {
    kafka = await startKafka();
    cluster = clusterAt(kafka.brokers);
  });
  afterAll(async () => {
    await cluster?.close();
    await kafka?.stop();
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function open(prefix: string, options: Partial<KafkaTopicOptions<Parcel>> = {}): Promise<KafkaTopic<Parcel>> {
    const topic = await openParcels(cluster, { prefix, retentionMs: null, ...options });
    closing.push(() => topic.close());
    return topic;
  }

  /** As they were written so many milliseconds ago, one to a partition. */
  async function writeOld(prefix: string, agesMs: number[]): Promise<void> {
    const producer = cluster.kafka.producer();
    await producer.connect();
    const messages = agesMs.map((ageMs, partition) => ({
      ...{ partition, key: `${partition}`, value: 'not read by anybody' },
      timestamp: String(Date.now() - ageMs),
    }));
    await producer.send({ topic: `${prefix}parcels`, messages });
    await producer.disconnect();
  }

  it('has the age of its oldest message where nobody has handled any for a day', async () => {
    const prefix = newPrefix();
    const topic = await open(prefix);
    await writeOld(prefix, [2 * hour, 24 * hour]);
    const { messages, oldestAgeMs } = await topic.lag('away');
    expect(messages).toBe(2);
    expect(oldestAgeMs).toBeGreaterThan(21.6 * hour);
    expect(oldestAgeMs).toBeLessThan(24.1 * hour);
    const again = await topic.lag('away');
    expect(again.oldestAgeMs).toBeGreaterThanOrEqual(oldestAgeMs!);
  });

  it('counts what waits in the retry topic with its partition, in whichever process it is asked for', async () => {
    const prefix = newPrefix();
    const working = await open(prefix, { retryTopicAfterMs: 100 });
    const watching = await open(prefix);
    const done = new AbortController();
    const consuming = working.consume(
      'g',
      async ({ message }) => {
        if (message.key === 'a') throw retry('away', 'comes back later', { retryAfterMs: hour });
      },
      { concurrency: 4, signal: done.signal, abort: done.signal },
    );
    for (const key of ['a', 'b', 'c', 'd']) await working.publish(parcel(key, 1));
    for (const topic of [working, watching]) {
      await until(async () => {
        const { messages, partitions, oldestAgeMs } = await topic.lag('g');
        expect(messages).toBe(1);
        expect(partitions?.map(({ partition }) => partition)).toEqual([0, 1, 2]);
        expect(partitions?.map((one) => one.messages).sort()).toEqual([0, 0, 1]);
        expect(oldestAgeMs).toBeGreaterThan(0);
      });
    }
    const [admin, waiting] = [await cluster.admin(), (await working.lag('g')).partitions!.find((one) => one.messages)!];
    const offsets = await admin.fetchTopicOffsets(`${prefix}parcels.g.retry`);
    expect(offsets.find(({ high }) => high === '1')?.partition).toBe(waiting.partition);
    done.abort();
    await consuming;
  });
});
