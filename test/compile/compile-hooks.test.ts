/** What the compile stage tells those who count. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BudgetRefusal } from '../../src/compile/budget/budget.ts';
import { type CallStore, openCallStore, type SegmentResult } from '../../src/compile/calls.ts';
import { type CompileStageOptions, createCompileStage } from '../../src/compile/compile.ts';
import type { Compiler } from '../../src/compile/compiler.ts';
import type { Coverage } from '../../src/compile/coverage/coverage.ts';
import { noRedaction } from '../../src/compile/redact/redactor.ts';
import type { Verifier } from '../../src/compile/verify/verifier.ts';
import { retry } from '../../src/errors.ts';
import type { CompilerVersion, Trajectory } from '../../src/records.ts';
import { leadsDraft, parcelRows, type Row, trajectoryOf } from '../support/trajectories.ts';

let calls: CallStore;
let steps: string[];
let told: SegmentResult[];
beforeEach(() => {
  calls = openCallStore(':memory:');
  steps = [];
  told = [];
});
afterEach(() => calls.close());

const never = new AbortController().signal;
const away = retry('model_unavailable', 'away');

/** Proposes the same for each segment; fails where it is told to, by how often it was asked. */
function compilerOf(drafts = [leadsDraft], failsAt: number[] = []): Compiler {
  const version: CompilerVersion = { kind: 'llm', tier: 'cheap', model: 'm', promptVersion: 'v1', redaction: 'off' };
  let asked = 0;
  return {
    version,
    propose: async () => {
      asked += 1;
      if (failsAt.includes(asked)) throw away;
      return { drafts, calls: [], malformed: [], emptyReason: null };
    },
  };
}

const passing: Verifier = {
  version: 'verify/1 test',
  verify: async (pairs) => ({ verdicts: pairs.map(() => ({ status: 'pass', reason: null })), calls: [] }),
};

function compile(options: Partial<CompileStageOptions> = {}, trajectory: Trajectory = trajectoryOf(parcelRows)) {
  const stage = createCompileStage({
    compiler: compilerOf(),
    calls,
    redactor: noRedaction,
    onStage: (step, seconds) => steps.push(seconds >= 0 && seconds < 60 ? step : `${step}: ${seconds}`),
    onSegment: (result) => told.push(result),
    ...options,
  });
  return stage.compileTrajectory(trajectory, never);
}

/** More than one window of it. */
const long = trajectoryOf(
  Array.from({ length: 40 }, (_, n): Row => ({ args: { n }, response: `${'word '.repeat(100)}${n}` })),
);
const windows = { windowTokens: 1_500 };

describe('how long a step took', () => {
  it('is told once a trajectory of redaction, once a segment of the others, in their order', async () => {
    await compile({ verifier: passing });
    expect(steps).toEqual(['redact', 'propose', 'gates', 'verify', 'store']);
    steps.length = 0;
    const { segments } = await compile(windows, long);
    expect(segments.length).toBeGreaterThan(1);
    expect(steps).toEqual(['redact', ...segments.flatMap(() => ['propose', 'gates', 'store'])]);
  });

  it('is not told of what was not done', async () => {
    await compile({ compiler: compilerOf([]), verifier: passing });
    // Nothing was proposed: nothing to judge, and nothing to look at again.
    expect(steps).toEqual(['redact', 'propose', 'store']);
    steps.length = 0;
    await compile({ verifier: passing });
    // It is known.
    expect(steps).toEqual(['redact']);
  });

  it('is told of no compiler where a segment is too short or passed over', async () => {
    await compile({}, trajectoryOf(parcelRows.slice(0, 2)));
    expect(steps).toEqual(['redact', 'store']);
    steps.length = 0;
    await compile({ coverage: passesOver });
    expect(steps).toEqual(['redact']);
  });

  it('is not told of what failed', async () => {
    await expect(compile({ compiler: compilerOf([], [1]) })).rejects.toBe(away);
    expect(steps).toEqual(['redact']);
    steps.length = 0;
    const failing: Verifier = { ...passing, verify: () => Promise.reject(away) };
    await expect(compile({ verifier: failing })).rejects.toBe(away);
    expect(steps).toEqual(['redact', 'propose', 'gates']);
  });
});

const passesOver: Coverage = { admits: async () => false, close: async () => {} };

describe('what a segment gave', () => {
  const reasons = () => told.map(({ outcome }) => outcome.reason);

  it('is told once it is recorded, and not again of one that is known', async () => {
    const { pairs } = await compile();
    expect(told).toMatchObject([{ outcome: { outcome: 'compiled' }, pairs }]);
    expect(pairs).toHaveLength(1);
    await compile();
    await compile({}, trajectoryOf(parcelRows, { id: 'another of the session' }));
    expect(told).toHaveLength(1);
  });

  it('is told of the segments that were done, where a later one fails; the next attempt tells of the rest', async () => {
    const compiler = compilerOf([leadsDraft], [3]);
    await expect(compile({ compiler, ...windows }, long)).rejects.toBe(away);
    expect(told).toHaveLength(2);
    const { segments } = await compile({ compiler, ...windows }, long);
    expect(segments.length).toBeGreaterThan(2);
    expect(told.map(({ outcome }) => outcome.segment.id)).toEqual(segments.map(({ segment }) => segment.id));
  });

  it('is told by the worker whose result stands, not by the one that came second', async () => {
    const slower: CallStore = { ...calls, segment: async () => null, settle: calls.settle.bind(calls) };
    slower.unsettled = calls.unsettled.bind(calls);
    await compile();
    const { pairs } = await compile({ calls: slower });
    expect(pairs).toHaveLength(1);
    expect(told).toHaveLength(1);
  });

  it('is told of what is passed over once the trajectory is done, not at each attempt', async () => {
    const admitted = new Set<string>();
    // The first window is passed over, the second fails at first.
    const coverage: Coverage = {
      ...passesOver,
      admits: async ({ segment }) => segment.firstTurn > 0 && admitted.add(segment.id).size > 0,
    };
    const compiler = compilerOf([leadsDraft], [1]);
    await expect(compile({ compiler, coverage, ...windows }, long)).rejects.toBe(away);
    expect(told).toEqual([]);
    const { segments } = await compile({ compiler, coverage, ...windows }, long);
    expect(told).toHaveLength(segments.length);
    expect(reasons().filter((reason) => reason === 'coverage')).toHaveLength(1);
  });

  it('is told of what nobody would pay for', async () => {
    const refusing: Compiler = {
      ...compilerOf(),
      propose: () => Promise.reject(new BudgetRefusal('too dear', { scope: 'trajectory', since: new Date() })),
    };
    await compile({ compiler: refusing });
    expect(reasons()).toEqual(['budget']);
  });
});
