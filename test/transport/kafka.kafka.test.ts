import { afterAll, beforeAll } from 'vitest';
import { openKafka } from '../../src/topic/kafka/client.ts';
import { kafkaTransport } from '../../src/transport/kafka.ts';
import { silent } from '../support/capture.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { newPrefix } from '../topic/kafka-pipe.ts';
import { type TransportHarness, transportContract } from './contract.ts';

describeKafka('over a broker', () => {
  let kafka: TestKafka;
  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka?.stop());

  async function harness(): Promise<TransportHarness> {
    const connection = { clientId: 'test', tls: null, sasl: null, sendTimeoutMs: 10_000, log: silent };
    const topics = { partitions: 2, replicationFactor: 1, retentionMs: null, compiledRetentionMs: null };
    const limits = { maxInlineBytes: 512 * 1024, maxMessageBytes: 1024 * 1024, maxAttempts: 3 };
    const times = { sessionTimeoutMs: 6_000, handoverTimeoutMs: 20_000, backoff: { baseMs: 1, maxMs: 5 } };
    return {
      open: (assemble, releasers) =>
        kafkaTransport(
          {
            ...{ ...topics, ...limits, ...times, log: silent },
            prefix: newPrefix(),
            openCluster: () => openKafka({ brokers: kafka.brokers, ...connection }),
            sinks: ['near', 'far'],
            assemble,
            openReader: () => Promise.reject(new Error('nothing here is a claim')),
            peers: {},
          },
          releasers,
        ),
      dispose: async () => {},
    };
  }

  transportContract('Kafka', harness);
});
