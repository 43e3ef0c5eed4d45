/**
 * A real Kafka broker for tests: one of our own, from the server's jars (Java 17 and Maven), or what
 * TC_TEST_KAFKA_BROKERS names.
 */
import { spawnSync } from 'node:child_process';
import { describe } from 'vitest';
import { type Broker, createBroker } from './kafka/broker.ts';
import { kafkaJars } from './kafka/jars.ts';
import type { BrokerSecurity } from './kafka/properties.ts';

export interface TestKafkaOptions extends BrokerSecurity {
  version?: KafkaVersion;
  /** Server settings, such as `{ 'log.retention.check.interval.ms': '500' }`. */
  config?: Record<string, string>;
  /** The port that clients are told to connect to: of a proxy in front, whose target is `listenerPort`. */
  advertisedPort?: number;
  /** Starts a broker of our own whatever TC_TEST_KAFKA_BROKERS says; so does any other option. */
  own?: boolean;
}

export interface TestKafka {
  brokers: string[];
  /** Past any proxy, without TLS and credentials; the same as `brokers` where none was asked for. */
  openBrokers: string[];
  listenerPort: number;
  /** `4.1.2`, or `given` for what TC_TEST_KAFKA_BROKERS names. */
  version: string;
  /** Ends the broker as kill -9 does; its data stays. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data, after a clean stop where it still runs. */
  restart(): Promise<void>;
  /** The broker keeps its connections and answers nothing, until `thaw`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Ends the broker and removes its data. */
  stop(): Promise<void>;
}

export type KafkaVersion = '4.1' | '3.9';
const patchVersions: Record<KafkaVersion, string> = { '4.1': '4.1.2', '3.9': '3.9.2' };

/** `describe` for tests on a broker: skipped, loudly, where none can be had; under CI=true they then fail. */
export const describeKafka = canRun() ? describe : describe.skip;

export async function startKafka({
  version = '4.1',
  config = {},
  ...options
}: TestKafkaOptions = {}): Promise<TestKafka> {
  const given = process.env.TC_TEST_KAFKA_BROKERS;
  const needsOwn = options.own === true || Object.keys(config).length > 0 || Object.keys(options).length > 0;
  if (given && !needsOwn) return givenKafka(given.split(','));
  const jars = await kafkaJars(patchVersions[version]);
  const broker = await createBroker({ jars, config, ...options });
  try {
    await broker.start();
  } catch (error) {
    await broker.remove();
    throw error;
  }
  return ownKafka(broker, patchVersions[version], options.users !== undefined || options.tls !== undefined);
}

function ownKafka(broker: Broker, version: string, secured: boolean): TestKafka {
  const { advertised, client, internal } = broker.ports;
  const proxied = advertised !== client;
  return {
    brokers: [`127.0.0.1:${advertised}`],
    openBrokers: [`127.0.0.1:${secured || proxied ? internal : client}`],
    listenerPort: client,
    version,
    kill: () => broker.signal('SIGKILL'),
    restart: async () => {
      await broker.signal('SIGTERM');
      await broker.start();
    },
    freeze: () => broker.signal('SIGSTOP'),
    thaw: () => broker.signal('SIGCONT'),
    stop: () => broker.remove(),
  };
}

function givenKafka(brokers: string[]): TestKafka {
  const refuse = () =>
    Promise.reject(new Error('brokers that TC_TEST_KAFKA_BROKERS names are not ours to stop: ask for `own`'));
  const listenerPort = Number(brokers[0]?.split(':').at(-1));
  const same = { brokers, openBrokers: brokers, listenerPort, version: 'given' };
  return { ...same, kill: refuse, restart: refuse, freeze: refuse, thaw: refuse, stop: () => Promise.resolve() };
}

function canRun(): boolean {
  if (process.env.TC_TEST_KAFKA_BROKERS) return true;
  const missing = ['java', 'mvn'].filter((name) => spawnSync(name, ['-version']).error !== undefined);
  if (missing.length === 0 || process.env.CI === 'true') return true;
  process.stderr.write(
    `\nNO KAFKA TESTS: ${missing.join(' and ')} not found. Install Java 17 and Maven, or set TC_TEST_KAFKA_BROKERS.\n\n`,
  );
  return false;
}
