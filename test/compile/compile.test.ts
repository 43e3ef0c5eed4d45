import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BudgetRefusal } from '../../src/compile/budget/budget.ts';
import { type CallStore, openCallStore } from '../../src/compile/calls.ts';
import { type CompileStageOptions, createCompileStage } from '../../src/compile/compile.ts';
import type { Compiler, DraftPair, Proposal } from '../../src/compile/compiler.ts';
import { noRedaction, type Redactor } from '../../src/compile/redact/redactor.ts';
import type { Verifier } from '../../src/compile/verify/verifier.ts';
import { type CompilerVersion, compiledSchema, type ModelCall, type Trajectory } from '../../src/records.ts';
import { heavierDraft, leadsDraft, parcelRows, type Row, trajectoryOf } from '../support/trajectories.ts';

let folder: string;
let calls: CallStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tc-compile-'));
  calls = openCallStore(join(folder, 'calls.sqlite'));
});

afterEach(async () => {
  await calls.close();
  rmSync(folder, { recursive: true });
});

const version: CompilerVersion = {
  kind: 'rules',
  tier: 'rules',
  model: 'rules',
  promptVersion: 'v1',
  redaction: 'off',
};
const llm: CompilerVersion = { ...version, kind: 'llm', tier: 'cheap', model: 'some-model' };

const leads: DraftPair = { ...leadsDraft, raw: '{"n":1}' };
const heavier: DraftPair = { ...heavierDraft, raw: '{"n":2}' };

/** Proposes the same for each segment and counts how often it was asked. */
function compilerOf(proposal: Partial<Proposal>, of = version): Compiler & { asked: number } {
  const compiler = {
    version: of,
    asked: 0,
    async propose() {
      compiler.asked++;
      return { drafts: [], calls: [], malformed: [], emptyReason: null, ...proposal };
    },
  };
  return compiler;
}

const trajectory = trajectoryOf(parcelRows);
const never = new AbortController().signal;
let tick = 0;
const stageOf = (compiler: Compiler, options: Partial<CompileStageOptions> = {}) =>
  createCompileStage({
    compiler,
    calls,
    redactor: noRedaction,
    now: () => new Date(Date.UTC(2026, 10, 20, 12, 0, tick++)),
    ...options,
  });

const callOf = (id: string, costUsd: number | null): ModelCall => ({
  id,
  segmentId: 'set below',
  stage: 'compile',
  provider: 'gemini',
  requestedModel: 'some-model',
  model: 'some-model-002',
  serviceTier: 'standard',
  promptHash: 'hash',
  promptTokens: 10,
  cachedTokens: 0,
  outputTokens: 5,
  thinkingTokens: 0,
  costUsd,
  costSource: costUsd === null ? null : 'table',
  startedAt: '2026-11-20T12:00:00.000Z',
  durationMs: 1,
  outcome: 'ok',
  finishReason: 'STOP',
  parseMode: 'json',
});

