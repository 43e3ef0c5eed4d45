/** What the parts of the pipe may expect of any transport. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { retry } from '../../src/errors.ts';
import { Releasers } from '../../src/lifecycle.ts';
import type { Trajectory } from '../../src/records.ts';
import type { TrajectoryRef } from '../../src/sessionizer/outbox.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { until } from '../support/capture.ts';
import { compiledOf, trajectoryOf } from '../support/records.ts';

export interface TransportHarness {
  /** Of no messages, for the sinks `near` and `far`; bodies come from `assemble`. */
  open(assemble: (trajectoryId: string) => Trajectory, releasers: Releasers): Transport;
  /** Deletes everything. */
  dispose(): Promise<void>;
}

export function transportContract(name: string, makeHarness: () => Promise<TransportHarness>): void {
  describe(`the contract of a transport, kept by ${name}`, () => {
    const trajectories = ['a', 'b'].map((sessionId) => trajectoryOf({ sessionId }));
    const refs = trajectories.map(({ id, sessionId, part }): TrajectoryRef => {
      const sizes = { turns: 12, bytes: 1000, firstAt: 0, lastAt: 0 };
      return { ...sizes, trajectoryId: id, sessionId, part, agent: 'inbox-triage', closedBy: 'idle', resentAt: null };
    });
    let harness: TransportHarness;
    let releasers: Releasers;
    let transport: Transport;
    let done: AbortController;
    beforeEach(async () => {
      harness = await makeHarness();
      releasers = new Releasers();
      done = new AbortController();
      transport = harness.open((id) => trajectories.find((one) => one.id === id)!, releasers);
    });
    afterEach(async () => {
      done.abort();
      await releasers.unwind();
      await harness.dispose();
    });

    /** Fails the first time, for each of these. */
    function failingOnce(ids: string[]) {
      const handled: string[] = [];
      const failing = new Set(ids);
      const handle = async (id: string) => {
        if (failing.delete(id)) throw retry('flaky', 'not yet');
        handled.push(id);
      };
      return { handled, handle };
    }
    const options = () => ({ concurrency: 4, signal: done.signal, abort: done.signal });

    it('counts the trajectories that are delivered again', async () => {
      const topic = await transport.openTrajectories();
      await topic.publish(refs);
      const { handled, handle } = failingOnce([trajectories[0]!.id]);
      const consuming = topic.consume(({ id }) => handle(id), options());
      await until('both are handled', () => handled.length === 2);
      expect(topic.counts()).toMatchObject({ topic: 'trajectories', redeliveries: 1 });
      done.abort();
      await consuming;
    });

    it('counts what was compiled and is delivered again, over all sinks', async () => {
      const topic = await transport.openCompiled();
      for (const trajectory of trajectories) await topic.publish(compiledOf({ trajectory }));
      expect(topic.counts()).toEqual({ topic: 'compiled', redeliveries: 0, duplicates: 0, rebalances: 0 });
      const near = failingOnce(['a', 'b']);
      const far = failingOnce(['b']);
      const consuming = Object.entries({ near, far }).map(([sink, { handle }]) =>
        topic.consume(
          sink,
          (message) => handle(message.spec === 'compiled/1' ? message.trajectory.sessionId : message.sessionId),
          options(),
        ),
      );
      await until('all are handled', () => near.handled.length + far.handled.length === 4);
      expect(topic.counts()).toMatchObject({ redeliveries: 3 });
      done.abort();
      await Promise.all(consuming);
    });

    it('tells of every sink what waits for it and since when, whether or not it runs', async () => {
      const topic = await transport.openCompiled();
      for (const trajectory of trajectories) await topic.publish(compiledOf({ trajectory }));
      const { handled, handle } = failingOnce([]);
      const consuming = topic.consume('near', () => handle('one'), options());
      await until('near has handled both', () => handled.length === 2);
      await until('near is told to be done', async () => {
        const near = (await topic.lags()).find(({ group }) => group === 'near')!;
        return near.lag.messages === 0;
      });
      const lags = new Map((await topic.lags()).map(({ group, lag }) => [group, lag]));
      expect(lags.get('near')).toMatchObject({ messages: 0, oldestAgeMs: null });
      expect(lags.get('far')).toMatchObject({ messages: 2, inWork: 0, oldestAgeMs: expect.any(Number) });
      done.abort();
      await consuming;
    });
  });
}
