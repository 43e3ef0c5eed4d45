/** The topic of several hosts: a Kafka cluster. decisions/0004-kafka-consumer.md says how its promises are kept. */
import type { BackoffOptions } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { type Ages, createAges } from './kafka/age.ts';
import type { KafkaCluster } from './kafka/client.ts';
import { type Claims, packValue, unpackValue, type ValueForm } from './kafka/delivery.ts';
import { type Entry, headerNames } from './kafka/entry.ts';
import { unpack } from './kafka/envelope.ts';
import { type ConsumerCounts, GroupConsumer } from './kafka/group-consumer.ts';
import { byPartition, notReadHere, oldestReadHere, type Unfinished, unfinishedOf } from './kafka/lag.ts';
import type { Lane } from './kafka/lane.ts';
import { type LetterReader, openLetterReader } from './kafka/letter-reader.ts';
import { type Letter, letterOf, requeuedOf } from './kafka/letters.ts';
import { type KafkaNames, namesOf } from './kafka/names.ts';
import { readCommitted, readRanges } from './kafka/offsets.ts';
import { send } from './kafka/producer.ts';
import { groupSpecs, mainSpec } from './kafka/specs.ts';
import { ensureTopics } from './kafka/topics.ts';
import type { Codec, ConsumeOptions, DeadLetter, Handler, Lag, Message, ShownDeadLetter, Topic } from './topic.ts';

export interface KafkaTopicOptions<T> {
  cluster: KafkaCluster;
  /** In the pipe, such as `trajectories`; in Kafka `prefix` stands before it, and before the names of groups. */
  name: string;
  prefix: string;
  /** Groups whose retry and dead-letter topics are made at once, and whose lag is told. */
  groups: readonly string[];
  codec: Codec<T>;
  /** How values larger than `maxInlineBytes` travel; without, they travel inline. */
  claims?: Claims<T>;
  /** Compressed bytes. */
  maxInlineBytes: number;
  maxMessageBytes: number;
  partitions: number;
  /** 0: the broker's default. */
  replicationFactor: number;
  /** Null: for ever. */
  retentionMs: number | null;
  /** A consumer that is not heard of for this long loses its partitions. */
  sessionTimeoutMs: number;
  /** How long a consumer that loses a partition may go on with what it has in work there. */
  handoverTimeoutMs: number;
  /** Failures after which a message is parked. Default 10. */
  maxAttempts?: number;
  /** Default: 1 s, doubling up to 5 minutes. */
  backoff?: BackoffOptions;
  /** A longer wait is spent in the retry topic. Default 30 s. */
  retryTopicAfterMs?: number;
  /** What a consumer must share with the others of its group; `onPeers` hears of everyone's, and throws what stops. */
  memberTag?: string;
  onPeers?: (tags: string[]) => void;
  log: Logger;
}

export interface KafkaTopic<T> extends Topic<T> {
  groups(): string[];
  status(): ConsumerCounts;
}

/** @throws OperatorError as `ensureTopics` does, and `kafka_unreachable` where the brokers stay away. */
export async function openKafkaTopic<T>(options: KafkaTopicOptions<T>): Promise<KafkaTopic<T>> {
  const topic = new OnKafka(options);
  await topic.ensure();
  return topic;
}

class OnKafka<T> implements KafkaTopic<T> {
  readonly name: string;
  readonly #options: KafkaTopicOptions<T>;
  readonly #names: KafkaNames;
  readonly #form: ValueForm<T>;
  readonly #groups = new Map<string, Promise<void>>();
  readonly #readers = new Map<string, LetterReader>();
  readonly #ages = new Map<string, Ages>();
  /** By key, the last that is under way: messages of one key are sent one after another. */
  readonly #publishing = new Map<string, Promise<void>>();
  readonly #running = new Map<GroupConsumer, { group: string; run: Promise<void> }>();
  readonly #counts: ConsumerCounts = { duplicates: 0, rebalances: 0 };
  readonly #closing = new AbortController();

  constructor(options: KafkaTopicOptions<T>) {
    const { codec, claims, maxInlineBytes } = options;
    this.name = options.name;
    this.#options = options;
    this.#names = namesOf(options.prefix, options.name);
    this.#form = { codec, maxInlineBytes, ...(claims === undefined ? {} : { claims }) };
  }

