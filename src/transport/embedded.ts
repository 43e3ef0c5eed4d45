/** The topics of one host: a file, and the bodies of trajectories in the journal beside it. */
import { z } from 'zod';
import type { Releasers } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import type { Trajectory } from '../records.ts';
import { jsonCodec } from '../topic/codec.ts';
import { type EmbeddedTopic, openEmbeddedTopic } from '../topic/embedded.ts';
import { compiledCodec, wholeMessage } from './compiled-messages.ts';
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

/** The body is in the journal, and is read when it is delivered. */
const referenceSchema = z.object({ spec: z.literal('trajectory_ref/1'), trajectoryId: z.string() });
type Reference = z.infer<typeof referenceSchema>;

export interface EmbeddedTransportOptions {
  /** The file of the topics. */
  path: string;
  maxAttempts: number;
  /** Names of the sinks that get what is compiled from now on, whether or not they run. */
  sinks: readonly string[];
  bodies: {
    assemble(trajectoryId: string): Trajectory;
    forget(trajectoryIds: string[]): void;
  };
  log: Logger;
}

export function embeddedTransport(options: EmbeddedTransportOptions, releasers: Releasers): Transport {
  const { path, maxAttempts, sinks, bodies, log } = options;
  const common = { path, maxAttempts, log };
  return {
    async openTrajectories() {
      const topic = openEmbeddedTopic<Reference>({
        ...common,
        name: 'trajectories',
        groups: [compileGroup],
        codec: jsonCodec(referenceSchema, 'trajectory_ref/1'),
        onFinished: (ids) => bodies.forget(ids),
      });
      releasers.push('topic trajectories', () => topic.close());
      return trajectoryTopic(topic, bodies);
    },
    async openCompiled() {
      const topic = openEmbeddedTopic<CompiledMessage>({
        ...common,
        name: 'compiled',
        groups: sinks,
        codec: compiledCodec,
      });
      releasers.push('topic compiled', () => topic.close());
      for (const { group, lag } of await lagsOf(topic)) {
        if (!sinks.includes(group) && lag.messages > 0) log.warn(keptFor(group, lag.messages));
      }
      return compiledTopic(topic);
    },
  };
}

/** Another process may well write it, so this is no error; but what nobody fetches fills the disk. */
function keptFor(sink: string, messages: number): string {
  return `${messages} compiled messages are kept for the sink ${sink}, which this process does not write: where no other does either, put it back among sinks, or give it up with \`trajectory-compiler dlq drop ${sink}\``;
}

function trajectoryTopic(topic: EmbeddedTopic<Reference>, bodies: EmbeddedTransportOptions['bodies']): TrajectoryTopic {
  const consumed = countRedeliveries(topic);
  return {
    carriesBodies: false,
    publish: (refs) =>
      publishInOrder(
        topic,
        refs.map(({ trajectoryId, sessionId, agent }) => ({
          id: trajectoryId,
          key: sessionId,
          // While money is short, agents take turns.
          lane: agent ?? '',
          value: { spec: 'trajectory_ref/1', trajectoryId },
        })),
      ),
    consume: (handler, options) =>
      consumed.consume(
        compileGroup,
        ({ message, signal }) => handler(bodies.assemble(message.value.trajectoryId), signal),
        options,
      ),
    finishedAmong: (ids) => topic.finishedAmong(ids),
    lags: () => lagsOf(topic),
    counts: () => ({ topic: topic.name, redeliveries: consumed.redeliveries(), duplicates: 0, rebalances: 0 }),
  };
}

function compiledTopic(topic: EmbeddedTopic<CompiledMessage>): CompiledTopic {
  const consumed = countRedeliveries(topic);
  return {
    publish: (compiled) => topic.publish(wholeMessage(compiled)),
    consume: (sink, handler, options) =>
      consumed.consume(sink, ({ message, signal }) => handler(message.value, signal), options),
    lags: () => lagsOf(topic),
    counts: () => ({ topic: topic.name, redeliveries: consumed.redeliveries(), duplicates: 0, rebalances: 0 }),
  };
}
