import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, type Admin, ResourcePatternTypes } from 'kafkajs';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { pause } from '../../src/lifecycle.ts';
import { type KafkaCluster, type KafkaOptions, openKafka } from '../../src/topic/kafka/client.ts';
import { send } from '../../src/topic/kafka/producer.ts';
import { ensureTopics } from '../../src/topic/kafka/topics.ts';
import { type Authority, createAuthority } from '../support/kafka/certificates.ts';
import { type LogLine, recordingLog } from '../support/kafka/recording-log.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const opened: KafkaCluster[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((cluster) => cluster.close()));
});

function open(brokers: string[], options: Partial<KafkaOptions> = {}): KafkaCluster & { lines: LogLine[] } {
  const { log, lines } = recordingLog();
  const common = { clientId: 'test', tls: null, sasl: null, sendTimeoutMs: 10_000, startTimeoutMs: 0, log };
  const cluster = openKafka({ ...common, brokers, ...options });
  opened.push(cluster);
  return { ...cluster, lines };
}

async function failure(work: Promise<unknown>): Promise<Error & { code: string }> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return error as Error & { code: string };
}

const topic = (name: string) => ({
  ...{ name, partitions: 1, retentionMs: null, cleanup: 'delete' as const, maxMessageBytes: 1_000_000 },
  replicationFactor: 0,
});
const message = (name: string) => ({ topic: name, key: 'k', value: Buffer.from('v'), headers: {} });

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
const password = 'visibly-fake-password';

describeKafka('who we are', () => {
  let kafka: TestKafka;
  let asAdministrator: Admin;

  beforeAll(async () => {
    kafka = await startKafka({
      users: { writer: password, reader: password },
      config: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        // What comes in by the open listener, and writer, may do anything.
        'super.users': 'User:ANONYMOUS;User:writer',
      },
    });
    const administrator = openKafka({
      ...{ brokers: kafka.openBrokers, clientId: 'administrator', tls: null, sasl: null, sendTimeoutMs: 10_000 },
      log: recordingLog().log,
    });
    asAdministrator = await administrator.admin();
    return () => administrator.close();
  });
  afterAll(() => kafka?.stop());

  for (const mechanism of mechanisms) {
    it(`is told with ${mechanism}`, async () => {
      const cluster = open(kafka.brokers, { sasl: { mechanism, username: 'writer', password } });
      await ensureTopics(cluster, [topic(mechanism)]);
      await send(cluster, message(mechanism));
      const offsets = await asAdministrator.fetchTopicOffsets(mechanism);
      expect(offsets.map((partition) => partition.high)).toEqual(['1']);
    });

    it(`stops at a wrong password with ${mechanism}, naming the settings and not the password`, async () => {
      const wrong = 'another-visibly-fake-password';
      const cluster = open(kafka.brokers, { sasl: { mechanism, username: 'writer', password: wrong } });
      const error = await failure(cluster.admin());
      expect(error).toMatchObject({ kind: 'stop', code: 'kafka_auth', exitCode: 3 });
      expect(error.message).toContain('kafka.saslMechanism');
      expect(error.message).toContain(kafka.brokers[0]);
      expect(error.message + JSON.stringify(cluster.lines)).not.toContain(wrong);
    });
  }

  it('stops where the brokers ask for no credentials and some are given', async () => {
    const cluster = open(kafka.openBrokers, { sasl: { mechanism: 'plain', username: 'writer', password } });
    expect(await failure(cluster.admin())).toMatchObject({ kind: 'stop', code: 'kafka_auth' });
  });

  it('says what to look at where the brokers ask for credentials and none are given', async () => {
    const error = await failure(open(kafka.brokers).admin());
    expect(error).toMatchObject({ kind: 'retry', code: 'kafka_unreachable', exitCode: 5 });
    expect(error.message).toContain('kafka.saslMechanism');
  });

  it('stops where our user may not write, naming the topic, and never sends without a producer id', async () => {
    await asAdministrator.createTopics({ topics: [{ topic: 'guarded', numPartitions: 1 }] });
    const reader = open(kafka.brokers, { sasl: { mechanism: 'plain', username: 'reader', password } });
    await allow(asAdministrator, 'guarded', AclOperationTypes.DESCRIBE);
    const error = await failure(send(reader, message('guarded')));
    expect(error).toMatchObject({ kind: 'stop', code: 'kafka_not_authorised', exitCode: 3 });
    expect(error.message).toContain('topic "guarded"');

    // The producer of kafkajs whose connect() was refused counts as connected, and sends without an id.
    const bare = reader.kafka.producer({ idempotent: true, allowAutoTopicCreation: false });
    await expect(bare.connect()).rejects.toThrow();
    await allow(asAdministrator, 'guarded', AclOperationTypes.WRITE);
    await bare.send({ topic: 'guarded', messages: [{ key: 'by', value: 'kafkajs alone' }] });
    await bare.disconnect();

    await send(reader, message('guarded'));
    const ids = await producerIds(open(kafka.openBrokers), 'guarded', 2);
    expect(ids[0]).toBe('-1');
    expect(Number(ids[1])).toBeGreaterThanOrEqual(0);
  });

  it('stops at topics that are missing and that our user may not create', async () => {
    const reader = open(kafka.brokers, { sasl: { mechanism: 'plain', username: 'reader', password } });
    const error = await failure(ensureTopics(reader, [topic('never-made')]));
    expect(error).toMatchObject({ kind: 'stop', code: 'kafka_not_authorised' });
    expect(error.message).toContain('creating topic "never-made"');
  });
});

