import { afterAll, beforeAll, expect, it } from 'vitest';
import { type KafkaCluster, openKafka } from '../../src/topic/kafka/client.ts';
import { ensureTopics, type TopicSpec } from '../../src/topic/kafka/topics.ts';
import { recordingLog } from '../support/kafka/recording-log.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';

let nextName = 0;
function spec(changes: Partial<TopicSpec> = {}): TopicSpec {
  const common = { partitions: 3, retentionMs: 86_400_000, maxMessageBytes: 2_000_000, replicationFactor: 0 };
  return { name: `topic-${process.pid}-${nextName++}`, cleanup: 'delete', ...common, ...changes };
}

for (const version of ['4.1', '3.9'] as const) {
  describeKafka(`topics of Kafka ${version}`, () => {
    let kafka: TestKafka;
    let cluster: KafkaCluster;
    const { log, lines } = recordingLog();

    beforeAll(async () => {
      kafka = await startKafka({ version });
      cluster = openKafka({
        brokers: kafka.brokers,
        clientId: 'test',
        tls: null,
        sasl: null,
        sendTimeoutMs: 10_000,
        log,
      });
    });
    afterAll(async () => {
      await cluster?.close();
      await kafka?.stop();
    });

    const settingsOf = async (name: string) => {
      const admin = await cluster.admin();
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name }] });
      return Object.fromEntries(resources[0]!.configEntries.map((entry) => [entry.configName, entry.configValue]));
    };
    const stopCode = async (there: TopicSpec, wanted: Partial<TopicSpec>) => {
      await ensureTopics(cluster, [there]);
      const error = await ensureTopics(cluster, [{ ...there, ...wanted }]).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ kind: 'stop', exitCode: 3 });
      return error as Error & { code: string };
    };

    it('makes what is missing, as wanted', async () => {
      const [kept, forEver, letters] = [
        spec(),
        spec({ retentionMs: null }),
        spec({ cleanup: 'compact', partitions: 1 }),
      ];
      await ensureTopics(cluster, [kept, forEver, letters]);
      const admin = await cluster.admin();
      const { topics } = await admin.fetchTopicMetadata({ topics: [kept.name, letters.name] });
      const partitions = Object.fromEntries(topics.map((topic) => [topic.name, topic.partitions.length]));
      expect(partitions).toEqual({ [kept.name]: 3, [letters.name]: 1 });
      expect(await settingsOf(kept.name)).toMatchObject({
        'cleanup.policy': 'delete',
        'retention.ms': '86400000',
        'max.message.bytes': '2000000',
      });
      expect(await settingsOf(forEver.name)).toMatchObject({ 'retention.ms': '-1' });
      expect(await settingsOf(letters.name)).toMatchObject({ 'cleanup.policy': 'compact' });
    });

    it('leaves what is there as it is, and takes more than was wanted', async () => {
      const generous = spec({ retentionMs: null, maxMessageBytes: 9_000_000 });
      await ensureTopics(cluster, [generous]);
      await ensureTopics(cluster, [{ ...generous, retentionMs: 1_000, maxMessageBytes: 1_000 }]);
      expect(await settingsOf(generous.name)).toMatchObject({ 'retention.ms': '-1', 'max.message.bytes': '9000000' });
    });

    it('is done by several processes at once', async () => {
      const shared = [spec(), spec(), spec()];
      await Promise.all([1, 2, 3, 4].map(() => ensureTopics(cluster, shared)));
      const present = await (await cluster.admin()).listTopics();
      expect(present).toEqual(expect.arrayContaining(shared.map(({ name }) => name)));
    });

    it('waits for a topic that was just made until the broker that is asked knows it', async () => {
      const made = spec();
      const admin = await cluster.admin();
      let refusals = 2;
      const fetchTopicMetadata: typeof admin.fetchTopicMetadata = async (asked) =>
        refusals-- > 0 ? admin.fetchTopicMetadata({ topics: ['not-there'] }) : admin.fetchTopicMetadata(asked);
      const slow = { ...cluster, admin: () => Promise.resolve({ ...admin, fetchTopicMetadata }) };
      await ensureTopics(slow, [made]);
      expect(refusals).toBe(-1);
    });

    it('stops at fewer partitions than wanted and at more: the keys would move', async () => {
      const there = spec();
      const fewer = await stopCode(there, { partitions: 4 });
      expect(fewer.code).toBe('kafka_topic_partitions');
      expect(fewer.message).toContain(`topic "${there.name}" has 3 partitions, kafka.partitions is 4`);
      expect((await stopCode(there, { partitions: 2 })).code).toBe('kafka_topic_partitions');
    });

    it('stops at a topic that takes smaller messages only, with the command that mends it', async () => {
      const there = spec({ maxMessageBytes: 1_000_000 });
      const error = await stopCode(there, { maxMessageBytes: 8_388_608 });
      expect(error.code).toBe('kafka_topic_messages');
      expect(error.message).toContain(`--entity-name ${there.name} --add-config max.message.bytes=8388608`);
    });

    it('stops at a retention that would lose what waits', async () => {
      const shorter = await stopCode(spec({ retentionMs: 60_000 }), { retentionMs: 120_000 });
      expect(shorter.code).toBe('kafka_topic_retention');
      expect(shorter.message).toContain('--add-config retention.ms=120000');
      expect((await stopCode(spec({ retentionMs: 60_000 }), { retentionMs: null })).message).toContain(
        'retention.ms=-1',
      );
    });

    it('stops at a topic that is limited in bytes', async () => {
      const limited = spec();
      const admin = await cluster.admin();
      const configEntries = [
        { name: 'retention.bytes', value: '1000000' },
        { name: 'max.message.bytes', value: '2000000' },
      ];
      await admin.createTopics({ topics: [{ topic: limited.name, numPartitions: 3, configEntries }] });
      await expect(ensureTopics(cluster, [{ ...limited, retentionMs: 1_000 }])).rejects.toMatchObject({
        code: 'kafka_topic_retention',
        message: expect.stringContaining('retention.bytes=-1'),
      });
    });

    it('stops at a compacted topic: only the last message of a session would stay', async () => {
      expect((await stopCode(spec({ cleanup: 'compact' }), { cleanup: 'delete' })).code).toBe('kafka_topic_cleanup');
      expect((await stopCode(spec(), { cleanup: 'compact' })).code).toBe('kafka_topic_cleanup');
    });

    it('warns once a process of topics whose messages lie on one broker only', async () => {
      lines.length = 0;
      const [one, other, later] = [spec(), spec(), spec()];
      const fresh = openKafka({
        brokers: kafka.brokers,
        clientId: 'test',
        tls: null,
        sasl: null,
        sendTimeoutMs: 10_000,
        log,
      });
      try {
        await ensureTopics(fresh, [one, other]);
        await ensureTopics(fresh, [later]);
      } finally {
        await fresh.close();
      }
      const warnings = lines.filter((line) => line.level >= 40);
      expect(warnings.map((line) => line.msg)).toEqual([expect.stringContaining(`(${one.name}, ${other.name})`)]);
    });
  });
}
