import { setTimeout as elapse } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { retry } from '../../src/errors.ts';
import type { Delivery } from '../../src/topic/topic.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { type Parcel, parcel } from './contract.ts';
import { clusterAt, newPrefix, openParcels } from './kafka-pipe.ts';

const below = (most: number) => Math.floor(Math.random() * most);

describeKafka('consumers on Kafka that come and go', () => {
  let kafka: TestKafka;
  beforeAll(async () => {
    kafka = await startKafka({ config: { 'group.min.session.timeout.ms': '1000' } });
  });
  afterAll(() => kafka?.stop());

  it('handle each message, those of a key in order and never two at once, and again only what was not acknowledged', async () => {
    const options = {
      prefix: newPrefix(),
      groups: ['g'],
      partitions: 6,
      sessionTimeoutMs: 2_000,
      handoverTimeoutMs: 3_000,
      retryTopicAfterMs: 300,
    };
    const handled = new Map<string, number[]>();
    const busy = new Set<string>();
    const work = async ({ message: { key, value }, signal }: Delivery<Parcel>) => {
      expect(busy).not.toContain(key);
      busy.add(key);
      await elapse(below(200), undefined, { signal }).finally(() => busy.delete(key));
      if (Math.random() < 0.05) throw retry('away', 'comes back', { retryAfterMs: below(800) });
      handled.set(key, [...(handled.get(key) ?? []), value.n]);
    };

    const cluster = clusterAt(kafka.brokers);
    const topic = await openParcels(cluster, options);
    const over = new AbortController();
    const faults: unknown[] = [];
    // Each on connections of its own, as in a process of its own.
    const comeAndGo = async () => {
      while (!over.signal.aborted) {
        const own = clusterAt(kafka.brokers);
        const mine = await openParcels(own, { ...options, maxAttempts: 50 });
        const [drain, abort] = [new AbortController(), new AbortController()];
        const ended = mine.consume('g', work, { concurrency: 16, signal: drain.signal, abort: abort.signal });
        await elapse(1_000 + below(4_000), undefined, { signal: over.signal }).catch(() => {});
        if (Math.random() < 0.3 && !over.signal.aborted) abort.abort();
        drain.abort();
        await ended.catch((error) => faults.push(error));
        await mine.close();
        await own.close();
      }
    };
    const members = [comeAndGo(), comeAndGo(), comeAndGo()];

    const [keys, each] = [30, 20];
    for (let n = 0; n < each; n++) {
      for (let key = 0; key < keys; key++) {
        await topic.publish(parcel(`key-${key}`, n));
        await elapse(below(30));
      }
    }
    const isDone = async () => expect((await topic.lag('g')).messages).toBe(0);
    await vi.waitFor(isDone, { timeout: 40_000, interval: 100 });
    over.abort();
    await Promise.all(members);
    expect(faults).toEqual([]);
    expect(await topic.deadLetters('g')).toEqual([]);
    expect(handled.size).toBe(keys);
    for (const [key, numbers] of handled) {
      // A member that is given up after its handler ended can't acknowledge: its messages come again, from the first of them.
      let next = 0;
      for (const n of numbers) {
        expect(n, `${key}: ${numbers}`).toBeLessThanOrEqual(next);
        next = Math.max(next, n + 1);
      }
      expect(next, `${key}: ${numbers}`).toBe(each);
    }
    await topic.close();
    await cluster.close();
  });
});
