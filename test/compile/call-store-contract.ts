/** What every call store promises, wherever it lies. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallStore, SegmentKey, SegmentResult } from '../../src/compile/calls.ts';
import type { ModelCall } from '../../src/records.ts';
import { callOf, pairOf, segmentOf, trajectoryOf } from '../support/records.ts';

export interface CallStoreHarness {
  /** Another opening of the same store, as another worker has one. */
  open(): Promise<CallStore>;
  /** An opening of a store of its own. */
  openOther(): Promise<CallStore>;
  /** Puts a text in the place of every recorded result. */
  overwriteResults(text: string): Promise<void>;
  /** Closes what was opened. */
  dispose(): Promise<void>;
}

const trajectory = trajectoryOf();
const outcome = segmentOf(trajectory);
const { segment } = outcome;
const key: SegmentKey = { sessionId: segment.sessionId, fingerprint: segment.fingerprint, version: 'one' };

const call = (id: string, of: Partial<ModelCall> = {}): ModelCall => ({ ...callOf(outcome), id, ...of });

function resultOf(answer: string, calls: ModelCall[] = []): SegmentResult {
  return {
    spec: 'segment_result/1',
    outcome,
    pairs: [{ ...pairOf(trajectory, outcome), answer }],
    rejected: [],
    calls,
    compiledAt: '2026-03-04T00:00:00.000Z',
  };
}

export function callStoreContract(name: string, makeHarness: () => Promise<CallStoreHarness>): void {
  describe(`the contract of a call store, kept by ${name}`, () => {
    let harness: CallStoreHarness;
    let store: CallStore;
    beforeEach(async () => {
      harness = await makeHarness();
      store = await harness.open();
    });
    afterEach(() => harness.dispose());

    it('knows an answer again, in another worker too', async () => {
      expect(await store.answer('question')).toBeNull();
      await store.record(call('a'), { key: 'question', reply: '{"text":"as it came"}' });
      const expected = { call: call('a'), reply: '{"text":"as it came"}' };
      expect(await store.answer('question')).toEqual(expected);
      expect(await (await harness.open()).answer('question')).toEqual(expected);
      expect(await store.answer('another question')).toBeNull();
    });

    it('keeps every character of a reply, and what is not known as null', async () => {
      const reply = JSON.stringify({ text: 'nul \u0000, half a pair \ud800, 9007199254740993, 1.10, ‘’', n: 1.1 });
      const paid = call('a', { costUsd: null, model: null, outcome: 'timeout' });
      await store.record(paid, { key: 'question', reply });
      expect(await store.answer('question')).toEqual({ call: paid, reply });
    });

    it('gives a forced second answer in the place of the first', async () => {
      await store.record(call('a'), { key: 'question', reply: '"first"' });
      await store.record(call('b'), { key: 'question', reply: '"second"' });
      expect(await store.answer('question')).toEqual({ call: call('b'), reply: '"second"' });
      expect((await store.unsettled(segment.id)).map(({ id }) => id)).toEqual(['a', 'b']);
    });

    it('takes the same record twice', async () => {
      for (let n = 0; n < 2; n++) await store.record(call('a'), { key: 'question', reply: '"once"' });
      expect(await store.unsettled(segment.id)).toEqual([call('a')]);
    });

    it('lists the calls of a segment that no result accounts for, in their order', async () => {
      const ids = ['9', '1', '5', '3'];
      for (const id of ids) await store.record(call(id));
      await store.record(call('elsewhere', { segmentId: 'another segment' }));
      expect((await store.unsettled(segment.id)).map(({ id }) => id)).toEqual(ids);
      await store.settle(key, resultOf('settled', [call('1'), call('3')]));
      expect((await store.unsettled(segment.id)).map(({ id }) => id)).toEqual(['9', '5']);
      expect(await store.unsettled('another segment')).toHaveLength(1);
    });

    it('has answer and account where a worker died between the two', async () => {
      await store.record(call('a', { outcome: 'timeout', model: null }));
      await store.record(call('b'), { key: 'question', reply: '"paid for"' });
      await store.close();
      const next = await harness.open();
      expect((await next.answer('question'))?.reply).toBe('"paid for"');
      expect((await next.unsettled(segment.id)).map(({ id }) => id)).toEqual(['a', 'b']);
      expect(await next.segment(key)).toBeNull();
      await next.settle(key, resultOf('settled', [call('a'), call('b')]));
      expect(await next.unsettled(segment.id)).toEqual([]);
    });

    it('knows a segment by session, fingerprint and compiler version together', async () => {
      await store.settle(key, resultOf('settled'));
      expect(await store.segment(key)).toEqual(resultOf('settled'));
      expect(await store.segment({ ...key, version: 'two' })).toBeNull();
      expect(await store.segment({ ...key, fingerprint: 'other' })).toBeNull();
      expect(await store.segment({ ...key, sessionId: 'other' })).toBeNull();
      const long = { ...key, sessionId: randomBytes(50_000).toString('hex') };
      await store.settle(long, resultOf('of a session with a long name'));
      expect(await store.segment(long)).toEqual(resultOf('of a session with a long name'));
    });

    it('gives twenty workers that settle one segment at once the result of the first', async () => {
      const workers = await Promise.all(Array.from({ length: 5 }, () => harness.open()));
      const made = Array.from({ length: 20 }, (_, n) => call(`call-${n}`));
      for (const paid of made) await store.record(paid);
      const given = await Promise.all(
        made.map((paid, n) => workers[n % workers.length]!.settle(key, resultOf(`answer ${n}`, [paid]))),
      );
      const recorded = await store.segment(key);
      expect(given).toEqual(Array(20).fill(recorded));
      // What the others paid is not lost: the next result of this segment accounts for it.
      const accounted = new Set(recorded?.calls.map(({ id }) => id));
      const open = (await store.unsettled(segment.id)).map(({ id }) => id);
      expect(open.sort()).toEqual(made.flatMap(({ id }) => (accounted.has(id) ? [] : [id])).sort());
      expect(open).toHaveLength(19);
    });

    it('gives whoever was first its own result back, as the very thing that it was', async () => {
      const [first, second] = [resultOf('first'), resultOf('second')];
      expect(await store.settle(key, first)).toBe(first);
      expect(await store.settle(key, second)).not.toBe(second);
      expect(await store.settle(key, second, { replace: true })).toBe(second);
    });

    it('replaces a result where that is asked for', async () => {
      await store.settle(key, resultOf('first'));
      expect(await store.settle(key, resultOf('second'))).toEqual(resultOf('first'));
      await store.record(call('a'));
      const forced = resultOf('third', [call('a')]);
      expect(await store.settle(key, forced, { replace: true })).toEqual(forced);
      expect(await store.segment(key)).toEqual(forced);
      expect(await store.unsettled(segment.id)).toEqual([]);
    });

    it('does not know a result of another form, and lets a new one take its place', async () => {
      await store.settle(key, resultOf('first'));
      await harness.overwriteResults('{"spec":"segment_result/9"}');
      expect(await store.segment(key)).toBeNull();
      expect(await store.settle(key, resultOf('second'))).toEqual(resultOf('second'));
      expect(await store.segment(key)).toEqual(resultOf('second'));
    });

    it('has an id that its workers share and no other store has', async () => {
      expect(store.id).toMatch(/^[0-9a-f-]{36}$/);
      expect((await harness.open()).id).toBe(store.id);
      expect((await harness.openOther()).id).not.toBe(store.id);
    });
  });
}
