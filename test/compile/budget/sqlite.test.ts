import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openBudget } from '../../../src/compile/budget/sqlite.ts';
import { budgetContract } from './contract.ts';

budgetContract('a file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tc-budget-'));
  const path = join(folder, 'budget.sqlite');
  return {
    open: async (options) => openBudget({ path, ...options }),
    count: async (table) => {
      const db = new Database(path, { readonly: true });
      const n = db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
      db.close();
      return n;
    },
    dispose: async () => rmSync(folder, { recursive: true }),
  };
});

test('who only asks what is spent waits for nobody who writes, and writes nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tc-budget-'));
  const path = join(folder, 'budget.sqlite');
  const limits = { perCall: null, perTrajectory: null, perDay: 1, perMonth: null };
  const budget = openBudget({ path, limits });
  const other = new Database(path);
  try {
    other.exec('BEGIN IMMEDIATE');
    expect(await budget.levels()).toMatchObject([
      { scope: 'day', limitUsd: 1, spentUsd: 0, reservedUsd: 0 },
      { scope: 'month', limitUsd: null, spentUsd: 0, reservedUsd: 0 },
    ]);
    expect(other.prepare('SELECT count(*) FROM periods').pluck().get()).toBe(0);
  } finally {
    other.close();
    await budget.close();
    rmSync(folder, { recursive: true });
  }
});
