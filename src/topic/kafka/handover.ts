/** Taking partitions that another member may still work on. */
import { AckWindow } from './ack-window.ts';
import { Backlog } from './backlog.ts';
import type { KafkaCluster } from './client.ts';
import type { Lane } from './lane.ts';
import type { Member } from './member.ts';
import { type Committed, type Range, readCommitted, readRanges, startOf } from './offsets.ts';

export interface TakeOverParts {
  cluster: KafkaCluster;
  groupId: string;
  topics: { main: string; retry: string };
  member: Member;
  wanted: Lane[];
  /** Writes our name beside the offsets; false where the brokers did not take it. */
  claim(lanes: Lane[]): Promise<boolean>;
}

const endLagsForMs = 30_000;

/**
 * One try. Returns those that are ours now, their windows as the last owner left them: it named no holder, or one that is
 * no longer in the group, or its time to finish is over.
 *
 * @throws OperatorError `kafka_messages_expired`, `kafka_offsets_beyond_end`, and what reading offsets throws.
 */
export async function takeOver(parts: TakeOverParts): Promise<Lane[]> {
  const { cluster, groupId, topics, member, wanted, claim } = parts;
  const committed = await readCommitted(cluster, groupId, [topics.main, topics.retry]);
  const holderOf = ({ partition }: Lane) => committed.get(topics.main)?.get(partition)?.note.holder ?? null;
  const open = await unheld(wanted, holderOf, member);
  if (open.length === 0) return [];
  const ranges = {
    main: await readRanges(cluster, topics.main),
    retry: await readRanges(cluster, topics.retry),
  };
  for (const lane of open) {
    for (const which of ['main', 'retry'] as const) {
      const topic = topics[which];
      const range = ranges[which].get(lane.partition) ?? { low: 0, high: 0 };
      const { base, note }: Committed = committed.get(topic)?.get(lane.partition) ?? nothing;
      const start = startOf(base, range, { groupId, topic, partition: lane.partition }, isPatient(lane, base, range));
      lane[which] = new Backlog(topic, lane.partition, new AckWindow(start, note.finished), note.begun);
      if (which === 'retry') lane.retryEnd = range.high;
    }
    lane.beyondEndSince = null;
  }
  return (await claim(open)) ? open : [];
}

/** A leader that was just elected may not know for a moment how far the others are. */
function isPatient(lane: Lane, base: number | null, { high }: Range): boolean {
  if (base === null || base <= high) return true;
  lane.beyondEndSince ??= performance.now();
  return performance.now() - lane.beyondEndSince < endLagsForMs;
}

const nothing: Committed = { base: null, note: { holder: null, finished: new Uint8Array(), begun: [] } };

async function unheld(wanted: Lane[], holderOf: (lane: Lane) => string | null, member: Member): Promise<Lane[]> {
  const now = performance.now();
  const isOurs = (holder: string | null) => holder === null || holder === member.id();
  const held = wanted.filter((lane) => !isOurs(holderOf(lane)) && now < lane.gainBy);
  if (held.length === 0) return wanted;
  const peers = await member.peers();
  return wanted.filter((lane) => !held.includes(lane) || (peers !== null && !peers.has(holderOf(lane)!)));
}
