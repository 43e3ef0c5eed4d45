/** What every topic promises, whatever carries it. An implementation is one if it passes this. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { park, retry, stop } from '../../src/errors.ts';
import type { ConsumeOptions, Delivery, Message, Topic } from '../../src/topic/topic.ts';

export interface Parcel {
  spec: 'parcel/1';
  n: number;
}

export interface TopicHarness {
  /**
   * Opens a fresh topic, which retries within milliseconds and parks at the third failure. Again after `close` of what it
   * returned: the same topic, if it is durable.
   */
  open(): Promise<Topic<Parcel>>;
  /** Deletes everything. */
  dispose(): Promise<void>;
}

export function parcel(key: string, n: number): Message<Parcel> {
  return { key, id: `${key}-${n}`, value: { spec: 'parcel/1', n } };
}

/** A consumer that can be drained and aborted, and collects what it was given. */
function consume(
  topic: Topic<Parcel>,
  group: string,
  handler: (delivery: Delivery<Parcel>) => Promise<void> | void = () => {},
  concurrency: ConsumeOptions['concurrency'] = 4,
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
  // A rejection is what some tests wait for later.
  ended.catch(() => {});
  const drained = () => {
    drain.abort();
    return ended;
  };
  return { handled, ended, drain, abort, drained };
}

const until = (condition: () => void | Promise<void>) => vi.waitFor(condition, { timeout: 20_000, interval: 5 });

