/**
 * One member of a consumer group: kafkajs with its commits confirmed, its ownership watched and its crashes told apart.
 *
 * kafkajs answers a rebalance by joining again at once, whatever is in work, so what it calls an assignment is here only
 * a request: who works on a partition is written beside the commits (decisions/0004-kafka-consumer.md).
 */
import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import { kindOf, messageOf } from '../../errors.ts';
import { backoffMs, pause, within } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import { Waker } from '../waker.ts';
import { type PeerData, readPeer, stickyAssigner } from './assigner.ts';
import type { KafkaCluster } from './client.ts';
import { explainKafka } from './faults.ts';
import { keepVigil } from './vigil.ts';

export interface MemberEvents {
  /** What the group gives this member, after each rebalance, and after a silence that ended. What is read follows later. */
  assigned(partitions: number[]): void;
  /** The group may have given everything to others. */
  fenced(why: string): void;
  /** Messages in the order of their offsets. Returns how many were taken; the rest is read again. */
  received(topic: string, partition: number, messages: KafkaMessage[]): Promise<number>;
  /** Nothing that passes by itself. */
  failed(error: unknown): void;
}

export interface MemberOptions {
  cluster: KafkaCluster;
  groupId: string;
  /** The first one's partitions are shared out; the others follow. */
  topics: [string, ...string[]];
  sessionTimeoutMs: number;
  own: () => PeerData;
  events: MemberEvents;
  log: Logger;
}

export interface Commit {
  topic: string;
  partition: number;
  offset: string;
  metadata: string;
}

export interface Member {
  /** As the group knows it; null while it is in none. */
  id(): string | null;
  start(signal: AbortSignal): Promise<void>;
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  seek(topic: string, partition: number, offset: number): void;
  /** True when the brokers have it. */
  commit(commits: Commit[]): Promise<boolean>;
  /** Everyone in the group, by id; null while it is between two generations. */
  peers(): Promise<Map<string, PeerData | null> | null>;
  /** Leaves the group. */
  stop(): Promise<void>;
}

// A partition that was resumed is read again after one such wait at the latest; an idle member asks as often.
const maxWaitMs = 250;
const retry = { initialRetryTime: 300, maxRetryTime: 15_000, retries: 8 };
const stopWaitMs = 5_000;

