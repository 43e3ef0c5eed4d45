import fc from 'fast-check';
import { AssignerProtocol } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { assignPartitions, type GroupMemberState } from '../../src/topic/kafka/assign.ts';
import { readPeer, stickyAssigner } from '../../src/topic/kafka/assigner.ts';

const groups = fc.record({
  partitions: fc.integer({ min: 1, max: 40 }),
  members: fc.uniqueArray(
    fc.record({
      id: fc.string({ minLength: 1, maxLength: 4 }),
      owned: fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { maxLength: 40 }),
    }),
    { selector: ({ id }) => id, minLength: 1, maxLength: 9 },
  ),
});

const numbersUpTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('the assignment of partitions', () => {
  it('gives each partition to one member, and to no member more than one more than to another', () => {
    fc.assert(
      fc.property(groups, ({ members, partitions }) => {
        const result = assignPartitions(members, partitions);
        expect([...result.keys()].toSorted()).toEqual(members.map(({ id }) => id).toSorted());
        expect([...result.values()].flat().toSorted((a, b) => a - b)).toEqual(numbersUpTo(partitions));
        const sizes = [...result.values()].map((own) => own.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('moves nothing in a group that is balanced', () => {
    fc.assert(
      fc.property(groups, ({ members, partitions }) => {
        const first = assignPartitions(members, partitions);
        const settled = [...first].map(([id, owned]) => ({ id, owned }));
        expect(assignPartitions(settled, partitions)).toEqual(first);
      }),
    );
  });

  it('takes from a member that stays only what is above its share when one joins, and nothing when one leaves', () => {
    fc.assert(
      fc.property(groups, ({ members, partitions }) => {
        const before = assignPartitions(members, partitions);
        const states = [...before].map(([id, owned]): GroupMemberState => ({ id, owned }));
        const joined = assignPartitions([...states, { id: 'joining', owned: [] }], partitions);
        const lost = states.flatMap(({ id, owned }) => owned.filter((one) => !joined.get(id)!.includes(one)));
        expect(lost.toSorted()).toEqual(joined.get('joining')!.toSorted());
        if (states.length === 1) return;
        const left = assignPartitions(states.slice(1), partitions);
        for (const { id, owned } of states.slice(1)) expect(left.get(id)).toEqual(expect.arrayContaining([...owned]));
      }),
    );
  });

  it('does not follow two that claim the same', () => {
    const claims = ['b', 'a'].map((id) => ({ id, owned: [0, 1] }));
    expect(assignPartitions(claims, 2)).toEqual(
      new Map([
        ['a', [0]],
        ['b', [1]],
      ]),
    );
  });
});

describe('the assigner', () => {
  it('gives the partitions of every topic with the same number to the same member, and carries what members tell', async () => {
    const cluster = { findTopicPartitionMetadata: () => numbersUpTo(4) };
    const of = (tag: string, owned: number[]) =>
      stickyAssigner('main', () => ({ owned, tag }))({ cluster, groupId: 'g', logger: {} } as never);
    const members = [
      { memberId: 'a', memberMetadata: of('one', [3, 2]).protocol({ topics: ['main', 'retry'] }).metadata },
      { memberId: 'b', memberMetadata: of('two', []).protocol({ topics: ['main', 'retry'] }).metadata },
    ];
    expect(readPeer(members[0]!.memberMetadata)).toEqual({ owned: [3, 2], tag: 'one' });
    const assigned = await of('one', []).assign({ members, topics: ['main', 'retry'] });
    const decoded = assigned.map(
      ({ memberAssignment }) => AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment,
    );
    expect(decoded).toEqual([
      { main: [2, 3], retry: [2, 3] },
      { main: [0, 1], retry: [0, 1] },
    ]);
  });

  it('takes a stranger for one that owns nothing', () => {
    expect(readPeer(Buffer.alloc(0))).toBeNull();
    expect(
      readPeer(AssignerProtocol.MemberMetadata.encode({ version: 0, topics: [], userData: Buffer.from('x') })),
    ).toBeNull();
  });
});