  async ensure(): Promise<void> {
    const { cluster, groups } = this.#options;
    const retries = groups.flatMap((group) => groupSpecs(this.#options, group));
    const all = ensureTopics(cluster, [mainSpec(this.#options), ...retries]);
    for (const group of groups) this.#groups.set(group, all);
    await all;
  }

  async publish(message: Message<T>): Promise<void> {
    const { key, again } = message;
    const packed = packValue(message, this.#form);
    const before = this.#publishing.get(key) ?? Promise.resolve();
    const mine = before.then(async () => {
      const { value, headers } = await packed;
      const marked = again === undefined ? headers : { ...headers, [headerNames.requeued]: again };
      await send(this.#options.cluster, { topic: this.#names.main, key, value, headers: marked });
    });
    // Whatever became of it, the next of its key may go.
    const settled = mine
      .catch(() => {})
      .then(() => {
        if (this.#publishing.get(key) === settled) this.#publishing.delete(key);
      });
    this.#publishing.set(key, settled);
    await mine;
  }

  async consume(group: string, handler: Handler<T>, { concurrency, signal, abort }: ConsumeOptions): Promise<void> {
    const { cluster, maxAttempts = 10, backoff = { baseMs: 1_000, maxMs: 300_000 } } = this.#options;
    const { sessionTimeoutMs, handoverTimeoutMs, retryTopicAfterMs = 30_000, memberTag, onPeers, log } = this.#options;
    await this.#ensureGroup(group);
    const dead = this.#names.dead(group);
    const consumer = new GroupConsumer({
      cluster,
      group,
      groupId: this.#names.groupId(group),
      topics: { main: this.#names.main, retry: this.#names.retry(group) },
      handle: (entry, gaveUp) => this.#handle(entry, handler, gaveUp),
      bury: (entry, code, error, gaveUp) => send(cluster, letterOf(dead, group, entry, code, error), gaveUp),
      rules: { maxAttempts, backoff },
      retryTopicAfterMs,
      sessionTimeoutMs,
      handoverTimeoutMs,
      tag: memberTag ?? null,
      ...(onPeers === undefined ? {} : { onPeers }),
      counts: this.#counts,
      concurrency,
      signal: AbortSignal.any([signal, this.#closing.signal]),
      ...(abort === undefined ? {} : { abort }),
      log,
    });
    const run = consumer.run().finally(() => this.#running.delete(consumer));
    this.#running.set(consumer, { group, run });
    await run;
  }

  async lag(group: string): Promise<Lag> {
    await this.#ensureGroup(group);
    const { cluster } = this.#options;
    const topics = [this.#names.main, this.#names.retry(group)];
    const [committed, letters, ...ranges] = await Promise.all([
      readCommitted(cluster, this.#names.groupId(group), topics),
      this.deadLetters(group),
      ...topics.map((topic) => readRanges(cluster, topic)),
    ]);
    // Windows last: what they say is newer than what the brokers said.
    const consumers = [...this.#running].filter(([, one]) => one.group === group).map(([consumer]) => consumer);
    const lanes = consumers.flatMap((consumer) => consumer.held());
    const unfinished = topics.flatMap((topic, nth) => unfinishedOf(topic, ranges[nth]!, committed.get(topic), lanes));
    const messages = unfinished.reduce((sum, one) => sum + one.messages, 0);
    const inWork = consumers.reduce((sum, one) => sum + one.inWork, 0);
    return {
      messages,
      inWork,
      oldestAgeMs: messages === 0 ? null : await this.#oldestAge(group, unfinished, lanes),
      deadLetters: letters.length,
      partitions: byPartition(unfinished),
    };
  }

  async deadLetters(group: string): Promise<DeadLetter[]> {
    const letters = await this.#letters(group, false);
    return [...new Map(letters.map(({ letter }) => [letter.id, letter])).values()];
  }

  async showDeadLetter(group: string, id: string): Promise<ShownDeadLetter | null> {
    const found = (await this.#letters(group, true)).findLast(({ letter }) => letter.id === id);
    if (found === undefined) return null;
    // What is parked because its envelope is broken is shown as it lies there.
    const bytes = await unpack(found).then(
      (unpacked) => unpacked.bytes as Uint8Array,
      () => found.value,
    );
    return { letter: found.letter, bytes };
  }

  async requeue(group: string, id: string): Promise<boolean> {
    const { cluster } = this.#options;
    const found = (await this.#letters(group, true)).filter(({ letter }) => letter.id === id);
    const last = found.at(-1);
    if (last === undefined) return false;
    // In this order: between the two it is there twice, which a crash may leave so; never not at all.
    await send(cluster, requeuedOf(this.#names.main, last));
    const topic = this.#names.dead(group);
    for (const { letterKey } of found) await send(cluster, { topic, key: letterKey, value: null, headers: {} });
    return true;
  }

  groups(): string[] {
    return [...this.#groups.keys()];
  }

  status(): ConsumerCounts {
    return { ...this.#counts };
  }

  /** Drains first: what is in work is finished. The cluster stays open. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled([...this.#running.values()].map(({ run }) => run));
    await Promise.all([...this.#readers.values()].map((reader) => reader.close()));
    this.#readers.clear();
  }

  async #oldestAge(group: string, unfinished: readonly Unfinished[], lanes: readonly Lane[]): Promise<number | null> {
    const ages = this.#ages.get(group) ?? createAges(this.#options.cluster);
    this.#ages.set(group, ages);
    const now = Date.now();
    const elsewhere = await ages.oldestOf(notReadHere(unfinished, lanes), now);
    const known = [oldestReadHere(lanes), elsewhere].filter((at) => at !== null);
    return known.length === 0 ? null : Math.max(0, now - Math.min(...known));
  }

  async #handle(entry: Entry, handler: Handler<T>, signal: AbortSignal): Promise<void> {
    const value = await unpackValue(entry, this.#form, signal);
    const { id, key, attempts } = entry;
    await handler({ message: { id, key, value }, attempt: attempts + 1, signal });
  }

  async #letters(group: string, keepValues: boolean): Promise<Letter[]> {
    await this.#ensureGroup(group);
    const { cluster, log } = this.#options;
    const topic = this.#names.dead(group);
    const name = `${topic} ${keepValues}`;
    const reader = this.#readers.get(name) ?? openLetterReader({ cluster, topic, keepValues, log });
    this.#readers.set(name, reader);
    return await reader.letters();
  }

  async #ensureGroup(group: string): Promise<void> {
    const known = this.#groups.get(group) ?? ensureTopics(this.#options.cluster, groupSpecs(this.#options, group));
    this.#groups.set(group, known);
    await known.catch((error) => {
      this.#groups.delete(group);
      throw error;
    });
  }
}