describe('a compiled trajectory', () => {
  it('holds its pairs with all that the dataset asks of them', async () => {
    const compiled = await stageOf(compilerOf({ drafts: [leads, heavier] })).compileTrajectory(trajectory, never);
    expect(compiledSchema.parse(compiled)).toEqual(compiled);
    expect(compiled.segments).toMatchObject([{ outcome: 'compiled', reason: null }]);
    expect(compiled.pairs[0]).toMatchObject({
      question: leads.question,
      agent: 'clerk',
      turnCount: 9,
      supportingTurns: [0, 3, 6],
      sourceModel: 'rules',
      costUsd: 0,
      portable: true,
      rawExtraction: '{"n":1}',
    });
    expect(new Set(compiled.pairs.map(({ pairKey }) => pairKey)).size).toBe(2);
  });

  it('calls a pair proved only where rules made it and its derivation was run again', async () => {
    const statusBy = async (compiler: Compiler) =>
      (await stageOf(compiler).compileTrajectory(trajectory, never)).pairs.map(
        ({ verification }) => verification.status,
      );
    expect(await statusBy(compilerOf({ drafts: [leads, heavier] }))).toEqual(['unverified', 'proved']);
    expect(await statusBy(compilerOf({ drafts: [leads, heavier] }, llm))).toEqual(['unverified', 'unverified']);
  });

  it('keeps refused and malformed proposals with their reasons', async () => {
    const wrong = { ...leads, answer: 'tk_9999' };
    const malformed = [{ detail: 'question: expected a text', raw: '{}' }];
    const compiled = await stageOf(compilerOf({ drafts: [wrong, wrong, leads], malformed })).compileTrajectory(
      trajectory,
      never,
    );
    expect(compiled.rejected.map(({ reason }) => reason)).toEqual([
      'schema',
      'ungrounded_literal',
      'ungrounded_literal',
    ]);
    expect(new Set(compiled.rejected.map(({ key }) => key)).size).toBe(3);
    expect(compiled.pairs).toHaveLength(1);
  });

  it.each([
    [{ emptyReason: 'no_structure' }, 'no_structure', 'no_structure'],
    [{}, 'no_structure', 'no_structure'],
    [{ drafts: [{ ...leads, answer: 'tk_9999' }] }, 'no_structure', 'all_rejected'],
    [{ emptyReason: 'truncated' }, 'failed', 'truncated'],
    [{ emptyReason: 'unparsable', malformed: [{ detail: 'prose', raw: '""' }] }, 'failed', 'unparsable'],
  ])('says why a segment gave no pair: %j', async (proposal, outcome, reason) => {
    const compiled = await stageOf(compilerOf(proposal)).compileTrajectory(trajectory, never);
    expect(compiled.segments).toMatchObject([{ outcome, reason }]);
  });

  it('asks no compiler about a segment that holds too few turns', async () => {
    const compiler = compilerOf({ drafts: [leads] });
    const rows: Row[] = [parcelRows[0]!, parcelRows[3]!, { tool: 'message.thought', response: 'Hm.' }];
    const compiled = await stageOf(compiler).compileTrajectory(trajectoryOf(rows), never);
    expect(compiled.segments).toMatchObject([{ outcome: 'skipped', reason: 'too_few_turns' }]);
    expect(compiler.asked).toBe(0);
  });

  it('splits what the calls cost over the pairs that were kept', async () => {
    const share = async (...costs: (number | null)[]) => {
      const made = costs.map((cost, n) => callOf(`call-${n}-${cost}`, cost));
      const compiler = compilerOf(
        { drafts: [leads, heavier, leads], calls: made },
        { ...llm, promptVersion: `${costs}` },
      );
      return (await stageOf(compiler).compileTrajectory(trajectory, never)).pairs.map(({ costUsd }) => costUsd);
    };
    expect(await share(0.01, 0.02)).toEqual([0.015, 0.015]);
    expect(await share(0.01, null)).toEqual([null, null]);
  });

  it('is the same each time, apart from when', async () => {
    const compile = async (name: string) => {
      const own = openCallStore(join(folder, name));
      const compiled = await stageOf(compilerOf({ drafts: [leads, heavier] }), { calls: own }).compileTrajectory(
        trajectory,
        never,
      );
      await own.close();
      return JSON.stringify(compiled).replaceAll(/"2026-11-20T[^"]*"/g, '""');
    };
    expect(await compile('a.sqlite')).toBe(await compile('b.sqlite'));
  });

  it('shows rules the whole trajectory and a model windows of it', async () => {
    const rows = Array.from({ length: 40 }, (_, n): Row => ({ args: { n }, response: `${'word '.repeat(100)}${n}` }));
    const segments = async (of: CompilerVersion) =>
      (await stageOf(compilerOf({}, of), { windowTokens: 1_500 }).compileTrajectory(trajectoryOf(rows), never)).segments
        .length;
    expect(await segments(version)).toBe(1);
    expect(await segments(llm)).toBeGreaterThan(2);
  });
});

