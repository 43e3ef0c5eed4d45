/** Topics are made where they are missing, and otherwise must be as wanted: what is there is never altered. */
import kafkajs, { type Admin } from 'kafkajs';
import { exitCodes, type OperatorError, stop } from '../../errors.ts';
import { pause } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import { explainKafka } from './faults.ts';

/** What a cluster offers to whoever looks after topics. */
interface TopicBrokers {
  readonly brokers: readonly string[];
  readonly log: Logger;
  readonly startTimeoutMs: number;
  readonly closing: AbortSignal;
  admin(): Promise<Admin>;
}

export interface TopicSpec {
  name: string;
  /** Fixed for ever: with another number, the keys would move to other partitions. */
  partitions: number;
  /** Null: for ever. */
  retentionMs: number | null;
  cleanup: 'delete' | 'compact';
  maxMessageBytes: number;
  /** 0: the broker's default. */
  replicationFactor: number;
}

export interface FoundTopic {
  partitions: number;
  replicas: number;
  config: Map<string, string>;
}

const spreadTimeoutMs = 10_000;

/**
 * Several processes may do this at once.
 *
 * @throws OperatorError `kafka_topic_partitions`, `kafka_topic_messages`, `kafka_topic_retention`, `kafka_topic_cleanup`
 * (stop) naming topic, found, wanted and what mends it.
 */
export async function ensureTopics(cluster: TopicBrokers, specs: readonly TopicSpec[]): Promise<void> {
  const admin = await cluster.admin();
  const named = specs.map(({ name }) => name);
  const present = await patiently(cluster, 'listing topics', () => admin.listTopics());
  for (const spec of specs.filter(({ name }) => !present.includes(name))) {
    await patiently(cluster, `creating topic "${spec.name}"`, () => createTopic(admin, spec));
  }
  const found = await patiently(cluster, `reading the settings of topics ${named.join(', ')}`, () =>
    describeTopics(admin, named),
  );
  for (const spec of specs) checkTopic(spec, found.get(spec.name)!, cluster.brokers[0] ?? '');
  warnOfFewReplicas(cluster, found);
}

/** `max.message.bytes` of a topic. */
export async function readMaxMessageBytes(admin: Admin, topic: string): Promise<number> {
  const found = await describeTopics(admin, [topic]);
  return Number(found.get(topic)?.config.get('max.message.bytes'));
}

/** With `validateOnly` the brokers say whether they would, and make nothing. */
export async function createTopic(admin: Admin, spec: TopicSpec, validateOnly = false): Promise<void> {
  // Resolves with false where another process was faster. Leaders are waited for where the topics are read: kafkajs throws
  // where the broker that it asks has not heard of the topic yet.
  await admin.createTopics({
    waitForLeaders: false,
    validateOnly,
    topics: [
      {
        topic: spec.name,
        numPartitions: spec.partitions,
        replicationFactor: spec.replicationFactor === 0 ? -1 : spec.replicationFactor,
        configEntries: [
          { name: 'cleanup.policy', value: spec.cleanup },
          { name: 'retention.ms', value: String(spec.retentionMs ?? -1) },
          { name: 'max.message.bytes', value: String(spec.maxMessageBytes) },
        ],
      },
    ],
  });
}

/** Waits for brokers that are away, and for topics that were just made and that not every broker knows yet. */
async function patiently<T>(cluster: TopicBrokers, doing: string, work: () => Promise<T>): Promise<T> {
  const since = Date.now();
  let said = '';
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const fault = explainKafka(error, doing);
      const spreads = fault.code === 'kafka_topic_missing';
      const patienceMs = spreads ? spreadTimeoutMs : fault.kind === 'retry' ? cluster.startTimeoutMs : 0;
      if (Date.now() - since >= patienceMs || cluster.closing.aborted) throw fault;
      // The same reason again is no news.
      if (!spreads && fault.message !== said) cluster.log.warn(`waiting for Kafka: ${fault.message}`);
      said = fault.message;
    }
    await pause(200, cluster.closing);
  }
}

