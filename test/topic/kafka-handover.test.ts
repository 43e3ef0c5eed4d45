import { describe, expect, it } from 'vitest';
import type { KafkaCluster } from '../../src/topic/kafka/client.ts';
import { writeNote } from '../../src/topic/kafka/commit-note.ts';
import { takeOver } from '../../src/topic/kafka/handover.ts';
import { Lane } from '../../src/topic/kafka/lane.ts';
import type { Member } from '../../src/topic/kafka/member.ts';

const topics = { main: 'parcels', retry: 'parcels.g.retry' };

/** A group of which the brokers tell this of partition 0; `present` are its members, null between two generations. */
function scene(
  told: { holder: string | null; offset?: number; low?: number; finished?: number[] },
  present: string[] | null,
) {
  const { holder, offset = 10, low = 0, finished = [] } = told;
  const bits = new Uint8Array(4);
  for (const bit of finished) bits[bit >> 3]! |= 1 << (bit & 7);
  const metadata = writeNote({ holder, finished: bits, begun: [] });
  const admin = {
    fetchOffsets: async ({ topics: asked }: { topics: string[] }) =>
      asked.map((topic) => ({ topic, partitions: [{ partition: 0, offset: String(offset), metadata }] })),
    fetchTopicOffsets: async () => [{ partition: 0, offset: '40', low: String(low), high: '40' }],
  };
  const member = {
    id: () => 'us',
    peers: async () => (present === null ? null : new Map(present.map((id) => [id, null]))),
  };
  return { cluster: { admin: async () => admin } as unknown as KafkaCluster, member: member as unknown as Member };
}

async function tryIt(
  { cluster, member }: ReturnType<typeof scene>,
  { gainBy = performance.now() + 60_000, claimed = true, wanted = [new Lane(0, topics, gainBy)] } = {},
): Promise<Lane[]> {
  return await takeOver({ cluster, groupId: 'g', topics, member, wanted, claim: async () => claimed });
}

describe('taking over a partition', () => {
  it('goes on where the last owner was, without what was finished beyond', async () => {
    const [lane] = await tryIt(scene({ holder: null, finished: [1, 2, 4] }, ['us']));
    const { window } = lane!.main;
    expect([window.base, window.finishedBeyond, lane!.retryEnd]).toEqual([10, 3, 40]);
    expect([10, 11, 12, 13, 14].map((offset) => window.file(offset))).toEqual([true, false, false, true, false]);
  });

  it.each([
    ['is free', null, ['us', 'other']],
    ['is ours already', 'us', ['us', 'other']],
    ['belongs to one that left the group', 'gone', ['us', 'other']],
  ])('takes it at once where it %s', async (_, holder, present) => {
    expect(await tryIt(scene({ holder }, present))).toHaveLength(1);
  });

  it('waits while its holder is in the group, or it is not known who is', async () => {
    expect(await tryIt(scene({ holder: 'other' }, ['us', 'other']))).toEqual([]);
    expect(await tryIt(scene({ holder: 'other' }, null))).toEqual([]);
  });

  it('takes it from a holder that had its time to finish', async () => {
    expect(await tryIt(scene({ holder: 'other' }, ['us', 'other']), { gainBy: performance.now() - 1 })).toHaveLength(1);
  });

  it('has nothing until its name is written', async () => {
    expect(await tryIt(scene({ holder: null }, ['us']), { claimed: false })).toEqual([]);
  });

  it('begins at the oldest message where the group never committed', async () => {
    const [lane] = await tryIt(scene({ holder: null, offset: -1, low: 7 }, ['us']));
    expect(lane!.main.window.base).toBe(7);
  });

  it.each([
    [10, '2 messages of topic parcels, partition 0, expired'],
    [-2, 'messages of topic parcels, partition 0, expired'],
  ])('stops where what the group was at, %i, is gone', async (offset, words) => {
    await expect(tryIt(scene({ holder: null, offset, low: 12 }, ['us']))).rejects.toMatchObject({
      kind: 'stop',
      code: 'kafka_messages_expired',
      message: expect.stringContaining(words),
    });
  });

  it('tries again where the group is beyond the end, which may lag after a failover, and goes on once it is there', async () => {
    const wanted = [new Lane(0, topics, performance.now() + 60_000)];
    const look = (offset: number) => tryIt(scene({ holder: null, offset }, ['us']), { wanted });
    await expect(look(41)).rejects.toMatchObject({ kind: 'retry', code: 'kafka_offsets_beyond_end' });
    const [lane] = await look(40);
    expect([lane!.main.window.base, lane!.beyondEndSince]).toEqual([40, null]);
  });

  it('stops where the group stays beyond the end, in place of dropping what is there as if it were handled', async () => {
    const lane = new Lane(0, topics, performance.now() + 60_000);
    lane.beyondEndSince = performance.now() - 30_000;
    const found = 'the group g is at offset 41 of topic parcels, partition 0, which ends at 40';
    await expect(tryIt(scene({ holder: null, offset: 41 }, ['us']), { wanted: [lane] })).rejects.toMatchObject({
      kind: 'stop',
      code: 'kafka_offsets_beyond_end',
      message: expect.stringMatching(new RegExp(`${found}.*--reset-offsets --to-earliest`)),
    });
  });
});