describe('a segment that is known', () => {
  it('is not compiled again, and gives the very same record', async () => {
    const compiler = compilerOf({ drafts: [leads] });
    const first = await stageOf(compiler).compileTrajectory(trajectory, never);
    const again = await stageOf(compiler).compileTrajectory(trajectory, never);
    expect(again).toEqual(first);
    expect(compiler.asked).toBe(1);
  });

  it('is known to another process', async () => {
    const first = await stageOf(compilerOf({ drafts: [leads] })).compileTrajectory(trajectory, never);
    await calls.close();
    calls = openCallStore(join(folder, 'calls.sqlite'));
    const compiler = compilerOf({ drafts: [heavier] });
    expect(await stageOf(compiler).compileTrajectory(trajectory, never)).toEqual(first);
    expect(compiler.asked).toBe(0);
  });

  it('is compiled again when that is asked for, or by another compiler, prompt or redaction policy', async () => {
    await stageOf(compilerOf({ drafts: [leads] })).compileTrajectory(trajectory, never);
    const forced = compilerOf({ drafts: [heavier] });
    const compiled = await stageOf(forced).compileTrajectory(trajectory, never, { force: true });
    expect(compiled.pairs.map(({ answer }) => answer)).toEqual([heavier.answer]);
    for (const change of [{ promptVersion: 'v2' }, { model: 'other' }, { redaction: 'on' }, { kind: 'llm' as const }]) {
      const other = compilerOf({ drafts: [leads] }, { ...version, ...change });
      await stageOf(other).compileTrajectory(trajectory, never);
      expect(other.asked).toBe(1);
    }
  });

  it('is known again in another trajectory of its session, and in no other session', async () => {
    const compiler = compilerOf({ drafts: [leads] });
    const compile = (of: typeof trajectory) => stageOf(compiler).compileTrajectory(of, never);
    await compile(trajectory);
    await compile(trajectoryOf(parcelRows, { id: 'elsewhere' }));
    expect(compiler.asked).toBe(1);
    await compile(trajectoryOf(parcelRows, { sessionId: 'of-another-session' }));
    expect(compiler.asked).toBe(2);
  });

  it('brings its pairs along into another trajectory of the session', async () => {
    const compiler = compilerOf({ drafts: [leads, heavier] });
    const first = await stageOf(compiler).compileTrajectory(trajectory, never);
    const moved = trajectoryOf(parcelRows, { id: 'trajectory-2' });
    moved.turns.forEach((turn) => {
      turn.rowKey = `moved-${turn.rowKey}`;
    });
    const second = await stageOf(compiler).compileTrajectory(moved, never);
    expect(compiler.asked).toBe(1);
    expect(second.pairs.map(({ pairKey }) => pairKey)).toEqual(first.pairs.map(({ pairKey }) => pairKey));
    expect(second.pairs[0]).toMatchObject({
      trajectoryId: 'trajectory-2',
      segmentId: second.segments[0]!.segment.id,
      evidence: [{ rowKey: 'moved-row-0' }, { rowKey: 'moved-row-3' }, { rowKey: 'moved-row-6' }],
    });
  });
});

describe('calls of an attempt that failed', () => {
  it('are accounted for by the attempt that succeeds', async () => {
    const id = (await stageOf(compilerOf({})).compileTrajectory(trajectory, never)).segments[0]!.segment.id;
    await calls.record({ ...callOf('earlier', 0.03), segmentId: id });
    const made = { ...callOf('later', 0.01), segmentId: id };
    const compiled = await stageOf(compilerOf({ drafts: [leads], calls: [made] }, llm)).compileTrajectory(
      trajectory,
      never,
    );
    expect(compiled.calls.map((call) => call.id)).toEqual(['earlier', 'later']);
    expect(compiled.pairs[0]?.costUsd).toBeCloseTo(0.04, 10);
    expect(compiled.pairs[0]?.sourceModel).toBe('some-model-002');
    // Once only: a forced run pays for itself alone.
    const forced = compilerOf({ drafts: [leads], calls: [{ ...callOf('third', 0.01), segmentId: id }] }, llm);
    const again = await stageOf(forced).compileTrajectory(trajectory, never, { force: true });
    expect(again.calls.map((call) => call.id)).toEqual(['third']);
  });
});

