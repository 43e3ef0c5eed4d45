import { afterAll, beforeAll } from 'vitest';
import type { KafkaCluster } from '../../src/topic/kafka/client.ts';
import { describeKafka, type KafkaVersion, startKafka, type TestKafka } from '../support/kafka.ts';
import { topicContract } from './contract.ts';
import { clusterAt, newPrefix, openParcels } from './kafka-pipe.ts';

describeKafka.each<KafkaVersion>(['4.1', '3.9'])('Apache Kafka %s', (version) => {
  let kafka: TestKafka;
  let cluster: KafkaCluster;
  beforeAll(async () => {
    kafka = await startKafka({ version });
    cluster = clusterAt(kafka.brokers);
  });
  afterAll(async () => {
    await cluster?.close();
    await kafka?.stop();
  });

  const harness = async () => {
    const prefix = newPrefix();
    return {
      open: () => openParcels(cluster, { prefix }),
      dispose: async () => {},
    };
  };

  topicContract(`Apache Kafka ${version}`, harness, { durable: true });
});
