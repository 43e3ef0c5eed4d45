import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { examineKafka } from '../../src/doctor/kafka.ts';
import { checksOf, forever, load, named } from './looking.ts';

it('a port that takes connections and says nothing of Kafka is told from a broker, with what to look at', async () => {
  const silent = createServer((socket) => void socket.on('error', () => {}));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const { config } = load({ TC_TOPICS_TRANSPORT: 'kafka', TC_KAFKA_BROKERS: `127.0.0.1:${port}` });
  const checks = await checksOf((list) => examineKafka(list, config, forever));
  silent.close();
  expect(named(checks, 'kafka_brokers').outcome).toBe('ok');
  expect(named(checks, 'kafka_unanswered')).toMatchObject({
    outcome: 'failure',
    exitCode: 5,
    sentence: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}.*a broker listens.*kafka\\.tls`)),
  });
}, 30_000);