async function allow(admin: Admin, resourceName: string, operation: AclOperationTypes): Promise<void> {
  const acl = { principal: 'User:reader', host: '*', operation, permissionType: AclPermissionTypes.ALLOW };
  const pattern = { resourceType: AclResourceTypes.TOPIC, resourcePatternType: ResourcePatternTypes.LITERAL };
  await admin.createAcls({ acl: [{ ...acl, ...pattern, resourceName }] });
}

/** Who wrote the first `count` messages of a topic, as the broker keeps it. */
async function producerIds(cluster: KafkaCluster, name: string, count: number): Promise<string[]> {
  const consumer = cluster.kafka.consumer({ groupId: `reads-${name}` });
  const ids: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [name], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message: read }: { message: object }) => {
      ids.push(String((read as { batchContext: { producerId: string } }).batchContext.producerId));
      if (ids.length === count) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return ids;
}

describeKafka('encryption', () => {
  let kafka: TestKafka;
  let authority: Authority;
  let stranger: Authority;
  let client: { cert: string; key: string };

  beforeAll(async () => {
    authority = await createAuthority();
    stranger = await createAuthority();
    client = await authority.sign('client');
    kafka = await startKafka({ tls: { ...(await authority.sign('broker')), ca: authority.ca } });
  });
  afterAll(async () => {
    await kafka?.stop();
    await authority?.remove();
    await stranger?.remove();
  });

  it('connects where both sides know the authority', async () => {
    const cluster = open(kafka.brokers, { tls: { ca: authority.ca, ...client } });
    await ensureTopics(cluster, [topic('encrypted')]);
    await send(cluster, message('encrypted'));
  });

  it.each([
    ['brokers whose authority is not the one we were given', () => ({ ca: stranger.ca, ...client })],
    ['brokers whose authority is not a public one', () => ({ ...client })],
    ['brokers that ask for a certificate of ours and get none', () => ({ ca: authority.ca })],
  ])('stops at %s', async (_what, tls) => {
    const error = await failure(open(kafka.brokers, { tls: tls() }).admin());
    expect(error).toMatchObject({ kind: 'stop', code: 'kafka_tls', exitCode: 3 });
    expect(error.message).toContain('kafka.tlsCa');
  });

  it('says what to look at where the brokers do not encrypt on that port', async () => {
    const error = await failure(open(kafka.openBrokers, { tls: { ca: authority.ca } }).admin());
    expect(error.message).toContain('kafka.tls');
  });

  it('says what to look at where the brokers encrypt and we do not', async () => {
    const error = await failure(open(kafka.brokers).admin());
    expect(error).toMatchObject({ kind: 'retry', code: 'kafka_unreachable' });
    expect(error.message).toContain('kafka.tls');
  });
});

