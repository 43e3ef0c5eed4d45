import { expect, it } from 'vitest';
import { type Budget, BudgetRefusal } from '../../../src/compile/budget/budget.ts';
import { tellingLeftOut } from '../../../src/compile/budget/telling.ts';

const ask = { callId: 'c', trajectoryId: 't', agent: null, stage: 'compile', maxUsd: 1 } as const;
const { signal } = new AbortController();

function refusing(...refusals: BudgetRefusal[]): Budget {
  return { reserve: async () => Promise.reject(refusals.shift()), levels: async () => [], close: async () => {} };
}

it('what a cap leaves out for good is told once of each cap, and what is waited for is not', async () => {
  const since = new Date(0);
  const refusals = [
    new BudgetRefusal('of a day', { scope: 'day', since, resumeAt: new Date(1) }),
    new BudgetRefusal('of a call', { scope: 'call', since }),
    new BudgetRefusal('of another call', { scope: 'call', since }),
    new BudgetRefusal('of a trajectory', { scope: 'trajectory', since }),
  ];
  const told: string[] = [];
  const budget = tellingLeftOut(refusing(...refusals), ({ message }) => told.push(message));
  for (const refusal of refusals.slice()) await expect(budget.reserve(ask, signal)).rejects.toBe(refusal);
  expect(told).toEqual(['of a call', 'of a trajectory']);
});
