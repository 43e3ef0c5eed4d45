/**
 * Sending: acknowledged by all in-sync replicas, within a deadline of our own. What waits for the same partition travels
 * as one batch; partitions do not wait for each other.
 */
import { type Admin, type Kafka, Partitioners } from 'kafkajs';
import { exitCodes, type OperatorError, park, retry } from '../../errors.ts';
import { explainKafka } from './faults.ts';
import { createIdempotentProducer } from './idempotent.ts';
import { readMaxMessageBytes } from './topics.ts';

export interface OutgoingMessage {
  topic: string;
  /** Messages of one key share a partition. To keep their order, await each before sending the next. */
  key: string;
  /** Null: a tombstone, for compacted topics. */
  value: Buffer | null;
  headers: Record<string, string>;
  /** In place of the key's own. */
  partition?: number;
}

export interface Sender {
  send(message: OutgoingMessage, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface Waiting {
  message: OutgoingMessage;
  expiresAtMs: number;
  signal: AbortSignal | undefined;
  resolve: () => void;
  reject: (error: unknown) => void;
}

interface Lane {
  topic: string;
  partition: number;
  queue: Waiting[];
  running: Promise<void> | undefined;
}

const maxBatchBytes = 256 * 1024;
const maxBatchMessages = 200;

/**
 * Resolves when all in-sync replicas have the message. After an error it may have been written all the same, so sending it
 * again can double it: whoever reads knows messages by their id.
 *
 * @throws OperatorError `message_too_large` (park), `kafka_timeout` and `kafka_unreachable` (retry), what can't be mended
 * by waiting (stop); the signal's reason where it fired.
 */
export function send({ sender }: { sender: Sender }, message: OutgoingMessage, signal?: AbortSignal): Promise<void> {
  return sender.send(message, signal);
}

export function createSender(options: { kafka: Kafka; admin: () => Promise<Admin>; sendTimeoutMs: number }): Sender {
  const { kafka, admin, sendTimeoutMs } = options;
  const producer = createIdempotentProducer(kafka);
  const partitionOf = createPartitionLookup(admin);
  const lanes = new Map<string, Lane>();

  const inFull = async (fault: OperatorError, message: OutgoingMessage): Promise<OperatorError> => {
    if (fault.code === 'kafka_timeout') return timeoutOf(message.topic, sendTimeoutMs);
    return fault.code === 'message_too_large' ? await nameLimit(admin, message, fault) : fault;
  };

  const write = async (lane: Lane, batch: Waiting[]): Promise<void> => {
    const expiresAtMs = Math.min(...batch.map((waiting) => waiting.expiresAtMs));
    const deadline = AbortSignal.timeout(Math.max(0, expiresAtMs - Date.now()));
    const { topic, partition } = lane;
    const messages = batch.map(({ message: { key, value, headers } }) => ({ key, value, headers }));
    try {
      await producer.write({ topic, partition, messages }, deadline);
    } catch (error) {
      const fault = explainKafka(error, `publishing to topic "${topic}"`);
      // The limit is on the batch: apart, most of them may pass.
      if (fault.code === 'message_too_large' && batch.length > 1) {
        for (const waiting of batch) await write(lane, [waiting]);
        return;
      }
      const told = await inFull(fault, batch[0]!.message);
      for (const waiting of batch) waiting.reject(told);
      return;
    }
    for (const waiting of batch) waiting.resolve();
  };

  const run = async (lane: Lane): Promise<void> => {
    while (lane.queue.length > 0) {
      const batch = takeBatch(lane.queue);
      if (batch.length > 0) await write(lane, batch);
    }
    lane.running = undefined;
  };

  const enqueue = (topic: string, partition: number, waiting: Waiting) => {
    const name = `${topic}/${partition}`;
    const lane = lanes.get(name) ?? { topic, partition, queue: [], running: undefined };
    lanes.set(name, lane);
    lane.queue.push(waiting);
    // On the next turn of the loop, so that what is sent together travels together.
    lane.running ??= Promise.resolve().then(() => run(lane));
  };

  return {
    send: (message, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const expiresAtMs = Date.now() + sendTimeoutMs;
        const cancel = () => reject(signal?.reason);
        signal?.addEventListener('abort', cancel, { once: true });
        const done = (settle: () => void) => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', cancel);
          settle();
        };
        const waiting: Waiting = {
          message,
          expiresAtMs,
          signal,
          resolve: () => done(resolve),
          reject: (error) => done(() => reject(error)),
        };
        const timer = setTimeout(() => waiting.reject(timeoutOf(message.topic, sendTimeoutMs)), sendTimeoutMs);
        partitionOf(message).then((partition) => enqueue(message.topic, partition, waiting), waiting.reject);
      }),
    close: async () => {
      await Promise.all([...lanes.values()].map((lane) => lane.running));
      await producer.close();
    },
  };
}

/** Takes the next messages that travel together, and drops those that nobody waits for any more. */
function takeBatch(queue: Waiting[]): Waiting[] {
  const batch: Waiting[] = [];
  for (let bytes = 0; queue.length > 0 && batch.length < maxBatchMessages; queue.shift()) {
    const next = queue[0]!;
    if (next.signal?.aborted || next.expiresAtMs <= Date.now()) continue;
    bytes += sizeOf(next.message);
    if (batch.length > 0 && bytes > maxBatchBytes) break;
    batch.push(next);
  }
  return batch;
}

function sizeOf({ key, value, headers }: OutgoingMessage): number {
  const extra = Object.entries(headers).reduce((sum, [name, text]) => sum + name.length + text.length, 0);
  return Buffer.byteLength(key) + (value?.length ?? 0) + extra;
}

/** The number of partitions is fixed (`ensureTopics` sees to it), so it is asked for once a topic. */
function createPartitionLookup(admin: () => Promise<Admin>): (message: OutgoingMessage) => Promise<number> {
  const choose = Partitioners.DefaultPartitioner();
  const counts = new Map<string, number>();
  return async ({ topic, key, partition }) => {
    if (partition !== undefined) return partition;
    let count = counts.get(topic);
    if (count === undefined) {
      const doing = `publishing to topic "${topic}"`;
      const { topics } = await admin()
        .then((open) => open.fetchTopicMetadata({ topics: [topic] }))
        .catch((error) => Promise.reject(explainKafka(error, doing)));
      count = topics[0]?.partitions.length ?? 0;
      counts.set(topic, count);
    }
    const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
      ...{ partitionErrorCode: 0, partitionId, leader: 0, replicas: [], isr: [] },
    }));
    return choose({ topic, partitionMetadata, message: { key, value: null } });
  };
}

function timeoutOf(topic: string, sendTimeoutMs: number): OperatorError {
  return retry(
    'kafka_timeout',
    `publishing to topic "${topic}": not acknowledged by all in-sync replicas within ${sendTimeoutMs} ms (kafka.sendTimeout); it may be written all the same`,
    { exitCode: exitCodes.sourceUnavailable },
  );
}

async function nameLimit(
  admin: () => Promise<Admin>,
  message: OutgoingMessage,
  fault: OperatorError,
): Promise<OperatorError> {
  const limit = await admin()
    .then((open) => readMaxMessageBytes(open, message.topic))
    .catch(() => null);
  return park(
    'message_too_large',
    `publishing to topic "${message.topic}": the message has ${sizeOf(message)} bytes, the topic takes ${limit ?? 'fewer'} (its max.message.bytes); raise kafka.maxMessageSize and the topic's setting`,
    { cause: fault },
  );
}
