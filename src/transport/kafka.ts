/** The topics of a Kafka cluster: trajectories travel whole or as claims, what was compiled below the limit of messages. */
import type { Releasers } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { type Trajectory, trajectorySchema } from '../records.ts';
import type { TrajectoryRef } from '../sessionizer/outbox.ts';
import { jsonCodec } from '../topic/codec.ts';
import type { KafkaCluster } from '../topic/kafka/client.ts';
import { type KafkaTopic, type KafkaTopicOptions, openKafkaTopic } from '../topic/kafka.ts';
import type { Message } from '../topic/topic.ts';
import { encodeClaim, type RowReader, redeemClaim } from './claims.ts';
import { compiledCodec, messagesOf } from './compiled-messages.ts';
import {
  type CompiledMessage,
  type CompiledTopic,
  compileGroup,
  countRedeliveries,
  lagsOf,
  publishInOrder,
  type TrajectoryTopic,
  type Transport,
} from './transport.ts';

export interface KafkaTransportOptions
  extends Omit<
    KafkaTopicOptions<never>,
    'name' | 'groups' | 'codec' | 'claims' | 'retentionMs' | 'memberTag' | 'onPeers' | 'cluster'
  > {
  openCluster: () => KafkaCluster;
  retentionMs: number | null;
  compiledRetentionMs: number | null;
  sinks: readonly string[];
  /** The bodies of what is published. */
  assemble: (trajectoryId: string) => Trajectory;
  /** Where claims are redeemed. */
  openReader: () => Promise<RowReader>;
  /** What compile workers must share, and what to do about a peer that has another. */
  peers: Pick<KafkaTopicOptions<never>, 'memberTag' | 'onPeers'>;
  log: Logger;
}

/** Bytes of trajectories that are on their way to the brokers at once. */
const bytesInFlight = 32 * 1024 * 1024;

export function kafkaTransport(options: KafkaTransportOptions, releasers: Releasers): Transport {
  const { openCluster, retentionMs, compiledRetentionMs, sinks, assemble, openReader, peers, ...topicOptions } =
    options;
  let opened: KafkaCluster | null = null;
  const cluster = () => {
    if (opened === null) {
      const made = openCluster();
      releasers.push('Kafka', () => made.close());
      opened = made;
    }
    return opened;
  };
  return {
    async openTrajectories() {
      const topic = await openKafkaTopic<Trajectory>({
        ...topicOptions,
        ...peers,
        cluster: cluster(),
        name: 'trajectories',
        groups: [compileGroup],
        retentionMs,
        codec: jsonCodec(trajectorySchema, 'trajectory/1'),
        claims: { encode: encodeClaim, redeem: (bytes) => redeemClaim(bytes, openReader) },
      });
      releasers.push('topic trajectories', () => topic.close());
      return trajectoryTopic(topic, assemble);
    },
    async openCompiled() {
      const topic = await openKafkaTopic<CompiledMessage>({
        ...topicOptions,
        cluster: cluster(),
        name: 'compiled',
        groups: sinks,
        retentionMs: compiledRetentionMs,
        codec: compiledCodec,
      });
      releasers.push('topic compiled', () => topic.close());
      return compiledTopic(topic, options.maxInlineBytes);
    },
  };
}

function trajectoryTopic(topic: KafkaTopic<Trajectory>, assemble: (id: string) => Trajectory): TrajectoryTopic {
  const consumed = countRedeliveries(topic);
  return {
    carriesBodies: true,
    async publish(refs) {
      for (const some of withinBytes(refs)) {
        const messages = some.map((ref) => messageOf(ref, assemble(ref.trajectoryId)));
        await publishInOrder(topic, messages);
      }
    },
    consume: (handler, options) =>
      consumed.consume(compileGroup, ({ message, signal }) => handler(message.value, signal), options),
    finishedAmong: (ids) => [...ids],
    lags: () => lagsOf(topic),
    counts: () => ({ topic: topic.name, redeliveries: consumed.redeliveries(), ...topic.status() }),
  };
}

/** One that was lost is delivered once more, to a member that has finished it too. */
export function messageOf({ resentAt }: Pick<TrajectoryRef, 'resentAt'>, value: Trajectory): Message<Trajectory> {
  const again = resentAt === null ? {} : { again: String(resentAt) };
  return { id: value.id, key: value.sessionId, value, ...again };
}

function* withinBytes(refs: readonly TrajectoryRef[]): Generator<TrajectoryRef[]> {
  let some: TrajectoryRef[] = [];
  let bytes = 0;
  for (const ref of refs) {
    if (some.length > 0 && bytes + ref.bytes > bytesInFlight) {
      yield some;
      some = [];
      bytes = 0;
    }
    some.push(ref);
    bytes += ref.bytes;
  }
  if (some.length > 0) yield some;
}

function compiledTopic(topic: KafkaTopic<CompiledMessage>, maxBytes: number): CompiledTopic {
  const consumed = countRedeliveries(topic);
  return {
    publish: (compiled) => publishInOrder(topic, messagesOf(compiled, maxBytes)),
    consume: (sink, handler, options) =>
      consumed.consume(sink, ({ message, signal }) => handler(message.value, signal), options),
    lags: () => lagsOf(topic),
    counts: () => ({ topic: topic.name, redeliveries: consumed.redeliveries(), ...topic.status() }),
  };
}
