/** What our user may do at the brokers, as far as asking tells, and limits of the brokers that a consumer must keep to. */
import kafkajs, { type Admin } from 'kafkajs';
import { type Check, type Checklist, failure, ok } from '../checks.ts';
import type { Config } from '../config.ts';
import { namesOf } from '../topic/kafka/names.ts';
import { durationText } from './duration.ts';
import { saying, topicsOf } from './kafka-topics.ts';

export async function examineRights(list: Checklist, config: Config, admin: Admin): Promise<void> {
  await examineGroups(list, config, admin);
  list.add(...(await brokerChecks(config, admin)), await writingCheck(admin));
}

/** Who may not describe a group may not join it either. */
async function examineGroups(list: Checklist, config: Config, admin: Admin): Promise<void> {
  const { groupId } = namesOf(config['kafka.topicPrefix'], '');
  const ids = topicsOf(config).groups.map(groupId);
  if (ids.length === 0) return;
  const read = () => saying(`reading consumer groups ${ids.join(', ')}`, () => admin.describeGroups(ids));
  await list.attempt('kafka_groups', read, ({ groups }) =>
    groups.map(({ groupId: id, members }) => `group ${id} has ${members.length} members`).join(', '),
  );
}

/** None where the brokers do not show their settings to our user. */
async function brokerChecks(config: Config, admin: Admin): Promise<Check[]> {
  const names = ['group.min.session.timeout.ms', 'group.max.session.timeout.ms', 'socket.request.max.bytes'];
  const limits = await brokerSettings(admin, names);
  if (limits === null) return [];
  const [least, most, request] = limits.map(Number) as [number, number, number];
  return [sessionTimeoutCheck(config['kafka.sessionTimeout'], { least, most }), requestSizeCheck(config, request)];
}

function sessionTimeoutCheck(timeoutMs: number, { least, most }: { least: number; most: number }): Check {
  const name = 'kafka_session_timeout';
  if (timeoutMs >= least && timeoutMs <= most) {
    return ok(name, `the brokers take a kafka.sessionTimeout of ${durationText(timeoutMs)}`);
  }
  return failure(
    name,
    `kafka.sessionTimeout is ${durationText(timeoutMs)}, and the brokers take ${durationText(least)} to ${durationText(most)}`,
    `set kafka.sessionTimeout to ${durationText(Math.min(most, Math.max(least, timeoutMs)))}`,
  );
}

/** What stands around the message in a request, headers of a dead letter included. */
const aroundMessageBytes = 128 * 1024;

function requestSizeCheck(config: Config, request: number): Check {
  const name = 'kafka_request_size';
  const message = config['kafka.maxMessageSize'];
  const said = `kafka.maxMessageSize is ${message} bytes, and the brokers read requests of ${request}`;
  if (message + aroundMessageBytes <= request) return ok(name, said);
  return failure(name, said, `set kafka.maxMessageSize to ${request - aroundMessageBytes}B or less`);
}

/** Null where they are not shown to our user. */
async function brokerSettings(admin: Admin, names: string[]): Promise<string[] | null> {
  try {
    const { controller, brokers } = await admin.describeCluster();
    const id = String(controller ?? brokers[0]!.nodeId);
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.BROKER, name: id, configNames: names }],
    });
    const entries = resources[0]?.configEntries ?? [];
    const values = names.map((name) => entries.find(({ configName }) => configName === name)?.configValue);
    return values.every((value) => value !== undefined && value !== null) ? (values as string[]) : null;
  } catch {
    return null;
  }
}

/** A write can't be tried without writing; a cluster that knows no rights says so. */
async function writingCheck(admin: Admin): Promise<Check> {
  const name = 'kafka_rights';
  try {
    await admin.describeAcls({
      resourceType: kafkajs.AclResourceTypes.TOPIC,
      resourceName: 'trajectories',
      resourcePatternType: kafkajs.ResourcePatternTypes.MATCH,
      operation: kafkajs.AclOperationTypes.WRITE,
      permissionType: kafkajs.AclPermissionTypes.ANY,
    });
  } catch (error) {
    if (isWithoutAcls(error)) return ok(name, 'the cluster has no ACLs: whoever connects may read and write');
  }
  return ok(name, 'the cluster has ACLs: whether our user may write is not asked, since only a write would tell');
}

function isWithoutAcls(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ((at as { type?: unknown }).type === 'SECURITY_DISABLED') return true;
  }
  return false;
}
