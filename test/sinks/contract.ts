/** What every sink promises, wherever its rows lie. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TableName } from '../../src/dataset-tables.ts';
import type { Compiled, Verification } from '../../src/records.ts';
import { rowsOf } from '../../src/sinks/rows.ts';
import type { Sink, SinkMessage } from '../../src/sinks/sink.ts';
import {
  apartOf,
  callOf,
  compiledArbitrary,
  compiledOf,
  historyArbitrary,
  pairOf,
  rejectionOf,
  rulesVersion,
  segmentOf,
  trajectoryOf,
  turnOf,
  verifiedOf,
} from '../support/records.ts';

/** Rows in any order; the text of JSON columns parsed, numbers as numbers, times as the messages write them. */
export type Dump = Record<TableName | 'sessions', Record<string, unknown>[]>;

export interface SinkHarness {
  /** The sink over the dataset, which is the same until `clear`. */
  open(): Promise<Sink>;
  /** Every row. Of turns, `body` is the JSON text. */
  dump(): Promise<Dump>;
  /** Empties the dataset; called before every test and every run of a property. */
  clear(): Promise<void>;
  dispose(): Promise<void>;
}

const never = new AbortController().signal;
const later = '2026-03-04T00:00:00.000000Z';
const newer = { ...rulesVersion, promptVersion: 'rules/2' };

