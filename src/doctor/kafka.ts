/** The Kafka cluster: each broker, the connection, topics and groups as the pipe opens them. Nothing is made or sent. */
import type { Admin } from 'kafkajs';
import { type Checklist, failure, ok, warning } from '../checks.ts';
import type { Config } from '../config.ts';
import { exitCodes, type OperatorError, retry, stop } from '../errors.ts';
import { createLogger } from '../log.ts';
import { kafkaConnection } from '../stages.ts';
import { type KafkaCluster, openKafka } from '../topic/kafka/client.ts';
import { explainKafka } from '../topic/kafka/faults.ts';
import { examineRights } from './kafka-rights.ts';
import { examineTopics } from './kafka-topics.ts';
import { type HostPort, hostPortOf, whyUnreachable } from './reach.ts';

export async function examineKafka(list: Checklist, config: Config, signal: AbortSignal): Promise<void> {
  const connection = await list.attempt('kafka_settings', () => kafkaConnection(config));
  if (connection === null) return;
  if (!(await examineAddresses(list, config['kafka.brokers'], signal))) return;
  const cluster = openKafka({ ...connection, startTimeoutMs: 0, signal, log: createLogger('silent') });
  const stopped = () => void cluster.close();
  signal.addEventListener('abort', stopped, { once: true });
  try {
    const admin = await connect(list, cluster, config, signal);
    if (admin === null) return;
    await examineTopics(list, config, admin);
    await examineRights(list, config, admin);
  } finally {
    signal.removeEventListener('abort', stopped);
    await cluster.close();
  }
}

/** The addresses of the settings: one that answers is enough. */
async function examineAddresses(list: Checklist, brokers: readonly string[], signal: AbortSignal): Promise<boolean> {
  const name = 'kafka_brokers';
  const asked = await Promise.all(
    brokers.map(async (broker) => ({ broker, why: await whyUnreachable(hostPortOf(broker), signal) })),
  );
  const away = asked.filter(({ why }) => why !== null).map(({ broker, why }) => `${broker}: ${why}`);
  const remedy = 'check that the brokers run, and kafka.brokers (TC_KAFKA_BROKERS)';
  if (away.length === 0) list.add(ok(name, `${brokers.join(', ')} can be reached`));
  else if (away.length < brokers.length) list.add(warning(name, away.join('; '), remedy));
  else list.add({ ...failure(name, away.join('; '), remedy), exitCode: exitCodes.sourceUnavailable });
  return away.length < brokers.length;
}

async function connect(
  list: Checklist,
  cluster: KafkaCluster,
  config: Config,
  signal: AbortSignal,
): Promise<Admin | null> {
  const way = [
    config['kafka.tls'] === 'on' ? 'encrypted' : 'unencrypted',
    config['kafka.saslMechanism'] === 'none' ? 'without a user' : `as ${config['kafka.saslUsername']}`,
  ].join(', ');
  const connecting = `connecting to Kafka at ${cluster.brokers.join(', ')}`;
  const found = await list.attempt('kafka_connection', async () => {
    try {
      const admin = await cluster.admin();
      return { admin, ...(await admin.describeCluster()) };
    } catch (error) {
      throw misledBy(error, cluster.brokers) ?? withRemedy(explainKafka(error, connecting));
    }
  });
  if (found === null) return null;
  const { admin, brokers, clusterId } = found;
  const one = brokers.length === 1 ? 'one broker' : `${brokers.length} brokers`;
  list.add(ok('kafka_connection', `cluster ${clusterId} of ${one} answers (${way})`));
  return (await examineAdvertised(list, brokers, signal)) ? admin : null;
}

/**
 * A cluster tells its clients where each broker is, whatever address they came by: names that only its own network knows
 * are the usual mistake.
 */
async function examineAdvertised(
  list: Checklist,
  brokers: readonly (HostPort & { nodeId: number })[],
  signal: AbortSignal,
): Promise<boolean> {
  const name = 'kafka_advertised';
  const asked = await Promise.all(
    brokers.map(async (broker) => ({ ...broker, why: await whyUnreachable(broker, signal) })),
  );
  const away = asked.filter(({ why }) => why !== null);
  const where = ({ nodeId, host, port }: (typeof asked)[number]) => `broker ${nodeId} at ${host}:${port}`;
  if (away.length === 0) {
    list.add(ok(name, `every broker is reached where the cluster says it is: ${asked.map(where).join(', ')}`));
    return true;
  }
  const sentence = `the cluster sends its clients to ${away.map((each) => `${where(each)}: ${each.why}`).join('; ')}`;
  list.add(failure(name, sentence, listeners));
  return false;
}

const listeners = 'set advertised.listeners of that broker to an address that this host reaches, or make it known here';

/** Somebody takes connections there, and says nothing that kafkajs understands. */
function withRemedy(fault: OperatorError): OperatorError {
  if (fault.code !== 'kafka_failed') return fault;
  const remedy = 'check that a broker listens at that port, and that kafka.tls and kafka.saslMechanism agree with it';
  return retry('kafka_unanswered', `${fault.message}: ${remedy}`, { cause: fault });
}

/** A connection that failed at an address that nobody gave: the cluster told it. Null for any other error. */
function misledBy(error: unknown, brokers: readonly string[]): OperatorError | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { broker } = at as { broker?: unknown };
    if (typeof broker !== 'string' || brokers.includes(broker)) continue;
    const sentence = `the cluster sends its clients to ${broker}: ${at.message}`;
    return stop('kafka_advertised', `${sentence}: ${listeners}`, { exitCode: exitCodes.configuration, cause: error });
  }
  return null;
}
