/**
 * The idempotent producer of kafkajs 2.2.4, kept away from what would make it lose messages. Each rule has a test:
 *
 * - Its `connect()` says connected before it has a producer id; where the id then fails, it sends without one, in silence.
 *   A producer whose `connect()` failed is thrown away.
 * - A request that failed gives its sequence numbers back, though the broker may have written it. Another batch for that
 *   partition then goes out under the same numbers, is taken for a repetition, and acknowledged without being written. So
 *   there is one batch a partition at a time, and a producer with a batch of unknown outcome takes no other.
 * - It resolves without having sent anything where the partition has no leader that it knows of. Only an answer that names
 *   the partition counts.
 */
import { type Kafka, type Message, Partitioners, type Producer } from 'kafkajs';
import { exitCodes, retry } from '../../errors.ts';
import { pause } from '../../lifecycle.ts';

export interface PartitionBatch {
  topic: string;
  partition: number;
  messages: Message[];
}

export interface IdempotentProducer {
  /**
   * Resolves when all in-sync replicas have the batch; the caller sees to it that no other one for the partition is under
   * way. Rejects when the deadline fires: the batch may be written then, or not.
   */
  write(batch: PartitionBatch, deadline: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface Generation {
  producer: Producer;
  inFlight: number;
  retired: boolean;
}

const closeTimeoutMs = 5_000;

export function createIdempotentProducer(kafka: Kafka): IdempotentProducer {
  let current: Promise<Generation> | undefined;
  // kafkajs can't be told to give up; it asks for the partition before each attempt.
  const abandoned = new WeakSet<Message>();
  const createPartitioner = () => {
    const choose = Partitioners.DefaultPartitioner();
    return (about: Parameters<typeof choose>[0]) => {
      if (abandoned.has(about.message))
        throw new Error(`gave up sending to topic "${about.topic}": its deadline has passed`);
      return choose(about);
    };
  };

  const connect = async (): Promise<Generation> => {
    const producer = kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      maxInFlightRequests: 1,
      createPartitioner,
      retry: { retries: Number.MAX_SAFE_INTEGER },
    });
    try {
      await producer.connect();
    } catch (error) {
      void quit(producer);
      throw error;
    }
    return { producer, inFlight: 0, retired: false };
  };

  const connected = (): Promise<Generation> => {
    const attempt = current ?? connect();
    current = attempt;
    attempt.catch(() => {
      if (current === attempt) current = undefined;
    });
    return attempt;
  };

  const retire = (generation: Generation) => {
    if (generation.retired) return;
    generation.retired = true;
    current = undefined;
  };

  const release = (generation: Generation) => {
    generation.inFlight--;
    if (generation.retired && generation.inFlight === 0) void quit(generation.producer);
  };

  return {
    write: async ({ topic, partition, messages }, deadline) => {
      const generation = await within(deadline, connected());
      const batch = messages.map((message) => ({ ...message, partition }));
      generation.inFlight++;
      const sending = generation.producer.send({ topic, acks: -1, messages: batch });
      const settled = () => release(generation);
      sending.then(settled, settled);
      try {
        const written = await within(deadline, sending);
        if (!written.some((part) => part.partition === partition && part.errorCode === 0)) {
          throw retry('kafka_no_leader', `partition ${partition} of topic "${topic}" has no leader: it was not sent`, {
            exitCode: exitCodes.sourceUnavailable,
          });
        }
      } catch (error) {
        for (const message of batch) abandoned.add(message);
        retire(generation);
        throw error;
      }
    },
    close: async () => {
      const generation = await current?.catch(() => undefined);
      if (generation !== undefined) await quit(generation.producer);
    },
  };
}

function within<T>(deadline: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(retry('kafka_timeout', 'no answer in time', { exitCode: exitCodes.sourceUnavailable }));
    if (deadline.aborted) late();
    deadline.addEventListener('abort', late, { once: true });
    work.then(resolve, reject).finally(() => deadline.removeEventListener('abort', late));
  });
}

/** Its own disconnect waits for answers that a frozen broker never gives. */
async function quit(producer: Producer): Promise<void> {
  const patience = new AbortController();
  await Promise.race([producer.disconnect().catch(() => {}), pause(closeTimeoutMs, patience.signal)]);
  patience.abort();
}
