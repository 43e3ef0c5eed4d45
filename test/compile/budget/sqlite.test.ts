import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
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
