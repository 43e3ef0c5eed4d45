/** Keeps the dead letters of a group at hand: reads their topic from its beginning and stays with it. */
import { randomUUID } from 'node:crypto';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { within } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import { Waker } from '../waker.ts';
import type { KafkaCluster } from './client.ts';
import { explainKafka } from './faults.ts';
import { type Letter, readLetter } from './letters.ts';
import { readRanges } from './offsets.ts';

export interface LetterReader {
  /** All that are there at this moment, oldest first. Values are empty unless they are kept. */
  letters(): Promise<Letter[]>;
  close(): Promise<void>;
}

interface Reading {
  consumer: Consumer;
  letters: Map<string, Letter>;
  next: number;
  /** Answers of the brokers since something was read last. */
  quiet: number;
  news: Waker;
  failure: unknown;
}

const maxWaitMs = 1_000;
/** Brokers that are frozen must not hold up our end. */
const closeWithinMs = 5_000;
// Compaction may have taken the last messages: then the end is where several answers bring nothing.
const quietAtEnd = 3;

export function openLetterReader(options: {
  cluster: KafkaCluster;
  topic: string;
  keepValues: boolean;
  log: Logger;
}): LetterReader {
  const { cluster, topic, keepValues, log } = options;
  let opening: Promise<Reading> | undefined;

  const letters = async () => {
    opening ??= read(cluster, topic, keepValues);
    const mine = opening;
    try {
      const reading = await mine;
      const end = (await readRanges(cluster, topic)).get(0)?.high ?? 0;
      await caughtUp(reading, end);
      return [...reading.letters.values()].toSorted((a, b) => (a.letter.parkedAt < b.letter.parkedAt ? -1 : 1));
    } catch (error) {
      // The next one to ask begins anew.
      if (opening === mine) opening = undefined;
      void close(mine, log);
      throw explainKafka(error, `reading the dead letters of topic ${topic}`);
    }
  };
  return { letters, close: () => close(opening, log) };
}

async function read(cluster: KafkaCluster, topic: string, keepValues: boolean): Promise<Reading> {
  const consumer = cluster.kafka.consumer({
    // Nobody shares it and nothing is committed: it is gone with its only member.
    groupId: `${topic}.reader.${randomUUID()}`,
    maxWaitTimeInMs: maxWaitMs,
    retry: { restartOnFailure: async () => false },
  });
  const reading: Reading = { consumer, letters: new Map(), next: 0, quiet: 0, news: new Waker(), failure: undefined };
  consumer.on(consumer.events.FETCH, () => {
    reading.quiet++;
    reading.news.wake();
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    reading.failure = payload.error;
    reading.news.wake();
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ autoCommit: false, eachBatch: (payload) => fold(reading, payload, keepValues) });
  return reading;
}

async function fold(reading: Reading, { batch }: EachBatchPayload, keepValues: boolean): Promise<void> {
  for (const message of batch.messages) {
    const letter = readLetter(message);
    if (letter === null) reading.letters.delete(String(message.key));
    else reading.letters.set(letter.letterKey, keepValues ? letter : { ...letter, value: Buffer.alloc(0) });
    reading.next = Number(message.offset) + 1;
  }
  reading.quiet = 0;
  reading.news.wake();
}

async function caughtUp(reading: Reading, end: number): Promise<void> {
  reading.quiet = 0;
  while (reading.next < end && reading.quiet < quietAtEnd) {
    if (reading.failure !== undefined) throw reading.failure;
    await reading.news.wait(maxWaitMs);
  }
}

async function close(opening: Promise<Reading> | undefined, log: Logger): Promise<void> {
  try {
    await within(
      closeWithinMs,
      opening?.then(({ consumer }) => consumer.disconnect()),
    );
  } catch (error) {
    log.debug({ error: String(error) }, 'closing the reader of dead letters failed');
  }
}