/** `runs`: how many random histories. */
export function sinkContract(name: string, makeHarness: () => Promise<SinkHarness>, { runs = 60 } = {}): void {
  describe(`the contract of a sink, kept by ${name}`, () => {
    let harness: SinkHarness;
    beforeAll(async () => {
      harness = await makeHarness();
    });
    beforeEach(() => harness.clear());
    afterAll(() => harness?.dispose());

    async function write(...messages: SinkMessage[]): Promise<Dump> {
      const sink = await harness.open();
      try {
        for (const message of messages) await sink.write(message, never);
      } finally {
        await sink.close();
      }
      return sorted(await harness.dump());
    }

    async function writeAnew(...messages: SinkMessage[]): Promise<Dump> {
      await harness.clear();
      return write(...messages);
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
      expect(turnsOf(dump)).toEqual(trajectory.turns);
      expect(new Set(dump.trajectory_turns.map(({ row_key }) => row_key))).toEqual(
        new Set(trajectory.turns.map(({ rowKey }) => rowKey)),
      );
      expect(dump.compilations).toMatchObject([
        { trajectory_id: trajectory.id, complete: 1, segments: 2, pairs: 1, rejected: 1 },
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
      const again = (await writeAnew(compiledOf({ compiledAt: later }))).qa_pairs[0]!.id;
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
      const paid = (costUsd: number) => [callOf(segment, { id: 'call', costUsd })];
      const first = compiledOf({ trajectory, segments: [segment], calls: paid(0.5) });
      const again = compiledOf({ trajectory, segments: [segment], calls: paid(0.25), compiledAt: later });
      expect((await write(first, again)).llm_calls).toMatchObject([{ cost_usd: 0.5 }]);
      expect((await writeAnew(again, first)).llm_calls).toMatchObject([{ cost_usd: 0.5 }]);
    });

    const verdict = (status: 'pass' | 'fail' | 'error', at: string): Verification => ({
      status,
      reason: status === 'pass' ? null : 'not_supported',
      version: 'verify/1 gemini gemini-3.8-flash',
      at,
      sameFamily: false,
    });
    const [noon, evening] = ['2026-03-02T12:00:00.000Z', '2026-03-02T18:00:00.000Z'];
    /** The same pair, as a compile may leave it before anybody looked. */
    const unasked = (changes: Partial<Compiled> = {}, answer = '38') => {
      const compiled = compiledOf(changes);
      const pairs = compiled.pairs.map((pair) => {
        return { ...pair, answer, verification: { status: 'unverified' as const, reason: null } };
      });
      return { ...compiled, pairs };
    };

    it('keeps the latest verdict on a pair, whatever compile of it comes when', async () => {
      const compiled = unasked();
      const again = unasked({ compiledAt: later });
      const passed = verifiedOf(compiled, verdict('pass', noon));
      const failed = verifiedOf(compiled, verdict('fail', evening), {
        calls: [callOf(compiled.segments[0]!, { stage: 'verify' })],
      });
      const expected = await write(compiled, passed, failed, again);
      expect(expected.qa_pairs).toMatchObject([
        {
          verification: 'fail',
          verification_reason: 'not_supported',
          verdict_version: 'verify/1 gemini gemini-3.8-flash',
          verified_at: '2026-03-02T18:00:00.000000Z',
          same_family: 0,
          status: 'active',
        },
      ]);
      expect(expected.llm_calls).toMatchObject([{ stage: 'verify' }]);
      expect(await writeAnew(failed, again, passed, compiled, again)).toEqual(expected);
      expect(await writeAnew(again, failed, compiled, failed, passed)).toEqual(expected);
    });

    it('takes no verdict on one answer for a verdict on another', async () => {
      const passed = verifiedOf(unasked(), verdict('pass', evening));
      const changed = unasked({ compiledAt: later }, '39');
      const expected = await write(unasked(), passed, changed);
      expect(expected.qa_pairs).toMatchObject([{ answer: '39', verification: 'unverified', verified_at: null }]);
      expect(await writeAnew(changed, passed, unasked())).toEqual(expected);
    });

    it('lets an answer that could not be used undo no verdict', async () => {
      const [passed, failed] = [verdict('pass', noon), verdict('error', evening)];
      const dump = await write(unasked(), verifiedOf(unasked(), failed), verifiedOf(unasked(), passed));
      expect(dump.qa_pairs).toMatchObject([{ verification: 'pass' }]);
      expect((await writeAnew(unasked(), verifiedOf(unasked(), failed))).qa_pairs).toMatchObject([
        { verification: 'error' },
      ]);
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

    it('writes nothing once it was told to give up', async () => {
      const sink = await harness.open();
      await expect(sink.write(compiledOf(), AbortSignal.abort(new Error('given up')))).rejects.toThrow('given up');
      await sink.close();
      expect((await harness.dump()).trajectories).toEqual([]);
    });

    it('counts the turns of a trajectory whose turns travel apart before they are there', async () => {
      const head = apartOf(compiledOf(), 5).at(-1)!;
      const dump = await write(head);
      expect(dump.trajectories).toMatchObject([{ turn_count: 12 }]);
      expect(dump.sessions).toMatchObject([{ turns: 12 }]);
      expect(dump.trajectory_turns).toEqual([]);
      expect(dump.qa_pairs).toMatchObject([{ status: 'active' }]);
    });

    it('takes the turns of the compile that counts, whichever comes last and in whatever pieces', async () => {
      const trajectory = trajectoryOf();
      const changed = (response: string): Compiled['trajectory'] => ({
        ...trajectory,
        turns: trajectory.turns.map((turn, index) => (index % 4 === 0 ? { ...turn, response } : turn)),
      });
      const old = apartOf(compiledOf({ trajectory: changed('old') }), 5);
      const next = apartOf(compiledOf({ trajectory: changed('new'), compiler: newer, compiledAt: later }), 7);
      const expected = await write(...old, ...next);
      expect(turnsOf(expected)).toEqual(changed('new').turns);
      expect(await writeAnew(...next.toReversed(), ...old, ...old.toReversed(), next[0]!)).toEqual(expected);
    });

    it('keeps the digest of a row beside its turn, that of the compile that counts, whichever comes last', async () => {
      const digested = (tag: string | null): Compiled['trajectory'] => {
        const trajectory = trajectoryOf();
        const turns = trajectory.turns.map((turn, i) => (tag === null ? turn : { ...turn, digest: `${tag}:${i}` }));
        return { ...trajectory, turns };
      };
      const old = compiledOf({ trajectory: digested('0000aaaa') });
      const next = compiledOf({ trajectory: digested('0000bbbb'), compiler: newer, compiledAt: later });
      const dump = await write(old, next);
      expect(dump.trajectory_turns.map(({ digest }) => digest)).toEqual(
        dump.trajectory_turns.map(({ turn }) => `0000bbbb:${turn}`),
      );
      // What may be redacted and what may not stand apart.
      expect(turnsOf(dump)).toEqual(trajectoryOf().turns);
      expect(await writeAnew(next, old)).toEqual(dump);
      // Compiles that nothing but the digest tells apart.
      const without = compiledOf({ trajectory: digested(null) });
      expect(await writeAnew(without, old)).toEqual(await writeAnew(old, without));
    });

    it('holds the same rows whether turns come inside the message or apart, in any order', async () => {
      const delivered = compiledArbitrary.chain((compiled) =>
        fc.integer({ min: 1, max: 13 }).chain((turnsEach) => {
          const messages = apartOf(compiled, turnsEach);
          return fc.tuple(fc.constant(compiled), shuffled(messages));
        }),
      );
      await fc.assert(
        fc.asyncProperty(delivered, async ([inside, apart]) => {
          const expected = await writeAnew(inside);
          expect(await writeAnew(...apart)).toEqual(expected);
        }),
        { numRuns: Math.ceil(runs / 3) },
      );
    });

    it('does not tell compiles of a turn apart by the order of its fields', async () => {
      const turns = trajectoryOf().turns.map((turn) => ({ ...turn, metadata: { region: 'north' } }));
      const expected = await write(compiledOf({ trajectory: trajectoryOf({ turns }) }));
      const reversed = turns.map((turn) => Object.fromEntries(Object.entries(turn).reverse()) as typeof turn);
      expect(await writeAnew(compiledOf({ trajectory: trajectoryOf({ turns: reversed }) }))).toEqual(expected);
    });

    it('replaces text that some database cannot hold, and keeps the turns as they are', async () => {
      const turn = turnOf('session-1', 0, { response: '{"odd":"\0 \ud83d \\u0000"}', tool: '\udc00' });
      const trajectory = trajectoryOf({ turns: [turn], agents: ['a\0', '\ud83d😀'] });
      const segment = segmentOf(trajectory);
      const pair = pairOf(trajectory, segment, {
        question: 'what is \0?',
        answer: '😀\ude00',
        evidence: [{ turn: 0, rowKey: 'k', quote: '\0\\u0000', offset: 0 }],
        // The escapes themselves: of nothing, of a half, of a whole one, and an escaped backslash.
        rawExtraction: String.raw`{"a":"\u0000 \uD83D \ude00\ud83d \ud83d\ude00 \\u0000"}`,
      });
      const dump = await write(compiledOf({ trajectory, segments: [segment], pairs: [pair] }));
      expect(dump.qa_pairs).toMatchObject([
        {
          question: 'what is \ufffd?',
          answer: '😀\ufffd',
          evidence: [{ quote: '\ufffd\\u0000' }],
          raw_extraction: { a: '\ufffd \ufffd \ufffd\ufffd 😀 \\u0000' },
        },
      ]);
      expect(dump.trajectories).toMatchObject([{ agents: ['a\ufffd', '\ufffd😀'] }]);
      expect(turnsOf(dump)).toEqual([turn]);
    });

    it('tells what it wrote: all rows the first time, none when the message comes again', async () => {
      const compiled = compiledOf();
      const sink = await harness.open();
      const effects = [];
      for (const message of [compiled, compiled, { ...compiled, compiledAt: later }, compiled]) {
        effects.push(await sink.write(message, never));
      }
      await sink.close();
      const all = rowCountOf(compiled);
      // A compile that comes later brings the verdict that is there.
      const verdicts = compiled.pairs.length;
      expect(effects).toEqual([
        { written: all, unchanged: 0, unknown: 0 },
        { written: 0, unchanged: all, unknown: 0 },
        { written: all - verdicts, unchanged: verdicts, unknown: 0 },
        { written: 0, unchanged: all, unknown: 0 },
      ]);
    });

    it('accounts for every row of every message, and writes none of one that it has just written', async () => {
      await fc.assert(
        fc.asyncProperty(historyArbitrary, async (messages) => {
          await harness.clear();
          const sink = await harness.open();
          for (const message of messages) {
            const { written, unchanged, unknown } = await sink.write(message, never);
            expect(written + unchanged + unknown).toBe(rowCountOf(message));
            expect(await sink.write(message, never)).toMatchObject({ written: 0, unknown: 0 });
          }
          await sink.close();
        }),
        { numRuns: Math.ceil(runs / 2) },
      );
    });

    it('holds the same rows whatever messages come, any number of times, in any order', async () => {
      const deliveries = historyArbitrary.chain((messages) =>
        fc.tuple(fc.constant(messages), shuffled([...messages, ...messages])),
      );
      await fc.assert(
        fc.asyncProperty(deliveries, async ([messages, delivered]) => {
          const expected = await writeAnew(...messages);
          expect(await writeAnew(...delivered)).toEqual(expected);
        }),
        { numRuns: runs },
      );
    });
  });
}

function rowCountOf(message: SinkMessage): number {
  return Object.values(rowsOf(message)).reduce((sum, rows) => sum + rows.length, 0);
}

function shuffled<T>(items: T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray(items, { minLength: items.length, maxLength: items.length });
}

/** Each table in an order that follows from its rows. */
export function sorted(dump: Dump): Dump {
  const tables = Object.entries(dump).map(([table, rows]) => {
    const ranked = rows.map((row) => ({ row, rank: JSON.stringify(Object.entries(row).sort(byFirst)) }));
    ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
    return [table, ranked.map(({ row }) => row)];
  });
  return Object.fromEntries(tables) as Dump;
}

function byFirst([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

function turnsOf(dump: Dump): unknown[] {
  const rows = dump.trajectory_turns.toSorted((a, b) => Number(a.turn) - Number(b.turn));
  return rows.map(({ body }) => JSON.parse(String(body)));
}
