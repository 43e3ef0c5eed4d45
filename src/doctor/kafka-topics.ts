/** The topics of the pipe: those that are there as they must be, those that are not may be made. */
import type { Admin } from 'kafkajs';
import { type Check, type Checklist, failure, ok, warning } from '../checks.ts';
import type { Config } from '../config.ts';
import { kafkaTopicSettings } from '../stages.ts';
import { explainKafka } from '../topic/kafka/faults.ts';
import { groupSpecs, mainSpec } from '../topic/kafka/specs.ts';
import { checkTopic, createTopic, describeTopics, type FoundTopic, type TopicSpec } from '../topic/kafka/topics.ts';
import { compileGroup } from '../transport/transport.ts';

/** Of the roles that run here, and the groups that read them. */
export function topicsOf(config: Config): { specs: TopicSpec[]; groups: string[] } {
  const { compiledRetentionMs, ...settings } = kafkaTopicSettings(config);
  const does = (...roles: Config['roles']) => roles.some((role) => config.roles.includes(role));
  const trajectories = { ...settings, name: 'trajectories' };
  const compiled = { ...settings, name: 'compiled', retentionMs: compiledRetentionMs };
  const specs = [
    ...(does('capture', 'compile') ? [mainSpec(trajectories), ...groupSpecs(trajectories, compileGroup)] : []),
    ...(does('compile', 'sink')
      ? [mainSpec(compiled), ...config.sinks.flatMap((sink) => groupSpecs(compiled, sink))]
      : []),
  ];
  const groups = [...(does('compile') ? [compileGroup] : []), ...(does('sink') ? config.sinks : [])];
  return { specs, groups };
}

export async function examineTopics(list: Checklist, config: Config, admin: Admin): Promise<void> {
  const { specs } = topicsOf(config);
  const present = await list.attempt('kafka_topics', () => saying('listing topics', () => admin.listTopics()));
  if (present === null) return;
  const there = specs.filter(({ name }) => present.includes(name));
  const missing = specs.filter(({ name }) => !present.includes(name));
  await examinePresent(list, config, admin, there);
  await examineMissing(list, admin, missing);
}

async function examinePresent(list: Checklist, config: Config, admin: Admin, specs: TopicSpec[]): Promise<void> {
  if (specs.length === 0) return;
  const names = specs.map(({ name }) => name);
  const reading = `reading the settings of topics ${names.join(', ')}`;
  const found = await list.attempt('kafka_topics', () => saying(reading, () => describeTopics(admin, names)));
  if (found === null) return;
  const broker = config['kafka.brokers'][0] ?? '';
  let fit = 0;
  for (const spec of specs) {
    const checked = await list.attempt('kafka_topics', () => {
      checkTopic(spec, found.get(spec.name)!, broker);
      return true;
    });
    if (checked !== null) fit += 1;
  }
  if (fit > 0)
    list.add(ok('kafka_topics', `${fit} topics are there as they must be (${config['kafka.topicPrefix']}…)`));
  list.add(replicasCheck(found));
  await examineLeaders(list, admin, names);
}

function replicasCheck(found: Map<string, FoundTopic>): Check {
  const name = 'kafka_replicas';
  const least = Math.min(...[...found.values()].map(({ replicas }) => replicas));
  if (least === 1) {
    return warning(
      name,
      "topics have one replica: a broker's disk that is lost takes messages with it",
      'kafka-reassign-partitions.sh gives topics more; kafka.replicationFactor: 3 is for those made later',
    );
  }
  const weak = [...found].filter(([, { config }]) => config.get('min.insync.replicas') === '1').map(([topic]) => topic);
  if (weak.length === 0) return ok(name, `topics have ${least} replicas or more`);
  return warning(
    name,
    `min.insync.replicas of ${weak.join(', ')} is 1: one broker's word counts as stored`,
    `kafka-configs.sh --alter --entity-type topics --entity-name ${weak[0]} --add-config min.insync.replicas=2, and so for each`,
  );
}

async function examineLeaders(list: Checklist, admin: Admin, topics: string[]): Promise<void> {
  const name = 'kafka_leaders';
  const read = () => saying('reading partitions', () => admin.fetchTopicMetadata({ topics }));
  const metadata = await list.attempt(name, read);
  if (metadata === null) return;
  const headless = metadata.topics.flatMap(({ name: topic, partitions }) =>
    partitions.filter(({ leader }) => leader < 0).map(({ partitionId }) => `${topic}/${partitionId}`),
  );
  if (headless.length === 0) list.add(ok(name, 'every partition has a leader'));
  else {
    const sentence = `partitions without a leader take and give nothing: ${headless.join(', ')}`;
    list.add(failure(name, sentence, 'start the brokers that hold them'));
  }
}

/** The brokers are asked whether they would, which checks rights, replicas and policies. */
async function examineMissing(list: Checklist, admin: Admin, specs: TopicSpec[]): Promise<void> {
  if (specs.length === 0) return;
  let makeable = 0;
  for (const spec of specs) {
    const doing = `asking whether topic "${spec.name}" may be created`;
    const asked = await list.attempt('kafka_topics', () =>
      saying(doing, async () => (await createTopic(admin, spec, true)) ?? true),
    );
    if (asked === null) break;
    makeable += 1;
  }
  if (makeable < specs.length) return;
  const names = specs.map(({ name }) => name).join(', ');
  list.add(ok('kafka_topics', `not there yet, and made by the first start, which may: ${names}`));
}

/** @throws OperatorError as `explainKafka` words it. */
export async function saying<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explainKafka(error, doing);
  }
}