describe('redaction', () => {
  const redactorOf = (redact: (whole: Trajectory) => Trajectory): Redactor => ({
    ...noRedaction,
    name: 'on',
    redact: async (whole) => ({ trajectory: redact(whole), counts: {} }),
  });

  it('that fails parks the trajectory before anyone sees it', async () => {
    const compiler = compilerOf({ drafts: [leads] });
    const redactor = redactorOf(() => {
      throw new Error('detector gave up at "some row text"');
    });
    await expect(stageOf(compiler, { redactor }).compileTrajectory(trajectory, never)).rejects.toMatchObject({
      kind: 'park',
      code: 'redaction_failed',
      message: expect.not.stringContaining('some row text'),
    });
    expect(compiler.asked).toBe(0);
  });

  it('decides what models, gates and sinks get', async () => {
    const redactor = redactorOf((whole) => ({
      ...whole,
      turns: whole.turns.map((turn) => ({
        ...turn,
        response: turn.response?.replace('Tamsin Okafor', '⟦PERSON_1⟧') ?? null,
      })),
    }));
    const named = {
      ...leads,
      answer: '⟦PERSON_1⟧',
      evidence: [...leads.evidence.slice(0, 2), { turn: 6, quote: 'lead: ⟦PERSON_1⟧' }],
    };
    const compiled = await stageOf(compilerOf({ drafts: [named, leads] }), { redactor }).compileTrajectory(
      trajectory,
      never,
    );
    expect(JSON.stringify(compiled.trajectory)).not.toContain('Tamsin');
    expect(compiled.pairs).toMatchObject([{ answer: '⟦PERSON_1⟧', portable: false }]);
    expect(compiled.rejected).toMatchObject([{ reason: 'quote_not_found' }]);
  });

  it('leaves each turn the digest of the row that it was, and no other', async () => {
    const digests = trajectory.turns.map((_, index) => (index === 2 ? undefined : `0000aaaa:${index}`));
    const digested = { ...trajectory, turns: trajectory.turns.map((turn, i) => ({ ...turn, digest: digests[i] })) };
    // A redactor makes turns anew, and may have opinions of its own.
    const redactor = redactorOf((whole) => ({
      ...whole,
      turns: whole.turns.map(({ digest: _, ...turn }) => ({ ...turn, response: '{}', digest: 'invented' })),
    }));
    const stage = stageOf(compilerOf({ drafts: [] }), { redactor });
    const { turns } = (await stage.compileTrajectory(digested as Trajectory, never)).trajectory;
    expect(turns.map(({ digest }) => digest)).toEqual(digests);
  });

  it('that loses a turn parks the trajectory: its digests would be those of other rows', async () => {
    const redactor = redactorOf((whole) => ({ ...whole, turns: whole.turns.slice(1) }));
    const stage = stageOf(compilerOf({ drafts: [] }), { redactor });
    await expect(stage.compileTrajectory(trajectory, never)).rejects.toMatchObject({ code: 'redaction_failed' });
  });
});

describe('a second look that no money is left for', () => {
  const refused = (since: Date): Verifier => ({
    version: 'verify/1 test',
    verify: async () => {
      throw new BudgetRefusal('the day is paid out', {
        scope: 'day',
        since,
        resumeAt: new Date(since.getTime() + day),
      });
    },
  });
  const day = 86_400_000;
  const at = new Date(Date.UTC(2026, 10, 21));
  const stageWith = (verifier: Verifier) =>
    stageOf(compilerOf({ drafts: [leads] }, llm), { verifier, patienceMs: 7 * day, now: () => at });

  it('is waited for', async () => {
    const stage = stageWith(refused(new Date(at.getTime() - 6 * day)));
    await expect(stage.compileTrajectory(trajectory, never)).rejects.toMatchObject({ code: 'budget_exhausted' });
  });

  it('costs no pair that was written and paid for, however long it took', async () => {
    const { pairs } = await stageWith(refused(new Date(at.getTime() - 8 * day))).compileTrajectory(trajectory, never);
    expect(pairs.map(({ verification }) => verification)).toEqual([{ status: 'unverified', reason: 'budget' }]);
  });
});

describe('giving up', () => {
  it('leaves nothing that is not asked for begun', async () => {
    const compiler = compilerOf({ drafts: [leads] });
    const controller = new AbortController();
    controller.abort(new Error('second signal'));
    await expect(stageOf(compiler).compileTrajectory(trajectory, controller.signal)).rejects.toThrow('second signal');
    expect(compiler.asked).toBe(0);
  });
});
