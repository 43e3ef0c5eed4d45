import { afterEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../src/log.ts';
import type { KafkaCluster } from '../../src/topic/kafka/client.ts';
import { openLetterReader } from '../../src/topic/kafka/letter-reader.ts';

afterEach(() => {
  vi.useRealTimers();
});

const never = () => new Promise<never>(() => {});

/** Brokers with an empty topic; `behaviour` is what a consumer of theirs does otherwise. */
function clusterWhose(behaviour: { connect?: () => Promise<void>; disconnect?: () => Promise<void> }): KafkaCluster {
  const consumer = {
    events: { FETCH: 'fetch', CRASH: 'crash' },
    on: () => {},
    connect: async () => {},
    subscribe: async () => {},
    run: async () => {},
    disconnect: async () => {},
    ...behaviour,
  };
  const admin = { fetchTopicOffsets: async () => [{ partition: 0, offset: '0', low: '0', high: '0' }] };
  return { kafka: { consumer: () => consumer }, admin: async () => admin } as unknown as KafkaCluster;
}

describe('the reader of dead letters', () => {
  it.each([
    ['gone from', { disconnect: never }],
    ['connected to', { connect: never }],
  ])('closes in bounded time while brokers that are frozen are %s', async (_, behaviour) => {
    const cluster = clusterWhose(behaviour);
    const reader = openLetterReader({ cluster, topic: 'dead', keepValues: false, log: createLogger('silent') });
    const letters = reader.letters();
    if (!('connect' in behaviour)) expect(await letters).toEqual([]);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let closed = false;
    void reader.close().then(() => {
      closed = true;
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(closed).toBe(true);
  });
});
