/** What kafkajs throws, said to an operator and classified. */
import { exitCodes, messageOf, OperatorError, park, retry, stop } from '../../errors.ts';

interface KafkaFault extends Error {
  /** Of protocol errors, such as `UNKNOWN_TOPIC_OR_PARTITION`. */
  type?: string;
  /** Of connection errors, such as `ECONNREFUSED`. */
  code?: string | number;
}

type Explain = (said: string, doing: string, cause: unknown) => OperatorError;

const configuration = { exitCode: exitCodes.configuration };

const credentials: Explain = (said, doing, cause) =>
  stop(
    'kafka_auth',
    `${doing}: the brokers refuse who we are (${said}); check kafka.saslMechanism, kafka.saslUsername and kafka.saslPassword`,
    { ...configuration, cause },
  );

const encryption: Explain = (said, doing, cause) =>
  stop(
    'kafka_tls',
    `${doing}: no encrypted connection (${said}); check that kafka.tls agrees with that port of the brokers, that kafka.tlsCa holds the authority that signed their certificates, and, where they ask for ours, kafka.tlsCert and kafka.tlsKey`,
    { ...configuration, cause },
  );

const permission: Explain = (said, doing, cause) =>
  stop('kafka_not_authorised', `${doing}: our user at the brokers lacks the right to (${said}); grant it by an ACL`, {
    ...configuration,
    cause,
  });

const missingTopic: Explain = (said, doing, cause) =>
  stop(
    'kafka_topic_missing',
    `${doing}: the topic is not there (${said}); a start with the right to create topics makes it, or an administrator does; check kafka.topicPrefix`,
    { ...configuration, cause },
  );

const replicas: Explain = (said, doing, cause) =>
  stop(
    'kafka_topic_replicas',
    `${doing}: ${said}; set kafka.replicationFactor to no more than the cluster has brokers, or to 0 for its default`,
    { ...configuration, cause },
  );

const policy: Explain = (said, doing, cause) =>
  stop(
    'kafka_topic_policy',
    `${doing}: a policy of the cluster is against it (${said}); keep to it with kafka.partitions, kafka.replicationFactor, kafka.retention and kafka.maxMessageSize, or let an administrator make the topic`,
    { ...configuration, cause },
  );

const tooLarge: Explain = (said, doing, cause) => park('message_too_large', `${doing}: ${said}`, { cause });

const tooOld: Explain = (said, doing, cause) =>
  stop('kafka_version', `${doing}: the brokers do not speak a version of the protocol that we do (${said})`, {
    ...configuration,
    cause,
  });

const unreachable: Explain = (said, doing, cause) =>
  retry('kafka_unreachable', `${doing}: ${said}`, { exitCode: exitCodes.sourceUnavailable, cause });

/** What a listener does to a client that speaks to it in another way than it expects. */
const closed: Explain = (said, doing, cause) =>
  unreachable(
    `${said}; brokers that close connections at once may want kafka.tls or kafka.saslMechanism`,
    doing,
    cause,
  );

const byType: Record<string, Explain> = {
  SASL_AUTHENTICATION_FAILED: credentials,
  UNSUPPORTED_SASL_MECHANISM: credentials,
  ILLEGAL_SASL_STATE: credentials,
  TOPIC_AUTHORIZATION_FAILED: permission,
  GROUP_AUTHORIZATION_FAILED: permission,
  CLUSTER_AUTHORIZATION_FAILED: permission,
  UNKNOWN_TOPIC_OR_PARTITION: missingTopic,
  INVALID_TOPIC_EXCEPTION: missingTopic,
  INVALID_REPLICATION_FACTOR: replicas,
  POLICY_VIOLATION: policy,
  MESSAGE_TOO_LARGE: tooLarge,
  RECORD_LIST_TOO_LARGE: tooLarge,
  UNSUPPORTED_VERSION: tooOld,
};

const byName: Record<string, Explain> = {
  KafkaJSSASLAuthenticationError: credentials,
  KafkaJSServerDoesNotSupportApiKey: tooOld,
  KafkaJSConnectionError: unreachable,
  KafkaJSConnectionClosedError: closed,
  KafkaJSRequestTimeoutError: unreachable,
  KafkaJSBrokerNotFound: unreachable,
  KafkaJSNoBrokerAvailableError: unreachable,
  // What kafkajs calls final is a broker that is starting.
  KafkaJSGroupCoordinatorNotFound: unreachable,
  KafkaJSLockTimeout: unreachable,
};

/** Codes of Node's TLS that waiting does not mend: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const certificateCodes =
  /^(ERR_SSL_|ERR_TLS_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|CRL_|HOSTNAME_MISMATCH|INVALID_CA)/;

/**
 * `doing` says what was done to what: `publishing to topic "trajectories"`. An error of ours passes as it is; what
 * nobody knows is retried.
 */
export function explainKafka(error: unknown, doing: string): OperatorError {
  for (const fault of causes(error)) {
    if (fault instanceof OperatorError) return fault;
    const explain = explanationOf(fault as KafkaFault);
    if (explain !== undefined) return explain(fault.message, doing, error);
  }
  return retry('kafka_failed', `${doing}: ${messageOf(error)}`, { cause: error });
}

function explanationOf(fault: KafkaFault): Explain | undefined {
  if (typeof fault.code === 'string' && certificateCodes.test(fault.code)) return encryption;
  if (fault.code === 'ECONNRESET') return closed;
  return byType[fault.type ?? ''] ?? byName[fault.name];
}

/** From the outside in: kafkajs wraps what it gave up on, and gathers what went wrong with several topics. */
function* causes(error: unknown): Generator<Error> {
  for (let inner = error; inner instanceof Error; ) {
    yield inner;
    inner = (inner as { errors?: unknown[] }).errors?.[0] ?? inner.cause;
  }
}