/** Topics that are there. */
export async function describeTopics(admin: Admin, names: string[]): Promise<Map<string, FoundTopic>> {
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name,
      configNames: ['cleanup.policy', 'retention.ms', 'retention.bytes', 'max.message.bytes', 'min.insync.replicas'],
    })),
  });
  const configs = new Map(
    resources.map((resource) => [
      resource.resourceName,
      new Map(resource.configEntries.map((entry) => [entry.configName, entry.configValue])),
    ]),
  );
  return new Map(
    topics.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.length,
        replicas: Math.min(...partitions.map((partition) => partition.replicas.length)),
        config: configs.get(name) ?? new Map(),
      },
    ]),
  );
}

/** @throws OperatorError as {@link ensureTopics} does, where the topic is not as wanted. */
export function checkTopic(spec: TopicSpec, found: FoundTopic, broker: string): void {
  const mend = (setting: string, value: string | number) =>
    `kafka-configs.sh --bootstrap-server ${broker} --alter --entity-type topics --entity-name ${spec.name} --add-config ${setting}=${value}`;
  if (found.partitions !== spec.partitions) {
    throw misfit(
      'kafka_topic_partitions',
      `topic "${spec.name}" has ${found.partitions} partitions, kafka.partitions is ${spec.partitions}: a session must stay in its partition, so set kafka.partitions to ${found.partitions}, or kafka.topicPrefix to a name without topics`,
    );
  }
  const maxBytes = Number(found.config.get('max.message.bytes'));
  if (maxBytes < spec.maxMessageBytes) {
    throw misfit(
      'kafka_topic_messages',
      `topic "${spec.name}" takes messages of ${maxBytes} bytes, wanted are ${spec.maxMessageBytes} (kafka.maxMessageSize): ${mend('max.message.bytes', spec.maxMessageBytes)}`,
    );
  }
  const cleanup = found.config.get('cleanup.policy');
  if (cleanup !== spec.cleanup) {
    throw misfit(
      'kafka_topic_cleanup',
      `topic "${spec.name}" has cleanup.policy ${cleanup}, wanted is ${spec.cleanup}, else messages are lost: ${mend('cleanup.policy', spec.cleanup)}`,
    );
  }
  if (spec.cleanup === 'delete') checkRetention(spec, found, mend);
}

function checkRetention(
  spec: TopicSpec,
  { config }: FoundTopic,
  mend: (setting: string, value: string | number) => string,
): void {
  const wanted = spec.retentionMs ?? Number.POSITIVE_INFINITY;
  const retentionMs = Number(config.get('retention.ms'));
  if (retentionMs !== -1 && retentionMs < wanted) {
    throw misfit(
      'kafka_topic_retention',
      `topic "${spec.name}" keeps messages for ${retentionMs} ms, wanted are ${spec.retentionMs ?? 'all, for ever'}, else what waits is lost: ${mend('retention.ms', spec.retentionMs ?? -1)}`,
    );
  }
  const retentionBytes = Number(config.get('retention.bytes'));
  if (retentionBytes !== -1) {
    throw misfit(
      'kafka_topic_retention',
      `topic "${spec.name}" keeps at most ${retentionBytes} bytes a partition, whether or not they were read: ${mend('retention.bytes', -1)}`,
    );
  }
}

/** Clusters whose operator was told: every topic of a process would say it again. */
const warnedOfOne = new WeakSet<TopicBrokers>();

function warnOfFewReplicas(cluster: TopicBrokers, found: Map<string, FoundTopic>): void {
  const alone = [...found].filter(([, { replicas }]) => replicas === 1).map(([name]) => name);
  if (alone.length > 0 && !warnedOfOne.has(cluster)) {
    warnedOfOne.add(cluster);
    cluster.log.warn(
      `one replica only: a broker's disk that is lost takes messages with it (${alone.sort().join(', ')})`,
    );
  }
  const weak = [...found].filter(
    ([, { replicas, config }]) => replicas > 1 && config.get('min.insync.replicas') === '1',
  );
  if (weak.length > 0) {
    cluster.log.warn(
      `min.insync.replicas is 1: one broker's word counts as stored (${weak.map(([name]) => name).join(', ')})`,
    );
  }
}

function misfit(code: string, message: string): OperatorError {
  return stop(code, message, { exitCode: exitCodes.configuration });
}
