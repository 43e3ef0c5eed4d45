import type { Kafka } from 'kafkajs';
import { expect, it, vi } from 'vitest';
import { createLogger } from '../../src/log.ts';
import type { KafkaCluster } from '../../src/topic/kafka/client.ts';
import { openMember } from '../../src/topic/kafka/member.ts';
import { clusterAt } from './kafka-pipe.ts';

it('does not take a commit for done that kafkajs let fall, being in no group', async () => {
  const ignore = () => {};
  const member = openMember({
    // Nobody listens there; nothing is sent either.
    cluster: clusterAt(['127.0.0.1:9']),
    groupId: 'g',
    topics: ['parcels'],
    sessionTimeoutMs: 6_000,
    own: () => ({ owned: [], tag: null }),
    events: { assigned: ignore, fenced: ignore, received: async () => 0, failed: ignore },
    log: createLogger('silent'),
  });
  expect(await member.commit([{ topic: 'parcels', partition: 0, offset: '1', metadata: '' }])).toBe(false);
  await member.stop();
});

/** A consumer of kafkajs that can be made to crash. */
function crashingConsumer() {
  let crash = (_event: { payload: { error: Error; restart: boolean } }) => {};
  const consumer = {
    events: { CRASH: 'crash', GROUP_JOIN: 'join', HEARTBEAT: 'heartbeat', COMMIT_OFFSETS: 'commit' },
    on: (name: string, listener: typeof crash) => {
      if (name === 'crash') crash = listener;
    },
    connect: vi.fn(async () => {}),
    subscribe: async () => {},
    run: vi.fn(async () => {}),
    disconnect: async () => {},
  };
  const kafka: Partial<Kafka> = { consumer: () => consumer as never };
  const cluster = { kafka, admin: () => Promise.reject(new Error('not asked')) } as unknown as KafkaCluster;
  const crashed = (name: string) =>
    crash({ payload: { error: Object.assign(new Error(name), { name }), restart: false } });
  return { cluster, consumer, crashed };
}

it.each([
  ['goes on', 'KafkaJSGroupCoordinatorNotFound', 2, []],
  ['ends', 'KafkaJSSASLAuthenticationError', 1, ['kafka_auth']],
])('%s where kafkajs gives up for good on %s', async (_, name, runs, failures) => {
  const { cluster, consumer, crashed } = crashingConsumer();
  const failed: unknown[] = [];
  const ending = new AbortController();
  const ignore = () => {};
  const member = openMember({
    cluster,
    groupId: 'g',
    topics: ['parcels'],
    sessionTimeoutMs: 6_000,
    own: () => ({ owned: [], tag: null }),
    events: {
      assigned: ignore,
      fenced: ignore,
      received: async () => 0,
      failed: (error) => failed.push((error as { code: string }).code),
    },
    log: createLogger('silent'),
  });
  await member.start(ending.signal);
  crashed(name);
  await vi.waitFor(() => expect([consumer.run.mock.calls.length, failed]).toEqual([runs, failures]));
  ending.abort();
  await member.stop();
});
