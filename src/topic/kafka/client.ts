/** One connection to a cluster, shared by all topics of a process. */
import { type Admin, Kafka, type SASLOptions } from 'kafkajs';
import { messageOf } from '../../errors.ts';
import { pause } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import { explainKafka } from './faults.ts';
import { kafkaLogCreator, kafkaLogLevel } from './logging.ts';
import { createSender, type Sender } from './producer.ts';
import './quiet-queue.ts';
import { holdSockets } from './sockets.ts';

export interface KafkaOptions {
  /** `host:port` of some brokers; the others are learned from them. */
  brokers: readonly string[];
  clientId: string;
  /** PEM text. Null: not encrypted. */
  tls: { ca?: string; cert?: string; key?: string } | null;
  sasl: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string } | null;
  /** How long one message may take until all in-sync replicas have it. */
  sendTimeoutMs: number;
  /** How long brokers that are not there yet are waited for, 60 s if not said. */
  startTimeoutMs?: number;
  log: Logger;
  /** Ends all waiting for brokers that are away. */
  signal?: AbortSignal;
}

export interface KafkaCluster {
  readonly kafka: Kafka;
  readonly brokers: readonly string[];
  readonly log: Logger;
  /** How long brokers that are away at the start are waited for. */
  readonly startTimeoutMs: number;
  /** Fires when nothing is to be waited for any more. */
  readonly closing: AbortSignal;
  readonly sender: Sender;
  /**
   * Connected, shared. The first call waits for the brokers for `startTimeoutMs`.
   *
   * @throws OperatorError `kafka_unreachable` after that; `kafka_auth` and `kafka_tls` at once.
   */
  admin(): Promise<Admin>;
  /** Waits for what is being sent. Consumers are stopped before: no connection is left afterwards. */
  close(): Promise<void>;
}

const connectionTimeoutMs = 5_000;
const requestTimeoutMs = 30_000;
const closeTimeoutMs = 5_000;
// About six seconds in all: then whoever called hears of it, and decides.
const retries = { initialRetryTime: 100, maxRetryTime: 5_000, retries: 6 };

export function openKafka(options: KafkaOptions): KafkaCluster {
  const { brokers, sendTimeoutMs, startTimeoutMs = 60_000, log } = options;
  const sockets = holdSockets();
  const kafka = new Kafka({
    brokers: [...brokers],
    clientId: options.clientId,
    ...(options.tls === null ? {} : { ssl: { ...options.tls } }),
    ...(options.sasl === null ? {} : { sasl: options.sasl as SASLOptions }),
    socketFactory: sockets.factory,
    connectionTimeout: connectionTimeoutMs,
    // Half, so that a message whose request got no answer is tried once more before its deadline.
    requestTimeout: Math.min(requestTimeoutMs, Math.ceil(sendTimeoutMs / 2)),
    retry: retries,
    logLevel: kafkaLogLevel(log),
    logCreator: kafkaLogCreator(log),
  });
  const closed = new AbortController();
  const closing = options.signal === undefined ? closed.signal : AbortSignal.any([closed.signal, options.signal]);
  let shared: Promise<Admin> | undefined;
  const admin = (): Promise<Admin> => {
    shared ??= connectAdmin(kafka, { brokers, startTimeoutMs, log }, closing).catch((error) => {
      shared = undefined;
      throw error;
    });
    return shared;
  };
  const sender = createSender({ kafka, admin, sendTimeoutMs });
  return {
    kafka,
    brokers,
    log,
    startTimeoutMs,
    closing,
    sender,
    admin,
    close: async () => {
      closed.abort();
      await sender.close();
      const open = await shared?.catch(() => undefined);
      if (open !== undefined) await quit(open);
      sockets.close();
    },
  };
}

async function connectAdmin(
  kafka: Kafka,
  options: Required<Pick<KafkaOptions, 'brokers' | 'startTimeoutMs' | 'log'>>,
  closing: AbortSignal,
): Promise<Admin> {
  const brokers = options.brokers.join(', ');
  const deadline = Date.now() + options.startTimeoutMs;
  let said = '';
  for (;;) {
    const admin = kafka.admin();
    try {
      await admin.connect();
      // A broker that wants credentials lets anybody connect, and closes at the first question.
      await admin.describeCluster();
      if (said !== '') options.log.info(`connected to Kafka at ${brokers}`);
      return admin;
    } catch (error) {
      await quit(admin);
      const fault = explainKafka(error, `connecting to Kafka at ${brokers}`);
      if (fault.kind !== 'retry' || Date.now() >= deadline || closing.aborted) throw fault;
      const waiting = `waiting for Kafka at ${brokers}: ${messageOf(error)}`;
      // The same reason again is no news.
      if (waiting !== said) options.log.warn(waiting);
      said = waiting;
    }
    await pause(Math.min(1_000, Math.max(0, deadline - Date.now())), closing);
  }
}

/** Its own disconnect waits for answers that a frozen broker never gives. */
async function quit(admin: Admin): Promise<void> {
  const patience = new AbortController();
  await Promise.race([admin.disconnect().catch(() => {}), pause(closeTimeoutMs, patience.signal)]);
  patience.abort();
}