/** `durable`: messages outlive `close`. */
export function topicContract(
  name: string,
  makeHarness: () => Promise<TopicHarness>,
  { durable }: { durable: boolean },
): void {
  describe(`the contract of a topic, kept by ${name}`, () => {
    let harness: TopicHarness;
    let topic: Topic<Parcel>;

    beforeEach(async () => {
      harness = await makeHarness();
      topic = await harness.open();
    });
    afterEach(async () => {
      await topic.close();
      await harness.dispose();
    });

    const publishAll = async (messages: Message<Parcel>[]) => {
      for (const message of messages) await topic.publish(message);
    };

    it('hands each message to each group with its key, id and value', async () => {
      const seen: unknown[] = [];
      await publishAll([parcel('a', 1), parcel('b', 1)]);
      const first = consume(topic, 'first', ({ message, attempt }) => void seen.push([message, attempt]));
      const second = consume(topic, 'second');
      await until(() => expect([first.handled.length, second.handled.length]).toEqual([2, 2]));
      expect(seen).toContainEqual([parcel('a', 1), 1]);
      expect(second.handled.toSorted()).toEqual(['a-1', 'b-1']);
      await Promise.all([first.drained(), second.drained()]);
    });

    it('wakes a waiting consumer for a message published later', async () => {
      const consumer = consume(topic, 'g');
      await until(async () => expect((await topic.lag('g')).messages).toBe(0));
      await topic.publish(parcel('a', 1));
      await until(() => expect(consumer.handled).toEqual(['a-1']));
      await consumer.drained();
    });

    it('takes an id once, be it waiting, finished or published by several at once', async () => {
      const consumer = consume(topic, 'g');
      await Promise.all([topic.publish(parcel('a', 1)), topic.publish(parcel('a', 1)), topic.publish(parcel('a', 1))]);
      await until(() => expect(consumer.handled).toEqual(['a-1']));
      await until(async () => expect((await topic.lag('g')).messages).toBe(0));
      await topic.publish(parcel('a', 1));
      await topic.publish(parcel('a', 2));
      await until(() => expect(consumer.handled).toContain('a-2'));
      expect(consumer.handled).toEqual(['a-1', 'a-2']);
      await consumer.drained();
    });

    it('handles the messages of a key one after another in the order of publishing, keys side by side', async () => {
      await publishAll(['a', 'b', 'c'].flatMap((key) => [1, 2, 3, 4].map((n) => parcel(key, n))));
      const busy = new Set<string>();
      let mostAtOnce = 0;
      const consumer = consume(topic, 'g', async ({ message }) => {
        expect(busy).not.toContain(message.key);
        busy.add(message.key);
        mostAtOnce = Math.max(mostAtOnce, busy.size);
        await new Promise((resolve) => setTimeout(resolve, 5));
        busy.delete(message.key);
      });
      await until(() => expect(consumer.handled).toHaveLength(12));
      for (const key of ['a', 'b', 'c']) {
        expect(consumer.handled.filter((id) => id.startsWith(key))).toEqual([1, 2, 3, 4].map((n) => `${key}-${n}`));
      }
      expect(mostAtOnce).toBeGreaterThan(1);
      await consumer.drained();
    });

    it('never works on more messages at once than it was allowed', async () => {
      await publishAll([...'abcdefgh'].map((key) => parcel(key, 1)));
      let now = 0;
      let most = 0;
      const work = async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 5));
        now--;
      };
      const consumer = consume(topic, 'g', work, 2);
      await until(() => expect(consumer.handled).toHaveLength(8));
      expect(most).toBe(2);
      await consumer.drained();
    });

    it('retries what failed, counts the attempts, and holds back its key alone meanwhile', async () => {
      await publishAll([parcel('a', 1), parcel('a', 2), parcel('b', 1)]);
      const attempts: number[] = [];
      const consumer = consume(topic, 'g', ({ message, attempt }) => {
        if (message.id !== 'a-1') return;
        attempts.push(attempt);
        if (attempt < 3) throw retry('flaky', 'not yet');
      });
      await until(() => expect(consumer.handled).toHaveLength(3));
      expect(attempts).toEqual([1, 2, 3]);
      expect(consumer.handled).toEqual(['b-1', 'a-1', 'a-2']);
      await consumer.drained();
    });

    it('parks what failed too often, with code and attempts, and goes on with the key', async () => {
      await publishAll([parcel('a', 1), parcel('a', 2)]);
      const consumer = consume(topic, 'g', ({ message }) => {
        if (message.value.n === 1) throw new Error('always');
      });
      await until(() => expect(consumer.handled).toEqual(['a-2']));
      const letters = await topic.deadLetters('g');
      expect(letters).toMatchObject([
        { group: 'g', id: 'a-1', key: 'a', attempts: 3, code: 'unexpected', error: 'always' },
      ]);
      expect(Date.parse(letters[0]!.parkedAt)).toBeGreaterThan(0);
      await consumer.drained();
    });

    it('parks at once what says that it concerns one message, for that group alone', async () => {
      await publishAll([parcel('a', 1)]);
      const refusing = consume(topic, 'refusing', () => {
        throw park('not_for_me', 'the handler refuses it');
      });
      const other = consume(topic, 'other');
      await until(async () => expect(await topic.deadLetters('refusing')).toHaveLength(1));
      await until(() => expect(other.handled).toEqual(['a-1']));
      expect((await topic.deadLetters('refusing'))[0]).toMatchObject({ code: 'not_for_me', attempts: 1 });
      expect(await topic.deadLetters('other')).toEqual([]);
      await Promise.all([refusing.drained(), other.drained()]);
    });

    it('shows a dead letter with the bytes of its value, to whom it belongs', async () => {
      await publishAll([parcel('a', 1), parcel('a', 2)]);
      const consumer = consume(topic, 'g', ({ message }) => {
        if (message.value.n === 1) throw park('not_now', 'the handler refuses it');
      });
      await until(() => expect(consumer.handled).toEqual(['a-2']));
      const shown = await topic.showDeadLetter('g', 'a-1');
      expect(shown?.letter).toMatchObject({ group: 'g', id: 'a-1', key: 'a', attempts: 1, code: 'not_now' });
      expect(JSON.parse(new TextDecoder().decode(shown?.bytes))).toEqual(parcel('a', 1).value);
      expect(await topic.showDeadLetter('g', 'a-2')).toBeNull();
      expect(await topic.showDeadLetter('other', 'a-1')).toBeNull();
      await consumer.drained();
    });

    it('puts a dead letter back at the end of its key', async () => {
      await publishAll([parcel('a', 1), parcel('a', 2)]);
      let refuse = true;
      const first = consume(topic, 'g', ({ message }) => {
        if (refuse && message.value.n === 1) throw park('not_now', 'the handler refuses it');
      });
      await until(() => expect(first.handled).toEqual(['a-2']));
      await first.drained();
      refuse = false;
      await topic.publish(parcel('a', 3));
      expect(await topic.requeue('g', 'a-1')).toBe(true);
      expect(await topic.requeue('g', 'a-1')).toBe(false);
      expect(await topic.requeue('g', 'no such id')).toBe(false);
      expect(await topic.deadLetters('g')).toEqual([]);
      const second = consume(topic, 'g');
      await until(() => expect(second.handled).toEqual(['a-3', 'a-1']));
      await second.drained();
    });

    it('stops with the error that stops, leaves that message undelivered and ends what was in work', async () => {
      await publishAll([parcel('slow', 1), parcel('bad', 1)]);
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const consumer = consume(topic, 'g', async ({ message }) => {
        if (message.key === 'slow') return held;
        throw stop('budget_exhausted', 'no money left');
      });
      await topic.publish(parcel('later', 1));
      release();
      await expect(consumer.ended).rejects.toMatchObject({ code: 'budget_exhausted' });
      expect(consumer.handled).toContain('slow-1');
      const next = consume(topic, 'g', ({ attempt }) => expect(attempt).toBe(1));
      await until(() => expect(next.handled).toContain('bad-1'));
      expect(next.handled).not.toContain('slow-1');
      await next.drained();
    });

    it('drains at the first signal: finishes what is in work, takes nothing new', async () => {
      await publishAll([parcel('a', 1), parcel('a', 2)]);
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      let started = false;
      const consumer = consume(topic, 'g', async ({ signal }) => {
        started = true;
        await held;
        expect(signal.aborted).toBe(false);
      });
      await until(() => expect(started).toBe(true));
      consumer.drain.abort();
      release();
      await consumer.ended;
      expect(consumer.handled).toEqual(['a-1']);
      expect(await topic.lag('g')).toMatchObject({ messages: 1, inWork: 0 });
    });

    it('gives up at the second signal, and delivers to the next consumer what was not acknowledged', async () => {
      await publishAll([parcel('a', 1)]);
      let told: AbortSignal | undefined;
      const stuck = consume(topic, 'g', ({ signal }) => {
        told = signal;
        return new Promise(() => {});
      });
      await until(() => expect(told).toBeDefined());
      stuck.drain.abort();
      stuck.abort.abort();
      await stuck.ended;
      expect(told!.aborted).toBe(true);
      const next = consume(topic, 'g');
      await until(() => expect(next.handled).toEqual(['a-1']));
      await next.drained();
    });

    it('does not acknowledge what a handler finishes after it was given up', async () => {
      await publishAll([parcel('a', 1)]);
      let finish: (() => void) | undefined;
      const late = consume(topic, 'g', async () => {
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
      });
      await until(() => expect(finish).toBeDefined());
      late.abort.abort();
      await late.ended;
      finish!();
      await until(() => expect(late.handled).toEqual(['a-1']));
      expect((await topic.lag('g')).messages).toBe(1);
    });

    it('tells how many messages a group has still to finish, how many are in work, and the age of the oldest', async () => {
      expect(await topic.lag('g')).toMatchObject({ messages: 0, inWork: 0, oldestAgeMs: null, deadLetters: 0 });
      await publishAll([parcel('a', 1), parcel('a', 2), parcel('b', 1), parcel('dead', 1)]);
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const consumer = consume(topic, 'g', ({ message }) => {
        if (message.key === 'dead') throw park('bad', 'refused');
        return held;
      });
      await until(async () => expect(await topic.lag('g')).toMatchObject({ messages: 3, inWork: 2 }));
      await until(async () => expect((await topic.lag('g')).oldestAgeMs).toBeGreaterThan(5));
      release();
      await until(async () =>
        expect(await topic.lag('g')).toMatchObject({ messages: 0, inWork: 0, oldestAgeMs: null, deadLetters: 1 }),
      );
      await consumer.drained();
    });

    it('tells how old what waits is while nobody handles it, parked messages apart', async () => {
      await publishAll([parcel('a', 1)]);
      const parking = consume(topic, 'g', () => {
        throw park('bad', 'refused');
      });
      await until(async () => expect(await topic.lag('g')).toMatchObject({ messages: 0, deadLetters: 1 }));
      await parking.drained();
      expect((await topic.lag('g')).oldestAgeMs).toBeNull();
      await publishAll([parcel('a', 2)]);
      await until(async () => expect((await topic.lag('g')).oldestAgeMs).toBeGreaterThan(5));
      expect((await topic.lag('new')).oldestAgeMs).toBeGreaterThan(5);
    });

    it('tells by partition, where it has any, what it tells in all', async () => {
      const sum = async () => {
        const { messages, partitions } = await topic.lag('g');
        return { messages, sum: partitions?.reduce((total, one) => total + one.messages, 0) ?? messages };
      };
      await publishAll([...'abcdef'].flatMap((key) => [parcel(key, 1), parcel(key, 2)]));
      expect(await sum()).toEqual({ messages: 12, sum: 12 });
      const stuck = ({ message }: Delivery<Parcel>) =>
        message.value.n === 2 ? new Promise<void>(() => {}) : undefined;
      const consumer = consume(topic, 'g', stuck, 16);
      await until(async () => expect(await sum()).toEqual({ messages: 6, sum: 6 }));
      consumer.abort.abort();
      await consumer.ended;
      expect(await sum()).toEqual({ messages: 6, sum: 6 });
    });

    it('shares the messages of one group between two consumers, keys in order', async () => {
      const order = new Map<string, number[]>();
      const note = ({ message }: Delivery<Parcel>) => {
        order.set(message.key, [...(order.get(message.key) ?? []), message.value.n]);
      };
      const one = consume(topic, 'g', note, 2);
      const two = consume(topic, 'g', note, 2);
      const numbers = [1, 2, 3, 4, 5];
      await publishAll(numbers.flatMap((n) => [...'abcdef'].map((key) => parcel(key, n))));
      await until(() => expect(one.handled.length + two.handled.length).toBe(30));
      for (const key of 'abcdef') expect(order.get(key)).toEqual(numbers);
      await Promise.all([one.drained(), two.drained()]);
    });

    it('finishes what is in work when it is closed', async () => {
      await publishAll([parcel('a', 1)]);
      let started = false;
      const consumer = consume(topic, 'g', async () => {
        started = true;
        await new Promise((resolve) => setTimeout(resolve, 20));
      });
      await until(() => expect(started).toBe(true));
      await topic.close();
      await consumer.ended;
      expect(consumer.handled).toEqual(['a-1']);
      topic = await harness.open();
    });

    if (durable) {
      it('keeps messages, attempts and dead letters over a restart', async () => {
        await publishAll([parcel('a', 1), parcel('a', 2)]);
        const first = consume(topic, 'g', ({ message }) => {
          if (message.value.n === 1) throw park('bad', 'refused');
          throw stop('enough', 'enough');
        });
        await expect(first.ended).rejects.toMatchObject({ code: 'enough' });
        await topic.close();
        topic = await harness.open();
        expect(await topic.deadLetters('g')).toMatchObject([{ id: 'a-1', code: 'bad' }]);
        await topic.publish(parcel('a', 2));
        const second = consume(topic, 'g');
        await until(() => expect(second.handled).toEqual(['a-2']));
        await second.drained();
      });
    }

    it('handles every message to completion once in each group, in order by key, however its handlers fail', async () => {
      const schedule = fc.array(
        fc.record({
          key: fc.constantFrom('a', 'b', 'c'),
          failures: fc.integer({ min: 0, max: 2 }),
          pause: fc.boolean(),
        }),
        { minLength: 1, maxLength: 12 },
      );
      let round = 0;
      await fc.assert(
        fc.asyncProperty(schedule, fc.integer({ min: 1, max: 5 }), async (plan, concurrency) => {
          round++;
          const messages = plan.map(({ key }, index) => parcel(`${round}-${key}`, index));
          const group = `g${round}`;
          const consumer = consume(
            topic,
            group,
            async ({ message, attempt }) => {
              // A group that is new begins with what is kept of earlier rounds, too.
              const step = message.key.startsWith(`${round}-`) ? plan[message.value.n]! : { failures: 0, pause: false };
              if (step.pause) await new Promise((resolve) => setImmediate(resolve));
              if (attempt <= step.failures) throw retry('planned', 'planned');
            },
            concurrency,
          );
          await Promise.all(messages.map((message) => topic.publish(message)));
          const mine = () => consumer.handled.filter((id) => id.startsWith(`${round}-`));
          await until(() => expect(mine()).toHaveLength(messages.length));
          await consumer.drained();
          for (const key of new Set(messages.map((message) => message.key))) {
            const expected = messages.filter((message) => message.key === key).map(({ id }) => id);
            expect(mine().filter((id) => id.startsWith(`${key}-`))).toEqual(expected);
          }
        }),
        { numRuns: 25 },
      );
    });
  });
}
