import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BudgetLevel } from '../src/compile/budget/budget.ts';
import { spendingOf } from '../src/pipe-standing.ts';

const level: BudgetLevel = { scope: 'day', period: '2026-11-21', limitUsd: 5, spentUsd: 1, reservedUsd: 0 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('what the day and the month cost so far', () => {
  it('is what the books say, and nothing where no model is called', async () => {
    expect(await spendingOf({ spending: async () => [level] })).toEqual([level]);
    expect(await spendingOf(null)).toEqual([]);
  });

  it('is not known where the books can not be read', async () => {
    const spending = () => Promise.reject(new Error('gone'));
    expect(await spendingOf({ spending })).toEqual([]);
  });

  it('keeps no scrape waiting for books that do not answer', async () => {
    const asked = spendingOf({ spending: () => new Promise<never>(() => {}) });
    await vi.advanceTimersByTimeAsync(3000);
    expect(await asked).toEqual([]);
  });
});
