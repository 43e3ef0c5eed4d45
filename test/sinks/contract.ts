/** What every sink promises, wherever its rows lie. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Compiled } from '../../src/records.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import {
  callOf,
  compiledArbitrary,
  compiledOf,
  pairOf,
  rejectionOf,
  rulesVersion,
  segmentOf,
  trajectoryOf,
} from '../support/records.ts';

export type Table = 'qa_pairs' | 'sessions' | 'trajectories' | 'segments' | 'rejections' | 'llm_calls';
export type Dump = Record<Table, Record<string, unknown>[]>;

export interface SinkHarness {
  /** The sink over an empty dataset; the same dataset until `clear`. */
  open(): Promise<Sink>;
  /** Every row, each table in an order that follows from its rows. */
  dump(): Promise<Dump>;
  clear(): Promise<void>;
  dispose(): Promise<void>;
}

const never = new AbortController().signal;
const later = '2026-03-04T00:00:00.000000Z';
const newer = { ...rulesVersion, promptVersion: 'rules/2' };

export function sinkContract(name: string, makeHarness: () => Promise<SinkHarness>): void {
  describe(`the contract of a sink, kept by ${name}`, () => {
    let harness: SinkHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.dispose());

    async function write(...messages: Compiled[]): Promise<Dump> {
      const sink = await harness.open();
      try {
        for (const message of messages) await sink.write(message, never);
      } finally {
        await sink.close();
      }
      return harness.dump();
    }

    it('keeps everything that a message tells', async () => {
      const trajectory = trajectoryOf();
      const segments = [segmentOf(trajectory), segmentOf(trajectory, { outcome: 'no_structure', reason: 'flat' }, 1)];
      const compiled = compiledOf({ trajectory, segments });
      compiled.rejected.push(rejectionOf(segments[0]!));
      compiled.calls.push(callOf(segments[0]!, { costUsd: null }));
      const dump = await write(compiled);
      const pair = compiled.pairs[0]!;
      expect(dump.qa_pairs).toMatchObject([
        {
          session_id: pair.sessionId,
          agent: 'inbox-triage',
          turn_count: 12,
          question: pair.question,
          answer: pair.answer,
          supporting_turns: [2, 5],
          qa_type: 'temporal',
          source_model: 'rules',
          cost_usd: 0,
          created_at: '2026-03-02T10:00:00.000000Z',
          pair_key: pair.pairKey,
          hops: 2,
          span: 3,
          verification: 'proved',
          status: 'active',
          duplicate_of: null,
        },
      ]);
      expect(dump.sessions).toMatchObject([{ session_id: 'session-1', trajectories: 1, turns: 12 }]);
      expect(dump.trajectories).toMatchObject([
        { id: trajectory.id, turn_count: 12, content_hash: trajectory.contentHash },
      ]);
      expect(dump.segments.map(({ outcome, reason }) => [outcome, reason])).toEqual(
        expect.arrayContaining([
          ['compiled', null],
          ['no_structure', 'flat'],
        ]),
      );
      expect(dump.rejections).toMatchObject([{ reason: 'single_turn', status: 'active' }]);
      expect(dump.llm_calls).toMatchObject([{ cost_usd: null, prompt_tokens: 4_000 }]);
    });

    it('names a pair by its key alone, so that every dataset has the same id for it', async () => {
      const first = (await write(compiledOf())).qa_pairs[0]!.id;
      await harness.clear();
      const again = (await write(compiledOf({ compiledAt: later }))).qa_pairs[0]!.id;
      expect(again).toBe(first);
      expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    });

    it.each([
      ['in the order of compiling', false],
      ['in the other order', true],
    ])('puts the pairs of a newer compiler in force, those of the older superseded: %s', async (_, reversed) => {
      const old = compiledOf();
      const next = compiledOf({ compiler: newer, compiledAt: later });
      const dump = await write(...(reversed ? [next, old] : [old, next]));
      const status = new Map(dump.qa_pairs.map((row) => [row.prompt_version, row.status]));
      expect(status).toEqual(
        new Map([
          ['rules/1', 'superseded'],
          ['rules/2', 'active'],
        ]),
      );
    });

    it('lets a newer compile that finds nothing supersede, but not one that failed or was skipped', async () => {
      const trajectory = trajectoryOf();
      const nothing = (outcome: 'no_structure' | 'failed' | 'skipped') =>
        compiledOf({ trajectory, compiler: newer, compiledAt: later, segments: [segmentOf(trajectory, { outcome })] });
      expect((await write(compiledOf(), nothing('failed'), nothing('skipped'))).qa_pairs).toMatchObject([
        { status: 'active' },
      ]);
      expect((await write(nothing('no_structure'))).qa_pairs).toMatchObject([{ status: 'superseded' }]);
    });

    it('counts a model call once, for the message that paid for it', async () => {
      const trajectory = trajectoryOf();
      const segment = segmentOf(trajectory);
      const call = callOf(segment);
      const dump = await write(
        compiledOf({ trajectory, segments: [segment], calls: [call], compiledAt: later }),
        compiledOf({ trajectory, segments: [segment], calls: [call] }),
      );
      expect(dump.llm_calls).toHaveLength(1);
    });

    it('parks a message with a pair of a segment that it lacks, and writes nothing of it', async () => {
      const trajectory = trajectoryOf();
      const stray = pairOf(trajectory, segmentOf(trajectory, {}, 1));
      const message = compiledOf({ trajectory, segments: [segmentOf(trajectory)], pairs: [stray] });
      const sink = await harness.open();
      await expect(sink.write(message, never)).rejects.toMatchObject({ kind: 'park', code: 'bad_message' });
      await sink.close();
      expect((await harness.dump()).trajectories).toEqual([]);
    });

    it('holds the same rows whatever messages come, any number of times, in any order', async () => {
      const deliveries = fc.array(compiledArbitrary, { minLength: 1, maxLength: 6 }).chain((messages) =>
        fc.tuple(
          fc.constant(messages),
          fc.shuffledSubarray([...messages, ...messages], {
            minLength: messages.length * 2,
            maxLength: messages.length * 2,
          }),
        ),
      );
      await fc.assert(
        fc.asyncProperty(deliveries, async ([messages, delivered]) => {
          await harness.clear();
          const expected = await write(...messages);
          await harness.clear();
          expect(await write(...delivered)).toEqual(expected);
        }),
        { numRuns: 60 },
      );
    });
  });
}
