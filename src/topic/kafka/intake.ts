/** What the member reads becomes entries of lanes. */
import type { KafkaMessage } from 'kafkajs';
import { kindOf, messageOf } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { Backlog } from './backlog.ts';
import type { KafkaCluster } from './client.ts';
import { entryOf, headerNames } from './entry.ts';
import type { Lane } from './lane.ts';
import type { Member } from './member.ts';
import { readRanges, startOf } from './offsets.ts';
import type { Ownership } from './ownership.ts';

export interface IntakeParts {
  cluster: KafkaCluster;
  group: string;
  groupId: string;
  member: Member;
  ownership: Ownership;
  onFailure: (error: unknown) => void;
  log: Logger;
}

/** Messages of a partition in the order of their offsets. Returns how many were taken; the rest is to be read again. */
export async function takeIn(
  parts: IntakeParts,
  topic: string,
  partition: number,
  messages: KafkaMessage[],
): Promise<number> {
  const lane = parts.ownership.lane(partition);
  if (lane?.state !== 'open') {
    // It was on its way when the partition went.
    parts.member.pause(topic, partition);
    return 0;
  }
  const backlog = lane.backlogOf(topic);
  let taken = 0;
  for (const message of messages) {
    const offset = Number(message.offset);
    if (offset > backlog.window.next && !(await passGap(parts, lane, backlog, offset))) break;
    if (!backlog.hasRoom) break;
    file(parts, lane, backlog, message);
    taken++;
  }
  parts.ownership.regulate(lane);
  return taken;
}

function file({ group, ownership }: IntakeParts, lane: Lane, backlog: Backlog, message: KafkaMessage): void {
  const entry = entryOf(backlog.topic, backlog.partition, message);
  const isWanted = backlog.window.file(entry.offset);
  if (backlog === lane.retry) lane.arrived(entry);
  if (!isWanted) return;
  const only = entry.headers[headerNames.only];
  if (only === undefined || only === group) {
    backlog.add(entry);
    return;
  }
  backlog.window.finish(entry.offset);
  ownership.changed(lane);
}

/**
 * Offsets are missing: expired, which is a loss; read under an earlier assignment, which a seek mends; or there never
 * was a message of ours, as after a transaction of another writer. False where the batch is not to be taken.
 */
async function passGap(parts: IntakeParts, lane: Lane, backlog: Backlog, offset: number): Promise<boolean> {
  const { topic, partition, window } = backlog;
  const from = window.next;
  try {
    const range = (await readRanges(parts.cluster, topic)).get(partition);
    if (range === undefined || lane.state !== 'open') return false;
    startOf(from, range, { groupId: parts.groupId, topic, partition });
  } catch (error) {
    if (kindOf(error) === 'retry') parts.log.warn({ error: messageOf(error) }, 'reading is tried again');
    else parts.onFailure(error);
    return false;
  }
  if (backlog.soughtAt !== from) {
    backlog.soughtAt = from;
    parts.member.seek(topic, partition, from);
    return false;
  }
  window.skipTo(offset);
  parts.ownership.changed(lane);
  return true;
}
