/** {@link assignPartitions} as kafkajs calls it: what members own, and what they tell each other, travels as user data. */
import { AssignerProtocol, type PartitionAssigner } from 'kafkajs';
import { assignPartitions } from './assign.ts';

export interface PeerData {
  /** Partitions it works on. */
  owned: number[];
  /** What it must share with its peers. */
  tag: string | null;
}

const name = 'trajectory-compiler-sticky';
const version = 0;

/** `own` is asked at every join. `main` is the topic whose partitions are shared out; every other one follows it. */
export function stickyAssigner(main: string, own: () => PeerData): PartitionAssigner {
  return ({ cluster }) => ({
    name,
    version,
    protocol: ({ topics }) => ({
      name,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version,
        topics,
        userData: Buffer.from(JSON.stringify(own())),
      }),
    }),
    assign: async ({ members, topics }) => {
      const partitions = cluster.findTopicPartitionMetadata(main).length;
      const states = members.map(({ memberId, memberMetadata }) => ({
        id: memberId,
        owned: readPeer(memberMetadata)?.owned ?? [],
      }));
      return [...assignPartitions(states, partitions)].map(([memberId, own]) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version,
          assignment: Object.fromEntries(topics.map((topic) => [topic, own])),
          userData: Buffer.alloc(0),
        }),
      }));
    },
  });
}

/** Null where the group does not tell (it is between two generations) or a stranger is in it. */
export function readPeer(memberMetadata: Buffer): PeerData | null {
  try {
    const { userData } = AssignerProtocol.MemberMetadata.decode(memberMetadata) ?? {};
    const { owned, tag } = JSON.parse(String(userData)) as Record<string, unknown>;
    if (!Array.isArray(owned)) return null;
    return { owned: owned.filter(Number.isInteger) as number[], tag: typeof tag === 'string' ? tag : null };
  } catch {
    return null;
  }
}
