import type { Admin, Producer } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type KafkaCluster, openKafka } from '../../src/topic/kafka/client.ts';
import { send } from '../../src/topic/kafka/producer.ts';
import { ensureTopics } from '../../src/topic/kafka/topics.ts';
import { type LogLine, recordingLog } from '../support/kafka/recording-log.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const maxMessageBytes = 1_000_000;
let nextTopic = 0;

describeKafka('sending', () => {
  let proxy: TcpProxy;
  let kafka: TestKafka;
  let aside: KafkaCluster;
  let admin: Admin;
  let topic: string;
  const opened: KafkaCluster[] = [];

  beforeAll(async () => {
    proxy = await startProxy();
    kafka = await startKafka({ advertisedPort: proxy.port });
    proxy.target = kafka.listenerPort;
    aside = connect(kafka.openBrokers, 30_000);
    admin = await aside.admin();
  });
  beforeEach(async () => {
    topic = `sent-${nextTopic++}`;
    await ensureTopics(aside, [
      { name: topic, partitions: 4, retentionMs: null, cleanup: 'delete', maxMessageBytes, replicationFactor: 0 },
    ]);
    // A broker names itself the leader of a new partition before it answers as one.
    await vi.waitFor(() => admin.fetchTopicOffsets(topic), { timeout: 20_000 });
  });
  afterEach(async () => {
    proxy.thaw();
    await Promise.all(opened.splice(0).map((cluster) => cluster.close()));
  });
  afterAll(async () => {
    await aside?.close();
    await proxy?.stop();
    await kafka?.stop();
  });

  const connect = (brokers: string[], sendTimeoutMs: number, log = recordingLog().log) =>
    openKafka({ brokers, clientId: 'test', tls: null, sasl: null, sendTimeoutMs, log });
  const open = (sendTimeoutMs = 30_000) => {
    const cluster = connect(kafka.brokers, sendTimeoutMs);
    opened.push(cluster);
    return cluster;
  };
  const message = (text: string, more: { key?: string; partition?: number } = {}) => ({
    ...{ topic, key: 'one session', value: Buffer.from(text), headers: {} },
    ...more,
  });
  const written = async () => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  };

  it('resolves when the message is there, with its key, headers and tombstones', async () => {
    const cluster = open();
    await send(cluster, { ...message('text'), headers: { id: 'm-1' } });
    await send(cluster, { ...message(''), value: null });
    expect(await readAll(aside, topic, 2)).toEqual([
      { key: 'one session', text: 'text', headers: { id: 'm-1' } },
      { key: 'one session', text: null, headers: {} },
    ]);
  });

  it('keeps a key in the partition where other clients look for it', async () => {
    const cluster = open();
    const keys = Array.from({ length: 50 }, (_, number) => `session-${number}`);
    await Promise.all(keys.map((key) => send(cluster, message('ours', { key }))));
    const bare = aside.kafka.producer();
    await bare.connect();
    const before = await admin.fetchTopicOffsets(topic);
    await bare.send({ topic, messages: keys.map((key) => ({ key, value: 'theirs' })) });
    await bare.disconnect();
    const after = await admin.fetchTopicOffsets(topic);
    for (const { partition, high } of after) {
      const ours = before.find((one) => one.partition === partition)!;
      expect(Number(high)).toBe(2 * Number(ours.high));
    }
  });

  it('sends to the partition that was asked for', async () => {
    await send(open(), message('text', { partition: 3 }));
    const offsets = await admin.fetchTopicOffsets(topic);
    expect(offsets.find(({ partition }) => partition === 3)?.high).toBe('1');
  });

  it('parks a message that is too large, naming size, limit and setting; what was sent beside it arrives', async () => {
    const cluster = open();
    const small = Array.from({ length: 20 }, (_, number) =>
      send(cluster, message(`small ${number}`, { partition: 0 })),
    );
    const large = send(cluster, { ...message('', { partition: 0 }), value: Buffer.alloc(maxMessageBytes + 1) });
    await expect(large).rejects.toMatchObject({
      kind: 'park',
      code: 'message_too_large',
      message: expect.stringMatching(/1000\d+ bytes, the topic takes 1000000 .*kafka\.maxMessageSize/),
    });
    await Promise.all(small);
    expect(await written()).toBe(20);
  });

  it('parks only the one that is too large where a topic takes less than a batch', async () => {
    const name = `${topic}-tight`;
    await ensureTopics(aside, [
      { name, partitions: 1, retentionMs: null, cleanup: 'delete', maxMessageBytes: 20_000, replicationFactor: 0 },
    ]);
    const cluster = open();
    const sizes = [15_000, 15_000, 30_000, 15_000];
    const outcomes = await Promise.allSettled(
      sizes.map((size) => send(cluster, { topic: name, key: 'k', value: Buffer.alloc(size), headers: {} })),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  });

  it('stops at a topic that is not there', async () => {
    await expect(send(open(), { ...message('text'), topic: 'nowhere' })).rejects.toMatchObject({
      kind: 'stop',
      code: 'kafka_topic_missing',
      message: expect.stringContaining('topic "nowhere"'),
    });
  });

  it('does not take for sent what kafkajs did not send: a partition without a leader', async () => {
    const bare = aside.kafka.producer({ idempotent: true });
    await bare.connect();
    await expect(bare.send({ topic, messages: [{ value: 'lost', partition: 9 }] })).resolves.toEqual([]);
    await bare.disconnect();
    await expect(send(open(), message('text', { partition: 9 }))).rejects.toMatchObject({
      kind: 'retry',
      code: 'kafka_no_leader',
    });
  });

  it('rejects at its deadline while the brokers answer nothing, and goes on when they do', async () => {
    const cluster = open(1_000);
    await send(cluster, message('before'));
    proxy.freeze('everything');
    await expect(send(cluster, message('frozen'))).rejects.toMatchObject({
      kind: 'retry',
      code: 'kafka_timeout',
      message: expect.stringContaining('kafka.sendTimeout'),
    });
    proxy.thaw();
    await send(cluster, message('after'));
    const texts = (await readAll(aside, topic, await written())).map(({ text }) => text);
    expect(texts[0]).toBe('before');
    expect(texts).toContain('after');
  });

  it('does not leave kafkajs trying for ever what was reported as failed', async () => {
    const { log, lines } = recordingLog();
    const cluster = connect(kafka.brokers, 1_000, log);
    opened.push(cluster);
    await send(cluster, message('before'));
    proxy.freeze('everything');
    await expect(send(cluster, message('frozen'))).rejects.toMatchObject({ code: 'kafka_timeout' });
    await untilSaid(lines, /gave up sending/);
  });

  it('rejects at once when its signal fires', async () => {
    const cluster = open();
    await send(cluster, message('before'));
    proxy.freeze('everything');
    const stopping = new AbortController();
    const sending = send(cluster, message('frozen'), stopping.signal);
    const reason = new Error('told to stop');
    stopping.abort(reason);
    await expect(sending).rejects.toBe(reason);
    await expect(send(cluster, message('late'), stopping.signal)).rejects.toBe(reason);
  });

  it('writes a message that follows one of unknown outcome', async () => {
    const { log, lines } = recordingLog();
    const cluster = connect(kafka.brokers, 1_500, log);
    opened.push(cluster);
    await send(cluster, message('first', { partition: 0 }));
    proxy.freeze('answers');
    const unknown = send(cluster, message('written, not answered', { partition: 0 }));
    const rejected = expect(unknown).rejects.toMatchObject({ code: 'kafka_timeout' });
    await expect.poll(written).toBe(2);
    await rejected;
    await untilSaid(lines, /gave up sending/);
    proxy.thaw();
    await send(cluster, message('next', { partition: 0 }));
    expect((await readAll(aside, topic, 3)).map(({ text }) => text)).toEqual([
      'first',
      'written, not answered',
      'next',
    ]);
  });

  it('writes what waits behind a request that got no answer', async () => {
    const { log, lines } = recordingLog();
    const cluster = connect(kafka.brokers, 4_000, log);
    opened.push(cluster);
    await send(cluster, message('first', { partition: 0 }));
    proxy.freeze('answers');
    const unanswered = send(cluster, message('written, not answered', { partition: 0 }));
    await expect.poll(written, { interval: 20 }).toBe(2);
    const next = send(cluster, message('next', { partition: 0 }));
    await untilSaid(lines, /Produce.* timed out/);
    proxy.thaw();
    await Promise.all([unanswered, next]);
    expect((await readAll(aside, topic, 3)).map(({ text }) => text)).toEqual([
      'first',
      'written, not answered',
      'next',
    ]);
  });

  it('needs to: kafkajs alone acknowledges the next message without writing it', async () => {
    const bare = open(1_000).kafka.producer({ idempotent: true });
    await bare.connect();
    const sendBare = (text: string) => bare.send({ topic, messages: [{ value: text, partition: 0 }] });
    await sendBare('first');
    proxy.freeze('answers');
    const thawed = thawAtTimeout(bare, proxy);
    const unanswered = sendBare('written, not answered');
    await expect.poll(written, { interval: 20 }).toBe(2);
    await Promise.all([unanswered, sendBare('next'), thawed]);
    await bare.disconnect();
    const texts = (await readAll(aside, topic, 3)).map(({ text }) => text);
    expect(texts).toEqual(['first', 'written, not answered', 'written, not answered']);
  });

  it('loses nothing and keeps the order of each key while the broker is killed', async () => {
    const cluster = open(5_000);
    const keys = Array.from({ length: 20 }, (_, number) => `session-${number}`);
    const count = 40;
    const sendAll = async (key: string) => {
      for (let number = 0; number < count; number++) await untilSent(cluster, message(`${key}:${number}`, { key }));
    };
    const sending = Promise.all(keys.map(sendAll));
    await expect.poll(written).toBeGreaterThan(100);
    await kafka.kill();
    await kafka.restart();
    await sending;
    const texts = (await readAll(aside, topic, await written())).map(({ text }) => text);
    for (const key of keys) {
      const numbers = texts.filter((text) => text?.startsWith(`${key}:`)).map((text) => Number(text?.split(':')[1]));
      expect([...new Set(numbers)]).toEqual(Array.from({ length: count }, (_, number) => number));
    }
  });
});

