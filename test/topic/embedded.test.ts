import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { stop } from '../../src/errors.ts';
import { createLogger } from '../../src/log.ts';
import { jsonCodec } from '../../src/topic/codec.ts';
import { maxUnfinishedDeliveries } from '../../src/topic/decide.ts';
import { type EmbeddedTopicOptions, openEmbeddedTopic } from '../../src/topic/embedded.ts';
import { prepare } from '../../src/topic/statements.ts';
import type { Handler, Topic } from '../../src/topic/topic.ts';
import { type Parcel, parcel, topicContract } from './contract.ts';

const codec = jsonCodec(z.object({ spec: z.literal('parcel/1'), n: z.int() }), 'parcel/1');
const log = createLogger('silent');
const until = (condition: () => void | Promise<void>) => vi.waitFor(condition, { timeout: 20_000, interval: 5 });

function openAt(path: string, options: Partial<EmbeddedTopicOptions<Parcel>> = {}) {
  return openEmbeddedTopic({
    path,
    name: 'parcels',
    codec,
    log,
    maxAttempts: 3,
    backoff: { baseMs: 1, maxMs: 5 },
    ...options,
  });
}

const harness = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'topic-'));
  return {
    open: async () => openAt(join(folder, 'topics.sqlite')),
    dispose: async () => rmSync(folder, { recursive: true }),
  };
};

topicContract('the embedded topic', harness, { durable: true });

