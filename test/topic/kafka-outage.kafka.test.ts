import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { persevere } from '../../src/lifecycle.ts';
import { createLogger } from '../../src/log.ts';
import type { KafkaCluster } from '../../src/topic/kafka/client.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { parcel } from './contract.ts';
import { clusterAt, openParcels } from './kafka-pipe.ts';

// Every timer that is set during the outage runs this much faster: an hour of waits, each as long as its code made it,
// takes 18 seconds. The broker's own clock goes on as ever.
const timesFaster = 200;
const hourMs = 3_600_000;

const until = (condition: () => void) => vi.waitFor(condition, { timeout: 30_000, interval: 20 });

describeKafka('brokers that are away for an hour', () => {
  let proxy: TcpProxy;
  let kafka: TestKafka;
  let cluster: KafkaCluster;
  beforeAll(async () => {
    proxy = await startProxy();
    kafka = await startKafka({ advertisedPort: proxy.port });
    proxy.target = kafka.listenerPort;
    cluster = clusterAt(kafka.brokers);
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    await cluster?.close();
    await proxy?.stop();
    await kafka?.stop();
  });

  it('cost no message: what was in work, waited or was published meanwhile is handled, and nothing is parked', async () => {
    const topic = await openParcels(cluster, { groups: ['g'] });
    const stopping = new AbortController();
    const handled = new Set<string>();
    let begun = 0;
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handler = async ({ message }: { message: { id: string } }) => {
      begun++;
      await gate;
      handled.add(message.id);
    };
    const ended = topic.consume('g', handler, { concurrency: 4, signal: stopping.signal });
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    ended.then(over, over);
    const ids: string[] = [];
    const publish = (key: string, n: number) => {
      const sent = parcel(key, n);
      ids.push(sent.id);
      const how = { signal: stopping.signal, log: createLogger('silent'), doing: 'publish' };
      return persevere(() => topic.publish(sent), how);
    };
    for (let key = 0; key < 8; key++) await publish(`key-${key}`, 1);
    await until(() => expect(begun).toBe(4));

    await proxy.refuse();
    const { setTimeout: asEver } = globalThis;
    const hurried = ((run: () => void, ms = 0) => asEver(run, ms / timesFaster)) as typeof setTimeout;
    const timers = vi.spyOn(globalThis, 'setTimeout').mockImplementation(hurried);
    const since = performance.now();
    const published = Promise.all(Array.from({ length: 8 }, (_, key) => publish(`key-${key}`, 2)));
    let isPublished = false;
    const settled = published.then(() => {
      isPublished = true;
    });
    settled.catch(() => {});
    release();
    await until(() => expect(performance.now() - since).toBeGreaterThan(hourMs / timesFaster));
    expect([isOver, isPublished]).toEqual([false, false]);
    timers.mockRestore();
    await proxy.open();

    await settled;
    await until(() => expect([...handled].toSorted()).toEqual(ids.toSorted()));
    expect(await topic.deadLetters('g')).toEqual([]);
    expect(isOver).toBe(false);
    stopping.abort();
    await ended;
    await topic.close();
  }, 90_000);
});