export function openMember({ cluster, groupId, topics, sessionTimeoutMs, own, events, log }: MemberOptions): Member {
  const heartbeatMs = Math.max(200, Math.min(3_000, sessionTimeoutMs / 10));
  let stopping = false;
  const consumer = cluster.kafka.consumer({
    groupId,
    partitionAssigners: [stickyAssigner(topics[0], own)],
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: Math.max(60_000, sessionTimeoutMs),
    heartbeatInterval: heartbeatMs,
    maxWaitTimeInMs: maxWaitMs,
    retry: { ...retry, restartOnFailure: async () => !stopping },
  });
  let id: string | null = null;
  let owned: number[] = [];
  let fenced = false;
  let commitsSeen = 0;
  let crashes = 0;
  let settled = new Waker();
  /** Fires when nothing more is to be consumed. */
  let wanted = AbortSignal.abort();

  const fence = (why: string) => {
    if (fenced) return;
    fenced = true;
    events.fenced(why);
  };
  const describe = async () => {
    const { groups } = await (await cluster.admin()).describeGroups([groupId]);
    return groups[0] ?? { state: 'Dead', members: [] };
  };
  const vigil = keepVigil({
    sessionTimeoutMs,
    isMember: async () => (await describe()).members.some(({ memberId }) => memberId === id),
    onSilence: () => {
      if (id !== null) fence('the group was silent for too long');
    },
    log,
  });
  const alive = () => {
    vigil.alive();
    if (!fenced || id === null) return;
    fenced = false;
    events.assigned(owned);
  };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    if (id !== null && id !== payload.memberId) fence('the group had forgotten this member');
    id = payload.memberId;
    owned = payload.memberAssignment[topics[0]] ?? [];
    fenced = false;
    crashes = 0;
    vigil.alive();
    settled.wake();
    events.assigned(owned);
  });
  consumer.on(consumer.events.HEARTBEAT, alive);
  consumer.on(consumer.events.COMMIT_OFFSETS, () => void commitsSeen++);
  consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
    fence('the connection to the group was lost');
    id = null;
    const explained = explainKafka(error, `consuming ${topics[0]} as group ${groupId}`);
    const goesOn = !stopping && (restart || explained.kind === 'retry');
    if (goesOn) settled = new Waker();
    else settled.wake();
    if (stopping) return;
    if (!goesOn) return events.failed(explained);
    const level = crashes++ < 3 ? 'warn' : 'error';
    log[level]({ groupId, crashes, error: explained.message }, 'consuming was interrupted; it goes on by itself');
    if (!restart) void runAgain(crashes);
  });

  /** kafkajs gives up for good on some outages, such as a coordinator that is nowhere to be found. */
  async function runAgain(attempt: number): Promise<void> {
    try {
      await pause(backoffMs(attempt, { baseMs: 500, maxMs: 15_000 }), wanted);
      await run(wanted);
    } catch (error) {
      events.failed(explainKafka(error, `consuming ${topics[0]} as group ${groupId}`));
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    await connect(signal);
    if (signal.aborted || stopping) {
      settled.wake();
      return await disconnect();
    }
    isRunning = true;
    vigil.start();
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch });
  }

  async function connect(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await consumer.connect();
        await consumer.subscribe({ topics, fromBeginning: true });
        return;
      } catch (thrown) {
        const error = explainKafka(thrown, `joining group ${groupId}`);
        if (kindOf(error) !== 'retry') throw error;
        log[attempt < 4 ? 'warn' : 'error']({ groupId, attempt, error: error.message }, 'cannot consume yet');
        await pause(backoffMs(attempt, { baseMs: 500, maxMs: 15_000 }), signal);
      }
    }
  }

  async function eachBatch({ batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    const taken = await events.received(batch.topic, batch.partition, batch.messages);
    const last = batch.messages[taken - 1];
    if (last !== undefined) resolveOffset(last.offset);
    await heartbeat();
  }

  let isRunning = false;
  let committing: Promise<unknown> = Promise.resolve();

  return {
    id: () => id,
    start: async (signal) => {
      wanted = signal;
      await run(signal);
    },
    pause: (topic, partition) => ifRunning(() => consumer.pause([{ topic, partitions: [partition] }])),
    resume: (topic, partition) => ifRunning(() => consumer.resume([{ topic, partitions: [partition] }])),
    seek: (topic, partition, offset) => consumer.seek({ topic, partition, offset: String(offset) }),
    commit: async (commits) => {
      const mine = committing.then(() => commitNow(commits));
      committing = mine;
      return mine;
    },
    peers: async () => {
      const { state, members } = await describe();
      if (state !== 'Stable') return null;
      return new Map(members.map(({ memberId, memberMetadata }) => [memberId, readPeer(memberMetadata)]));
    },
    stop: async () => {
      stopping = true;
      vigil.stop();
      // kafkajs forgets to end a join that is under way, and the member would live on unseen.
      if (isRunning) await settled.wait(stopWaitMs);
      await within(stopWaitMs, committing);
      await disconnect();
    },
  };

  /** A broker that is frozen must not hold up our end. */
  async function disconnect(): Promise<void> {
    const left = consumer
      .disconnect()
      .catch((error) => log.debug({ error: messageOf(error) }, 'leaving the group failed'));
    await within(stopWaitMs, left);
  }

  /** kafkajs resolves without a word where it is not running: its event is the only proof. */
  async function commitNow(commits: Commit[]): Promise<boolean> {
    if (commits.length === 0) return true;
    const before = commitsSeen;
    try {
      await consumer.commitOffsets(commits);
    } catch (error) {
      log.debug({ groupId, error: messageOf(error) }, 'committing failed');
    }
    return commitsSeen > before;
  }
}

/** Between a crash and the restart there is nothing to pause; the next assignment sets it all anew. */
function ifRunning(act: () => void): void {
  try {
    act();
  } catch {
    // kafkajs throws where its group is gone.
  }
}
