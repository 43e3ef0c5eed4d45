import { expect, it } from 'vitest';
import { createLogger } from '../../src/log.ts';
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