/** As its caller does: what may pass is tried again. */
async function untilSent(cluster: KafkaCluster, message: Parameters<typeof send>[1]): Promise<void> {
  for (;;) {
    const kind = await send(cluster, message).then(
      () => 'sent',
      (error: { kind: string }) => error.kind,
    );
    if (kind === 'sent') return;
    expect(kind).toBe('retry');
  }
}

async function untilSaid(lines: readonly LogLine[], words: RegExp): Promise<void> {
  const said = () => lines.map((line) => line.msg);
  await expect.poll(said, { timeout: 20_000 }).toContainEqual(expect.stringMatching(words));
}

function thawAtTimeout(producer: Producer, proxy: TcpProxy): Promise<void> {
  return new Promise((resolve) => {
    producer.on('producer.network.request_timeout', () => {
      proxy.thaw();
      resolve();
    });
  });
}

interface Read {
  key: string;
  text: string | null;
  headers: Record<string, string>;
}

/** The first `count` messages of a topic; those of one partition in their order. */
async function readAll(cluster: KafkaCluster, topic: string, count: number): Promise<Read[]> {
  const consumer = cluster.kafka.consumer({ groupId: `reads-${topic}` });
  const read: Read[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const run = consumer.run({
      eachMessage: async ({ message: { key, value, headers = {} } }) => {
        const text = Object.entries(headers).map(([name, bytes]) => [name, String(bytes)] as const);
        read.push({ key: String(key), text: value?.toString() ?? null, headers: Object.fromEntries(text) });
        if (read.length === count) resolve();
      },
    });
    run.catch(reject);
  });
  await consumer.disconnect();
  return read;
}
