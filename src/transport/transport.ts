/**
 * How trajectories, and what was compiled from them, travel between the parts of the pipe: through a file of this host,
 * or through a Kafka cluster. The parts do not know which.
 */
import type { Compiled, CompiledTurns, Trajectory } from '../records.ts';
import type { TrajectoryRef } from '../sessionizer/outbox.ts';
import type { ConsumeOptions, Handler, Lag, Message, Topic } from '../topic/topic.ts';

/** How a group of a topic stands. */
export interface GroupLag {
  topic: string;
  group: string;
  lag: Lag;
}

/** Since the start of this process, over all groups; always 0 where nothing of the kind can happen. */
export interface TopicCounts {
  topic: string;
  /** Deliveries to a handler that were not their message's first. */
  redeliveries: number;
  /** Messages that came again though they were finished, and were not worked on. */
  duplicates: number;
  /** Times that the partitions were shared out anew. */
  rebalances: number;
}

export type CompiledMessage = Compiled | CompiledTurns;

/** Of the compile stage, on the topic of trajectories. A sink's group bears the sink's name. */
export const compileGroup = 'compile';

export interface TrajectoryTopic {
  /** True where a published message holds the body; false where the journal must keep it until it is finished. */
  readonly carriesBodies: boolean;
  /** Resolves when all are durable on the topic. Parts of one session go out in order. */
  publish(refs: readonly TrajectoryRef[]): Promise<void>;
  consume(
    handler: (trajectory: Trajectory, signal: AbortSignal) => Promise<void>,
    options: ConsumeOptions,
  ): Promise<void>;
  /** Of these published trajectories, those whose bodies no unfinished message needs. */
  finishedAmong(trajectoryIds: readonly string[]): string[];
  lags(): Promise<GroupLag[]>;
  counts(): TopicCounts;
}

export interface CompiledTopic {
  /** Resolves when everything of it is durable on the topic. */
  publish(compiled: Compiled): Promise<void>;
  consume(
    sink: string,
    handler: (message: CompiledMessage, signal: AbortSignal) => Promise<void>,
    options: ConsumeOptions,
  ): Promise<void>;
  lags(): Promise<GroupLag[]>;
  counts(): TopicCounts;
}

/** A part of the pipe opens the topics it works on, and no other: it may have no right to more. */
export interface Transport {
  openTrajectories(): Promise<TrajectoryTopic>;
  openCompiled(): Promise<CompiledTopic>;
}

type Consumed<T> = Pick<Topic<T>, 'consume'>;

/** The topic's `consume`, and how many deliveries it made that were not their message's first. */
export function countRedeliveries<T>(topic: Consumed<T>): Consumed<T> & { redeliveries(): number } {
  let redeliveries = 0;
  return {
    redeliveries: () => redeliveries,
    consume(group, handler, options) {
      const counted: Handler<T> = (delivery) => {
        if (delivery.attempt > 1) redeliveries++;
        return handler(delivery);
      };
      return topic.consume(group, counted, options);
    },
  };
}

export function lagsOf(topic: Pick<Topic<never>, 'name' | 'lag'> & { groups(): string[] }): Promise<GroupLag[]> {
  return Promise.all(topic.groups().map(async (group) => ({ topic: topic.name, group, lag: await topic.lag(group) })));
}

/** Messages of different keys side by side, those of one key one after another. */
export async function publishInOrder<T>(
  topic: Pick<Topic<T>, 'publish'>,
  messages: readonly Message<T>[],
): Promise<void> {
  const byKey = new Map<string, Message<T>[]>();
  for (const message of messages) byKey.set(message.key, [...(byKey.get(message.key) ?? []), message]);
  await Promise.all(
    [...byKey.values()].map(async (ofKey) => {
      for (const message of ofKey) await topic.publish(message);
    }),
  );
}
