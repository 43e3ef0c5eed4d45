import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Budget } from '../../../src/compile/budget/budget.ts';
import { openBudget } from '../../../src/compile/budget/sqlite.ts';
import { type CallStore, openCallStore } from '../../../src/compile/calls.ts';
import { createCompileStage } from '../../../src/compile/compile.ts';
import type { Compiler } from '../../../src/compile/compiler.ts';
import { noRedaction } from '../../../src/compile/redact/redactor.ts';
import { parcelRows, trajectoryOf } from '../../support/trajectories.ts';

const trajectory = trajectoryOf(parcelRows);
const never = new AbortController().signal;
const days = 86_400_000;
let folder: string;
let calls: CallStore;
let budget: Budget;
let clock: Date;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tc-patience-'));
  calls = openCallStore(join(folder, 'calls.sqlite'));
  clock = new Date('2026-11-21T10:00:00.000Z');
});
afterEach(async () => {
  await budget.close();
  await calls.close();
  rmSync(folder, { recursive: true });
});

/** A compiler whose every call may cost a dollar, and does. */
function stageUnder(limits: { perTrajectory?: number; perDay?: number }) {
  const none = { perCall: null, perTrajectory: null, perDay: null, perMonth: null };
  const now = () => clock;
  budget = openBudget({ path: join(folder, 'budget.sqlite'), limits: { ...none, ...limits }, now });
  const compiler: Compiler = {
    version: { kind: 'llm', tier: 'cheap', model: 'some-model', promptVersion: 'v1', redaction: 'off' },
    async propose({ segment }) {
      const ask = { callId: segment.id, trajectoryId: trajectory.id, agent: null, stage: 'compile' } as const;
      await (await budget.reserve({ ...ask, maxUsd: 1 }, never)).settle(1);
      return { drafts: [], calls: [], malformed: [], emptyReason: null };
    },
  };
  return createCompileStage({ compiler, calls, redactor: noRedaction, patienceMs: 7 * days, now });
}

it('a trajectory that waited a week for money is skipped, and compiled after all when it is asked for and there is some', async () => {
  const stage = stageUnder({ perDay: 0 });
  const compile = () => stage.compileTrajectory(trajectory, never);
  for (const day of [0, 3, 6.9]) {
    clock = new Date(Date.UTC(2026, 10, 21, 10) + day * days);
    await expect(compile()).rejects.toMatchObject({ code: 'budget_exhausted', scope: 'day' });
  }
  clock = new Date(Date.UTC(2026, 10, 28, 10));
  expect((await compile()).segments).toMatchObject([{ outcome: 'skipped', reason: 'budget' }]);
  await budget.close();
  const richer = stageUnder({ perDay: 1 });
  expect((await richer.compileTrajectory(trajectory, never)).segments).toMatchObject([{ outcome: 'no_structure' }]);
});

it('a trajectory that is too dear is skipped at once: no day helps it', async () => {
  const { segments } = await stageUnder({ perTrajectory: 0.5 }).compileTrajectory(trajectory, never);
  expect(segments).toMatchObject([{ outcome: 'skipped', reason: 'budget' }]);
});