describe('the file of the embedded topic', () => {
  let folder: string;
  let path: string;
  const closing: (() => unknown)[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'topic-'));
    path = join(folder, 'topics.sqlite');
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    rmSync(folder, { recursive: true });
  });

  function open(options: Partial<EmbeddedTopicOptions<Parcel>> = {}) {
    const topic = openAt(path, options);
    closing.push(() => topic.close());
    return topic;
  }

  function query<R>(sql: string): R[] {
    const db = new Database(path, { readonly: true });
    try {
      return db.prepare(sql).pluck().all() as R[];
    } finally {
      db.close();
    }
  }

  function run(topic: Topic<Parcel>, group: string, handler: Handler<Parcel> = async () => {}) {
    const drain = new AbortController();
    const handled: string[] = [];
    const ended = topic.consume(
      group,
      async (delivery) => {
        await handler(delivery);
        handled.push(delivery.message.id);
      },
      { concurrency: 4, signal: drain.signal },
    );
    ended.catch(() => {});
    const drained = () => {
      drain.abort();
      return ended;
    };
    return { handled, ended, drain: drained };
  }

  it('keeps topics of several names apart', async () => {
    const [one, two] = [open(), open({ name: 'others' })];
    await one.publish(parcel('a', 1));
    expect((await two.lag('g')).messages).toBe(0);
    expect((await one.lag('g')).messages).toBe(1);
  });

  it('tells whoever has it open since when a group that is away has not handled its messages', async () => {
    await open({ groups: ['away'] }).publish(parcel('a', 1));
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 86_400_000);
    const { oldestAgeMs } = await open().lag('away');
    clock.mockRestore();
    expect(oldestAgeMs).toBeGreaterThanOrEqual(86_400_000);
    expect(oldestAgeMs).toBeLessThan(86_460_000);
  });

  it('tells the lag from indexes, however much waits: no delivery is looked up in the table', () => {
    open();
    const db = new Database(path);
    closing.push(() => db.close());
    const explained = db.prepare(`EXPLAIN QUERY PLAN ${prepare(db).lag.source}`);
    const steps = explained.all({ group: 1, now: 0 }).map((step) => (step as { detail: string }).detail);
    expect(steps.filter((step) => step.includes('deliveries'))).toEqual([
      'SEARCH deliveries USING COVERING INDEX deliveries_by_age (group_number=?)',
      'SEARCH deliveries USING INDEX deliveries_owned (group_number=? AND due_at>?)',
      'SEARCH deliveries USING COVERING INDEX deliveries_by_age (group_number=?)',
    ]);
  });

  it('has a message on disk when publishing it resolves', async () => {
    await open().publish(parcel('a', 1));
    expect(query('SELECT id FROM messages')).toEqual(['a-1']);
  });

  it('drops the value of a message that every group has finished, keeps its id, and tells so', async () => {
    const told: string[] = [];
    const topic = open({ groups: ['one', 'two'], onFinished: (ids) => told.push(...ids) });
    await topic.publish(parcel('a', 1));
    const one = run(topic, 'one');
    await until(async () => expect((await topic.lag('one')).messages).toBe(0));
    expect(told).toEqual([]);
    expect(topic.finishedAmong(['a-1'])).toEqual([]);
    const two = run(topic, 'two');
    await until(() => expect(told).toEqual(['a-1']));
    expect(topic.finishedAmong(['a-1', 'a-2'])).toEqual(['a-1']);
    expect(query('SELECT id FROM messages')).toEqual([]);
    await Promise.all([one.drain(), two.drain()]);
  });

  it('keeps the value of a dead letter until it is finished', async () => {
    const topic = open({ maxAttempts: 1 });
    await topic.publish(parcel('a', 1));
    let broken = true;
    const consumer = run(topic, 'g', async () => {
      if (broken) throw new Error('broken');
    });
    await until(async () => expect(await topic.deadLetters('g')).toHaveLength(1));
    expect(topic.finishedAmong(['a-1'])).toEqual([]);
    broken = false;
    await topic.requeue('g', 'a-1');
    await until(() => expect(topic.finishedAmong(['a-1'])).toEqual(['a-1']));
    await consumer.drain();
  });

  it('keeps messages for the groups that are named from the start, until one of them is dropped', async () => {
    const told: string[] = [];
    const topic = open({ groups: ['one', 'gone'], onFinished: (ids) => told.push(...ids) });
    await topic.publish(parcel('a', 1));
    const one = run(topic, 'one');
    await until(() => expect(one.handled).toEqual(['a-1']));
    expect(topic.groups()).toEqual(['gone', 'one']);
    await until(async () => expect((await topic.lag('one')).messages).toBe(0));
    await topic.dropGroup('gone');
    expect(topic.groups()).toEqual(['one']);
    expect(told).toEqual(['a-1']);
    await one.drain();
  });

  it('parks bytes that are no value of its kind, and goes on with the key', async () => {
    const newer = openEmbeddedTopic({
      path,
      name: 'parcels',
      codec: {
        encode: () => new TextEncoder().encode('{"spec":"parcel/2"}'),
        decode: () => ({ spec: 'parcel/1', n: 0 }) as Parcel,
      },
      log,
    });
    await newer.publish(parcel('a', 1));
    await newer.close();
    const topic = open();
    await topic.publish(parcel('a', 2));
    const consumer = run(topic, 'g');
    await until(() => expect(consumer.handled).toEqual(['a-2']));
    expect(await topic.deadLetters('g')).toMatchObject([{ id: 'a-1', code: 'unknown_spec' }]);
    await consumer.drain();
  });

  it('keeps a message from others for as long as its handler runs, however long after the first lease', async () => {
    const [one, two] = [open({ leaseMs: 60 }), open({ leaseMs: 60 })];
    await one.publish(parcel('a', 1));
    const begun = Date.now();
    let deliveries = 0;
    const work: Handler<Parcel> = async ({ signal }) => {
      deliveries++;
      await until(() => expect(Date.now() - begun).toBeGreaterThan(300));
      expect(signal.aborted).toBe(false);
    };
    const consumers = [run(one, 'g', work), run(two, 'g', work)];
    await until(async () => expect((await one.lag('g')).messages).toBe(0));
    expect(deliveries).toBe(1);
    await Promise.all(consumers.map((consumer) => consumer.drain()));
  });

  it('tells a handler that its lease was lost, and records nothing of what it does afterwards', async () => {
    const topic = open({ leaseMs: 60 });
    await topic.publish(parcel('a', 1));
    let told: AbortSignal | undefined;
    const consumer = run(topic, 'g', async ({ signal }) => {
      told = signal;
      await until(() => expect(signal.aborted).toBe(true));
    });
    await until(() => expect(told).toBeDefined());
    // As another process does that found the lease expired.
    const other = new Database(path);
    other
      .prepare("UPDATE deliveries SET owner = 'other', attempts = attempts + 1, due_at = ?")
      .run(Date.now() + 60_000);
    other.close();
    await until(() => expect(consumer.handled).toEqual(['a-1']));
    await consumer.drain();
    expect(query('SELECT owner FROM deliveries')).toEqual(['other']);
  });

  it('does not finish a message that another took over before this one noticed', async () => {
    const topic = open({ leaseMs: 60_000 });
    await topic.publish(parcel('a', 1));
    const consumer = run(topic, 'g', async () => {
      const other = new Database(path);
      other.exec("UPDATE deliveries SET owner = 'other', attempts = attempts + 1");
      other.close();
    });
    await until(() => expect(consumer.handled).toEqual(['a-1']));
    await consumer.drain();
    expect(query('SELECT owner FROM deliveries')).toEqual(['other']);
  });

  it('hands over what its own process publishes without waiting for the next poll', async () => {
    const topic = open();
    const consumer = run(topic, 'g');
    const begun = Date.now();
    for (let n = 1; n <= 40; n++) {
      await topic.publish(parcel('a', n));
      await until(() => expect(consumer.handled).toHaveLength(n));
    }
    // Polls alone would take 250 ms each, 10 s in all.
    expect(Date.now() - begun).toBeLessThan(8_000);
    await consumer.drain();
  });

  it('parks a message whose consumers keep dying of it', async () => {
    const topic = open();
    await topic.publish(parcel('a', 1));
    await topic.publish(parcel('a', 2));
    const stopped = run(topic, 'g', async () => {
      throw stop('enough', 'enough');
    });
    await stopped.ended.catch(() => {});
    const db = new Database(path);
    db.exec(`UPDATE deliveries SET attempts = ${maxUnfinishedDeliveries} WHERE head = 1`);
    db.close();
    const consumer = run(topic, 'g');
    await until(() => expect(consumer.handled).toEqual(['a-2']));
    expect(await topic.deadLetters('g')).toMatchObject([{ id: 'a-1', code: 'consumer_died' }]);
    await consumer.drain();
  });

  it('says what is wrong with a damaged file', () => {
    writeFileSync(path, 'this is no database, however long it may be '.repeat(100));
    expect(() => openAt(path)).toThrow(expect.objectContaining({ code: 'file_corrupt', kind: 'stop' }));
  });

  it('stops consuming with an error that names the file when the file fails', async () => {
    const topic = open();
    await topic.publish(parcel('a', 1));
    const db = new Database(path);
    db.exec("CREATE TRIGGER refuse BEFORE UPDATE ON deliveries BEGIN SELECT RAISE(ABORT, 'refused'); END");
    db.close();
    await expect(run(topic, 'g').ended).rejects.toMatchObject({ code: 'file_unusable', kind: 'stop' });
  });

  describe('with consumers in other processes', () => {
    function start(group: string, mode: 'work' | 'hold', leaseMs = 300) {
      const script = join(import.meta.dirname, '../support/topic-worker.ts');
      const child: ChildProcess = spawn(
        process.execPath,
        ['--import', 'tsx', script, path, group, mode, String(leaseMs)],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      const lines: string[] = [];
      child.stdout!.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trim().split('\n')));
      const exited = new Promise((resolve) => child.once('exit', resolve));
      const end = (signal: NodeJS.Signals) => {
        child.kill(signal);
        return exited;
      };
      closing.push(() => child.exitCode ?? child.signalCode ?? end('SIGKILL'));
      return { lines, end };
    }

    it('delivers again, in order, what a consumer had in work when it was killed, once its lease has run out', async () => {
      const topic = open();
      for (const n of [1, 2]) await topic.publish(parcel('a', n));
      const attempts: number[] = [];
      const killed = start('g', 'hold');
      await until(() => expect(killed.lines).toEqual(['took a-1 1']));
      const consumer = run(topic, 'g', async ({ attempt }) => void attempts.push(attempt));
      await killed.end('SIGKILL');
      await until(() => expect(consumer.handled).toEqual(['a-1', 'a-2']));
      expect(attempts).toEqual([2, 1]);
      await consumer.drain();
    });

    it('does not wait for the lease of a consumer that died before this one began', async () => {
      const topic = open();
      await topic.publish(parcel('a', 1));
      const killed = start('g', 'hold', 3_600_000);
      await until(() => expect(killed.lines).toEqual(['took a-1 1']));
      const beside = run(topic, 'g');
      await killed.end('SIGKILL');
      await beside.drain();
      expect(beside.handled).toEqual([]);
      const consumer = run(topic, 'g');
      await until(() => expect(consumer.handled).toEqual(['a-1']));
      await consumer.drain();
    });

    it('reaches a consumer that waits in another process, in order', async () => {
      const worker = start('g', 'work');
      const topic = open();
      for (const n of [1, 2, 3]) await topic.publish(parcel('a', n));
      await until(() => expect(worker.lines).toHaveLength(6));
      expect(worker.lines).toEqual([1, 2, 3].flatMap((n) => [`took a-${n} 1`, `did a-${n}`]));
      await worker.end('SIGTERM');
      expect((await topic.lag('g')).messages).toBe(0);
    });

    it('shares a group between two, each message handled once, keys in order', async () => {
      const topic = open();
      const workers = [start('g', 'work'), start('g', 'work')];
      await until(() => expect(topic.groups()).toEqual(['g']));
      for (let n = 1; n <= 10; n++) await Promise.all([...'abcdefgh'].map((key) => topic.publish(parcel(key, n))));
      const done = () => workers.flatMap(({ lines }) => lines.filter((line) => line.startsWith('did')));
      await until(() => expect(done()).toHaveLength(80));
      expect(new Set(done()).size).toBe(80);
      await Promise.all(workers.map((worker) => worker.end('SIGTERM')));
    });
  });
});
