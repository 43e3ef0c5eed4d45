/** What the brokers know about partitions: where they begin and end, and how far a group is. */
import { type OperatorError, retry, stop } from '../../errors.ts';
import type { KafkaCluster } from './client.ts';
import { type CommitNote, readNote } from './commit-note.ts';
import { explainKafka } from './faults.ts';

/** Offsets: the first that is kept, and the one that the next message gets. */
export interface Range {
  low: number;
  high: number;
}

export interface Committed {
  /** Null where the group never committed. */
  base: number | null;
  note: CommitNote;
}

/** By partition. */
export async function readRanges({ admin }: KafkaCluster, topic: string): Promise<Map<number, Range>> {
  try {
    const offsets = await (await admin()).fetchTopicOffsets(topic);
    return new Map(offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]));
  } catch (error) {
    throw explainKafka(error, `asking for the offsets of topic ${topic}`);
  }
}

/** By partition: the first offset that was written at the moment or later, or the end. */
export async function readOffsetsAt(
  { admin }: Pick<KafkaCluster, 'admin'>,
  topic: string,
  moment: number,
): Promise<Map<number, number>> {
  try {
    const offsets = await (await admin()).fetchTopicOffsetsByTimestamp(topic, Math.floor(moment));
    return new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
  } catch (error) {
    throw explainKafka(error, `asking for the times of topic ${topic}`);
  }
}

/** By topic and partition. */
export async function readCommitted(
  { admin }: KafkaCluster,
  groupId: string,
  topics: string[],
): Promise<Map<string, Map<number, Committed>>> {
  try {
    const found = await (await admin()).fetchOffsets({ groupId, topics });
    return new Map(
      found.map(({ topic, partitions }) => [
        topic,
        new Map(partitions.map(({ partition, offset, metadata }) => [partition, committedOf(offset, metadata)])),
      ]),
    );
  } catch (error) {
    throw explainKafka(error, `asking how far the group ${groupId} is`);
  }
}

function committedOf(offset: string, metadata: string | null): Committed {
  const base = Number(offset);
  return { base: base === -1 ? null : base, note: readNote(metadata) };
}

/** A partition as one group sees it. */
export interface Place {
  groupId: string;
  topic: string;
  partition: number;
}

/**
 * Where the group goes on, or begins.
 *
 * @param isPatient whether the end may still move to where it was: after a failover it lags for a moment.
 * @throws OperatorError `kafka_messages_expired` where messages that it had not finished are gone;
 * `kafka_offsets_beyond_end` where it is further than the messages are (retry while patient, then stop).
 */
export function startOf(base: number | null, range: Range, place: Place, isPatient = true): number {
  if (base === null) return range.low;
  if (base < range.low) throw expired(base, range.low, place);
  if (base > range.high) throw beyondEnd(base, range.high, place, isPatient);
  return base;
}

function expired(base: number, low: number, { groupId, topic, partition }: Place): OperatorError {
  // A negative one is what kafkajs commits itself where it finds its offset expired.
  const lost = base < 0 ? 'messages' : `${low - base} messages`;
  return stop(
    'kafka_messages_expired',
    `${lost} of topic ${topic}, partition ${partition}, expired before the group ${groupId} had handled them ` +
      `(it was at offset ${base}, the first that is kept is ${low}): \`trajectory-compiler compile\` reads the sessions ` +
      `from the table again; to go on with what is kept, stop the group and run ${toEarliest(groupId, topic, partition)}`,
  );
}

/** What is there now would be taken for what was handled before, message by message. */
function beyondEnd(
  base: number,
  high: number,
  { groupId, topic, partition }: Place,
  isPatient: boolean,
): OperatorError {
  const found =
    `the group ${groupId} is at offset ${base} of topic ${topic}, partition ${partition}, which ends at ${high}: ` +
    'the topic was made anew, or a broker lost messages';
  if (isPatient) return retry('kafka_offsets_beyond_end', `${found}, or its new leader is not up to date yet`);
  return stop(
    'kafka_offsets_beyond_end',
    `${found}; \`trajectory-compiler compile\` reads the sessions from the table again; to handle all that is in the ` +
      `topic now, some of it perhaps a second time, stop the group and run ${toEarliest(groupId, topic, partition)}`,
  );
}

function toEarliest(groupId: string, topic: string, partition: number): string {
  return `kafka-consumer-groups.sh --group ${groupId} --topic ${topic}:${partition} --reset-offsets --to-earliest --execute`;
}
