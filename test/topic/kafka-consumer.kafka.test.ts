import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { park, retry, stop } from '../../src/errors.ts';
import { maxUnfinishedDeliveries } from '../../src/topic/decide.ts';
import type { KafkaCluster } from '../../src/topic/kafka/client.ts';
import { pack } from '../../src/topic/kafka/envelope.ts';
import { send } from '../../src/topic/kafka/producer.ts';
import type { KafkaTopic, KafkaTopicOptions } from '../../src/topic/kafka.ts';
import type { Delivery } from '../../src/topic/topic.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { type Parcel, parcel } from './contract.ts';
import { clusterAt, newPrefix, openParcels, parcelCodec } from './kafka-pipe.ts';

const until = (condition: () => void | Promise<void>) => vi.waitFor(condition, { timeout: 40_000, interval: 20 });

describeKafka('a consumer on Kafka', () => {
  let kafka: TestKafka;
  let cluster: KafkaCluster;
  let prefix: string;
  const closing: (() => unknown)[] = [];
  beforeAll(async () => {
    // Members that are gone are noticed in seconds.
    kafka = await startKafka({ config: { 'group.min.session.timeout.ms': '1000' } });
    cluster = clusterAt(kafka.brokers);
  });
  afterAll(async () => {
    await cluster?.close();
    await kafka?.stop();
  });
  beforeEach(() => {
    prefix = newPrefix();
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function open(options: Partial<KafkaTopicOptions<Parcel>> = {}): Promise<KafkaTopic<Parcel>> {
    const topic = await openParcels(cluster, { prefix, sessionTimeoutMs: 2_000, ...options });
    closing.push(() => topic.close());
    return topic;
  }

  function run(
    topic: KafkaTopic<Parcel>,
    handler: (delivery: Delivery<Parcel>) => Promise<void> | void = () => {},
    { group = 'g', concurrency = 16 } = {},
  ) {
    const drain = new AbortController();
    const abort = new AbortController();
    const handled: string[] = [];
    const ended = topic.consume(
      group,
      async (delivery) => {
        await handler(delivery);
        handled.push(delivery.message.id);
      },
      { concurrency, signal: drain.signal, abort: abort.signal },
    );
    ended.catch(() => {});
    closing.push(() => abort.abort());
    const drained = () => {
      drain.abort();
      return ended;
    };
    return { handled, ended, drained, abort };
  }

  function gate() {
    let release = () => {};
    const opened = new Promise<void>((resolve) => {
      release = resolve;
    });
    return { opened, release };
  }

  function start({ partitions = 3, sessionTimeoutMs = 2_000 } = {}) {
    const script = join(import.meta.dirname, 'kafka-worker.ts');
    const args = [
      '--import',
      'tsx',
      script,
      kafka.brokers.join(','),
      prefix,
      String(partitions),
      String(sessionTimeoutMs),
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trim().split('\n')));
    const exited = new Promise((resolve) => child.once('exit', resolve));
    const kill = (signal: NodeJS.Signals) => child.kill(signal);
    closing.push(() => kill('SIGKILL') && exited);
    return { lines, kill, exited };
  }

  const publish = async (topic: KafkaTopic<Parcel>, keys: string[], n = 1) => {
    for (const key of keys) await topic.publish(parcel(key, n));
  };
  const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`);

  it('delivers a finished id once more for each time that it is sent again on purpose', async () => {
    const topic = await open();
    const { handled, drained } = run(topic);
    const sent = [parcel('a', 1), parcel('a', 1), { ...parcel('a', 1), again: '7' }, { ...parcel('a', 1), again: '7' }];
    for (const message of [...sent, { ...parcel('a', 1), again: '8' }, parcel('a', 2)]) await topic.publish(message);
    await until(() => expect(handled).toEqual(['a-1', 'a-1', 'a-1', 'a-2']));
    expect(topic.status().duplicates).toBe(2);
    await drained();
  });

  it('finishes what is in work when another consumer joins: each call is made once', async () => {
    const one = await open();
    const two = await open();
    await publish(one, keys);
    const { opened, release } = gate();
    const calls: string[] = [];
    const work = async ({ message, signal }: Delivery<Parcel>) => {
      calls.push(message.id);
      await opened;
      expect(signal.aborted).toBe(false);
    };
    const first = run(one, work);
    await until(() => expect(calls).toHaveLength(12));
    const second = run(two, work);
    await until(() => expect(one.status().rebalances).toBe(2));
    await until(() => expect(two.status().rebalances).toBeGreaterThan(0));
    // Time enough for several looks at what is free.
    const joined = performance.now();
    await until(() => expect(performance.now() - joined).toBeGreaterThan(1_500));
    expect(calls).toHaveLength(12);
    release();
    await publish(one, keys, 2);
    await until(() => expect(first.handled.length + second.handled.length).toBe(24));
    expect(calls.toSorted()).toEqual(keys.flatMap((key) => [`${key}-1`, `${key}-2`]).toSorted());
    expect(second.handled.length).toBeGreaterThan(0);
    expect(second.handled.every((id) => id.endsWith('-2'))).toBe(true);
    await first.drained();
    await second.drained();
  });

  it('gives up, at the deadline of a handover, what is still in work, and the next owner does it', async () => {
    const one = await open({ handoverTimeoutMs: 500 });
    const two = await open({ handoverTimeoutMs: 500 });
    await publish(one, keys);
    const told = new Map<string, AbortSignal>();
    const first = run(one, ({ message, signal }) => {
      told.set(message.id, signal);
      return new Promise(() => {});
    });
    await until(() => expect(told.size).toBe(12));
    const second = run(two);
    await until(() => expect(second.handled.length).toBeGreaterThan(0));
    await until(() => {
      const lost = [...told].filter(([, signal]) => signal.aborted).map(([id]) => id);
      expect(second.handled.toSorted()).toEqual(lost.toSorted());
      expect(lost.length).toBeLessThan(12);
    });
    first.abort.abort();
    await first.ended;
    await until(() => expect(second.handled).toHaveLength(12));
    await second.drained();
  });

  it('delivers, after a crash, what was not finished, and nothing of what was finished beyond it', async () => {
    const topic = await open({ partitions: 1 });
    const worker = start({ partitions: 1 });
    await publish(topic, ['hold', ...keys]);
    await until(() => expect(worker.lines.filter((line) => line.startsWith('did'))).toHaveLength(12));
    await until(async () => expect((await topic.lag('g')).messages).toBe(1));
    worker.kill('SIGKILL');
    await worker.exited;
    const attempts: number[] = [];
    const consumer = run(topic, ({ attempt }) => void attempts.push(attempt));
    await until(() => expect(consumer.handled).toEqual(['hold-1']));
    expect(attempts).toEqual([2]);
    await publish(topic, ['last']);
    await until(() => expect(consumer.handled).toEqual(['hold-1', 'last-1']));
    await consumer.drained();
  });

  it('tells a consumer that stood still that it lost its work, and records nothing of it', async () => {
    const topic = await open();
    const worker = start();
    await publish(topic, ['hold']);
    await until(() => expect(worker.lines).toEqual(['took hold-1 1']));
    worker.kill('SIGSTOP');
    const consumer = run(topic);
    await until(() => expect(consumer.handled).toEqual(['hold-1']));
    worker.kill('SIGCONT');
    await until(() => expect(worker.lines).toContain('lost hold-1'));
    worker.kill('SIGUSR2');
    await publish(topic, keys);
    const did = () => worker.lines.filter((line) => line.startsWith('did'));
    await until(() => expect(consumer.handled.length - 1 + did().length).toBe(12));
    expect(did()).not.toContain('did hold-1');
    worker.kill('SIGTERM');
    await worker.exited;
    await consumer.drained();
  });

  it('gives up its work when the brokers are silent for a session, and does it again when they are back', async () => {
    const topic = await open();
    await publish(topic, ['a']);
    const given: AbortSignal[] = [];
    const consumer = run(topic, async ({ signal }) => {
      given.push(signal);
      if (given.length === 1) await until(() => expect(signal.aborted).toBe(true));
    });
    await until(() => expect(given).toHaveLength(1));
    await kafka.freeze();
    await until(() => expect(given[0]!.aborted).toBe(true));
    await kafka.thaw();
    await until(() => expect(given).toHaveLength(2));
    await until(async () => expect((await topic.lag('g')).messages).toBe(0));
    expect(given).toHaveLength(2);
    await consumer.drained();
  });

  it('keeps its work while the group waits, for longer than a session, for a member that died', async () => {
    const topic = await open();
    await publish(topic, keys);
    const { opened, release } = gate();
    const told: AbortSignal[] = [];
    const consumer = run(topic, ({ signal }) => {
      told.push(signal);
      return opened;
    });
    await until(() => expect(told).toHaveLength(12));
    const worker = start({ sessionTimeoutMs: 8_000 });
    await until(() => expect(topic.status().rebalances).toBe(2));
    worker.kill('SIGKILL');
    await worker.exited;
    const begun = performance.now();
    const third = run(await open());
    await until(() => expect(topic.status().rebalances).toBe(3));
    expect(performance.now() - begun).toBeGreaterThan(4_000);
    expect(told.some(({ aborted }) => aborted)).toBe(false);
    release();
    await until(async () => expect((await topic.lag('g')).messages).toBe(0));
    expect([consumer.handled.length, third.handled.length]).toEqual([12, 0]);
    await third.drained();
    await consumer.drained();
  });

  it('holds up no other session for a slow one, in the same partition either', async () => {
    const topic = await open({ partitions: 1 });
    const { opened, release } = gate();
    await topic.publish(parcel('slow', 1));
    const others = Array.from({ length: 300 }, (_, index) => parcel(`key-${index % 30}`, index));
    for (const message of others) await topic.publish(message);
    const consumer = run(topic, ({ message }) => (message.key === 'slow' ? opened : undefined), { concurrency: 4 });
    await until(() => expect(consumer.handled).toHaveLength(300));
    await until(async () => expect((await topic.lag('g')).messages).toBe(1));
    release();
    await consumer.drained();
    expect((await topic.lag('g')).messages).toBe(0);
  });

  it('keeps its partitions while a handler runs for longer than the session may be silent', async () => {
    const topic = await open();
    await publish(topic, ['a']);
    const begun = performance.now();
    const attempts: number[] = [];
    const consumer = run(
      topic,
      async ({ attempt, signal }) => {
        attempts.push(attempt);
        await until(() => expect(performance.now() - begun).toBeGreaterThan(5_000));
        expect(signal.aborted).toBe(false);
      },
      // Every partition is full, or waits: kafkajs then has nothing to fetch.
      { concurrency: 1 },
    );
    await until(() => expect(consumer.handled).toEqual(['a-1']));
    expect([attempts, topic.status().rebalances]).toEqual([[1], 1]);
    await consumer.drained();
  });

  it('spends a long wait in the retry topic, the session in order behind it, over a restart too', async () => {
    const topic = await open({ partitions: 1, retryTopicAfterMs: 100 });
    await publish(topic, ['a', 'b']);
    await publish(topic, ['a', 'b'], 2);
    const attempts: string[] = [];
    const work = ({ message, attempt }: Delivery<Parcel>) => {
      attempts.push(`${message.id} ${attempt}`);
      if (message.id === 'a-1' && attempt === 1) throw retry('away', 'comes back later', { retryAfterMs: 5_000 });
    };
    const first = run(topic, work);
    await until(() => expect(first.handled).toEqual(['b-1', 'b-2']));
    await until(async () => expect(await offsetsOf('g')).toEqual([4, 0]));
    await first.drained();
    expect((await topic.lag('g')).messages).toBe(2);
    await publish(topic, ['a', 'b'], 3);
    const second = run(topic, work);
    await until(() => expect(second.handled).toEqual(['b-3', 'a-1', 'a-2', 'a-3']));
    expect(attempts).toEqual(['a-1 1', 'b-1 1', 'b-2 1', 'b-3 1', 'a-1 2', 'a-2 1', 'a-3 1']);
    await second.drained();
    expect((await topic.lag('g')).messages).toBe(0);
  });

  it('hands out nothing new before it knows which sessions wait in the retry topic', async () => {
    const topic = await open({ partitions: 1, retryTopicAfterMs: 100 });
    // More than is held in memory: the last one is read late.
    const waiting = [...Array.from({ length: 2_050 }, (_, index) => parcel(`key-${index}`, 1)), parcel('a', 1)];
    for (const message of waiting.slice(0, -1)) void topic.publish(message);
    await topic.publish(waiting.at(-1)!);
    const work = ({ message, attempt }: Delivery<Parcel>) => {
      if (attempt === 1 && message.value.n === 1) throw retry('away', 'comes back later', { retryAfterMs: 4_000 });
    };
    const first = run(topic, work, { concurrency: 300 });
    await until(async () => expect((await offsetsOf('g'))[0]).toBe(2_051));
    await first.drained();
    await publish(topic, ['a'], 2);
    const second = run(topic, work, { concurrency: 300 });
    await until(() => expect(second.handled).toContain('a-2'));
    expect(second.handled.filter((id) => id.startsWith('a-'))).toEqual(['a-1', 'a-2']);
    await second.drained();
  });

  it('parks anew what was put back too early, for its group alone', async () => {
    const topic = await open();
    const other = run(topic, () => {}, { group: 'other' });
    await publish(topic, ['a']);
    let deliveries = 0;
    const consumer = run(topic, () => {
      deliveries++;
      throw park('refused', 'the handler refuses it');
    });
    for (let round = 1; round <= 4; round++) {
      await until(async () => expect(await topic.deadLetters('g')).toHaveLength(1));
      expect(deliveries).toBe(round);
      expect(await topic.requeue('g', 'a-1')).toBe(true);
    }
    await until(async () => expect(await topic.deadLetters('g')).toHaveLength(1));
    await until(async () => expect((await topic.lag('other')).messages).toBe(0));
    expect([deliveries, other.handled]).toEqual([5, ['a-1']]);
    await Promise.all([consumer.drained(), other.drained()]);
  });

  it('parks what is no envelope of ours, shows it as it lies there, and goes on', async () => {
    const topic = await open({ partitions: 1 });
    const { value, headers } = await pack({ id: 'newer', bytes: Buffer.from('text') });
    const write = (more: object) => send(cluster, { topic: `${prefix}parcels`, key: 'a', value, headers, ...more });
    await write({ headers: { ...headers, envelope: '2' } });
    await write({ headers: { ...headers, id: 'false', sha256: '00' } });
    await write({ headers: {}, value: Buffer.from('text') });
    await publish(topic, ['a']);
    const consumer = run(topic);
    await until(() => expect(consumer.handled).toEqual(['a-1']));
    const letters = await topic.deadLetters('g');
    expect(letters.map(({ id, code }) => [id, code])).toEqual([
      ['newer', 'envelope_version'],
      ['false', 'envelope_hash'],
      [`${prefix}parcels/0/2`, 'bad_message'],
    ]);
    expect(String((await topic.showDeadLetter('g', letters[2]!.id))?.bytes)).toBe('text');
    await consumer.drained();
  });

  it('parks a message whose consumers keep dying of it', async () => {
    const topic = await open({ partitions: 1, groups: ['g'] });
    const { value, headers } = await pack({ id: 'deadly', bytes: parcelCodec.encode(parcel('a', 1).value) });
    const begun = { attempts: String(maxUnfinishedDeliveries + 1), failures: '1' };
    const retryTopic = `${prefix}parcels.g.retry`;
    await send(cluster, { topic: retryTopic, partition: 0, key: 'a', value, headers: { ...headers, ...begun } });
    const consumer = run(topic);
    await publish(topic, ['b']);
    await until(async () =>
      expect(await topic.deadLetters('g')).toMatchObject([{ id: 'deadly', code: 'consumer_died' }]),
    );
    await until(() => expect(consumer.handled).toEqual(['b-1']));
    await consumer.drained();
  });

  it('stops where messages expired that nobody had handled, and says how many', async () => {
    const topic = await open({ partitions: 1 });
    await publish(topic, keys);
    const stopping = run(topic, () => {
      throw stop('enough', 'enough');
    });
    await stopping.ended.catch(() => {});
    await expire(5);
    await expect(run(topic).ended).rejects.toMatchObject({
      kind: 'stop',
      code: 'kafka_messages_expired',
      message: expect.stringContaining('5 messages of topic'),
    });
    const fresh = run(topic, () => {}, { group: 'new' });
    await until(() => expect(fresh.handled).toHaveLength(7));
    await fresh.drained();
  });

  it('stops where messages expire while it is behind', async () => {
    const topic = await open({ partitions: 1 });
    const { opened, release } = gate();
    const behind = Array.from({ length: 2_100 }, (_, index) => parcel(`key-${index % 50}`, index));
    await Promise.all(behind.map((message) => topic.publish(message)));
    const consumer = run(topic, () => opened, { concurrency: 1 });
    await until(async () => expect((await topic.lag('g')).inWork).toBe(1));
    await expire(2_090);
    release();
    await expect(consumer.ended).rejects.toMatchObject({ code: 'kafka_messages_expired' });
    // What kafkajs committed in its place is not what the group had handled.
    await expect(run(topic).ended).rejects.toMatchObject({ code: 'kafka_messages_expired' });
  });

  it('carries what is large as a claim, and redeems it where it is handled', async () => {
    const large = parcel('a', 1);
    const claims = {
      encode: ({ n }: Parcel) => Buffer.from(`row ${n}`),
      redeem: async (bytes: Uint8Array) => {
        if (String(bytes) === 'row 2') throw park('claim_lost', 'the rows are gone');
        return large.value;
      },
    };
    const topic = await open({ maxInlineBytes: 10, claims });
    await publish(topic, ['a']);
    await publish(topic, ['a'], 2);
    const values: Parcel[] = [];
    const consumer = run(topic, ({ message }) => void values.push(message.value));
    await until(async () => expect(await topic.deadLetters('g')).toMatchObject([{ id: 'a-2', code: 'claim_lost' }]));
    expect(values).toEqual([large.value]);
    expect(String((await topic.showDeadLetter('g', 'a-2'))?.bytes)).toBe('row 2');
    await consumer.drained();
    const without = await open();
    const second = run(without, () => {}, { group: 'other' });
    await until(async () => expect(await without.deadLetters('other')).toHaveLength(2));
    expect((await without.deadLetters('other'))[0]).toMatchObject({ code: 'claim_unexpected' });
    await second.drained();
  });

  it('tells every member what its peers share, and stops where one refuses them', async () => {
    const seen: string[][] = [];
    const one = await open({ memberTag: 'store-1', onPeers: (tags) => void seen.push(tags.toSorted()) });
    const first = run(one);
    await until(() => expect(seen).toEqual([['store-1']]));
    const refuse = (tags: string[]) => {
      if (tags.includes('store-1')) throw stop('other_store', 'the others keep their calls elsewhere');
    };
    const two = await open({ memberTag: 'store-2', onPeers: refuse });
    await expect(run(two).ended).rejects.toMatchObject({ code: 'other_store' });
    await until(() => expect(seen).toContainEqual(['store-1', 'store-2']));
    await first.drained();
  });

  it('idles without work: under a tenth of a processor', async () => {
    const topic = await open({ partitions: 12 });
    const consumer = run(topic);
    await until(() => expect(topic.status().rebalances).toBe(1));
    await publish(topic, ['a']);
    await until(() => expect(consumer.handled).toEqual(['a-1']));
    const [begun, before] = [performance.now(), process.cpuUsage()];
    await until(() => expect(performance.now() - begun).toBeGreaterThan(4_000));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000 / (performance.now() - begun)).toBeLessThan(0.1);
    await consumer.drained();
  });

  it('goes on after the broker was killed and came back, and loses nothing', async () => {
    const topic = await open();
    const consumer = run(topic);
    await publish(topic, keys);
    await until(() => expect(consumer.handled).toHaveLength(12));
    await kafka.kill();
    const restarted = kafka.restart();
    // Publishing gives up after a while, as its caller then decides; here it begins anew.
    await until(() => publish(topic, keys, 2));
    await restarted;
    await until(() => expect(new Set(consumer.handled).size).toBe(24));
    await until(async () => expect((await topic.lag('g')).messages).toBe(0));
    await consumer.drained();
  });

  async function offsetsOf(group: string): Promise<number[]> {
    const topics = [`${prefix}parcels`, `${prefix}parcels.${group}.retry`];
    const found = await (await cluster.admin()).fetchOffsets({ groupId: `${prefix}${group}`, topics });
    return topics.map((topic) => Number(found.find((one) => one.topic === topic)?.partitions[0]?.offset));
  }

  async function expire(offset: number): Promise<void> {
    const admin = await cluster.admin();
    await admin.deleteTopicRecords({
      topic: `${prefix}parcels`,
      partitions: [{ partition: 0, offset: String(offset) }],
    });
  }
});