describeKafka('brokers that are away at the start', () => {
  let proxy: TcpProxy;
  let kafka: TestKafka;

  beforeAll(async () => {
    proxy = await startProxy();
    kafka = await startKafka({ advertisedPort: proxy.port });
    proxy.target = kafka.listenerPort;
  });
  afterAll(async () => {
    await proxy?.stop();
    await kafka?.stop();
  });

  it('are waited for, and the log says for what', async () => {
    await proxy.refuse();
    const cluster = open(kafka.brokers, { startTimeoutMs: 60_000 });
    const connected = cluster.admin();
    await expect
      .poll(() => cluster.lines.map((line) => line.msg), { timeout: 30_000 })
      .toContainEqual(expect.stringContaining(`waiting for Kafka at ${kafka.brokers[0]}`));
    await proxy.open();
    expect((await (await connected).describeCluster()).brokers).toHaveLength(1);
  });

  it('are waited for with one line a reason, however often they are tried', async () => {
    await proxy.refuse();
    // Each attempt takes kafkajs about six seconds: this is time for three.
    const cluster = open(kafka.brokers, { startTimeoutMs: 16_000 });
    expect((await failure(cluster.admin())).code).toBe('kafka_unreachable');
    await proxy.open();
    const said = cluster.lines.map((line) => line.msg).filter((msg) => msg.startsWith('waiting for Kafka'));
    expect(said.length).toBeGreaterThan(0);
    expect(new Set(said).size).toBe(said.length);
  });

  it('are an unavailable source once patience ends, and are tried again by whoever asks next', async () => {
    await proxy.refuse();
    const cluster = open(kafka.brokers, { startTimeoutMs: 100 });
    const error = await failure(cluster.admin());
    expect(error).toMatchObject({ kind: 'retry', code: 'kafka_unreachable', exitCode: 5 });
    expect(error.message).toContain(kafka.brokers[0]);
    await proxy.open();
    await cluster.admin();
  });

  it('are waited for when they go while topics are looked at', async () => {
    const cluster = open(kafka.brokers, { startTimeoutMs: 60_000 });
    await cluster.admin();
    await proxy.refuse();
    const ensured = ensureTopics(cluster, [topic('looked-at')]);
    await expect
      .poll(() => cluster.lines.map((line) => line.msg), { timeout: 30_000 })
      .toContainEqual(expect.stringContaining('waiting for Kafka: listing topics'));
    await proxy.open();
    await ensured;
  });

  it('do not wake us every millisecond once they are there and nothing happens', async () => {
    const cluster = open(kafka.brokers, { startTimeoutMs: 60_000 });
    await (await cluster.admin()).describeCluster();
    const timers = vi.spyOn(globalThis, 'setTimeout');
    await pause(300);
    const looks = timers.mock.calls.filter(([, delayMs]) => (delayMs ?? 0) <= 1).length;
    timers.mockRestore();
    expect(looks).toBeLessThan(20);
  });

  it('are left with no connection at the end, whatever kafkajs has forgotten, and cannot be reached again', async () => {
    const cluster = open(kafka.brokers, { startTimeoutMs: 60_000 });
    await send(cluster, message('looked-at'));
    const forgotten = cluster.kafka.admin();
    await forgotten.connect();
    expect(proxy.connections).toBeGreaterThan(1);
    await cluster.close();
    await expect.poll(() => proxy.connections).toBe(0);
    await expect(forgotten.listTopics()).rejects.toThrow();
    expect(proxy.connections).toBe(0);
  });

  it.each(['connected to', 'looked at'])(
    'do not hold up a process that is told to stop while they are %s',
    async (when) => {
      const stopping = new AbortController();
      const cluster = open(kafka.brokers, { startTimeoutMs: 3_600_000, signal: stopping.signal });
      if (when === 'looked at') await cluster.admin();
      await proxy.refuse();
      const waiting = failure(ensureTopics(cluster, [topic('never-looked-at')]));
      stopping.abort();
      expect((await waiting).code).toBe('kafka_unreachable');
      await proxy.open();
    },
  );
});
