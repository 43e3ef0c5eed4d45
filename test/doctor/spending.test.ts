import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openBudget } from '../../src/compile/budget/sqlite.ts';
import { listSource } from '../../src/compile/models/prices.ts';
import { ageCheck, examineSpending, listed } from '../../src/doctor/spending.ts';
import { checksOf, faults, forever, load, named } from './looking.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tc-doctor-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const look = (env: Record<string, string> = {}) => {
  const cheap = { TC_DATA_DIR: dir, TC_COMPILE_TIER: 'cheap', GEMINI_API_KEY: 'not-a-real-key' };
  const { config } = load({ ...cheap, ...env });
  return checksOf((list) => examineSpending(list, config));
};

it('the models of a tier have a price, and that nothing limits the cost is warned of', async () => {
  const checks = await look();
  expect(checks.filter(({ name }) => name === 'model_price').map(({ outcome }) => outcome)).toEqual(['ok', 'ok']);
  expect(named(checks, 'budget_cap')).toMatchObject({
    outcome: 'warning',
    remedy: expect.stringContaining('TC_BUDGET_PER_DAY=5'),
  });
  expect(faults(await look({ TC_BUDGET_PER_DAY: '5' }))).toEqual([]);
});

it('a cap that is below what one call may cost is warned of, one of nothing is a pause', async () => {
  const small = named(await look({ TC_BUDGET_PER_DAY: '5', TC_BUDGET_PER_CALL: '0.01' }), 'budget_room');
  expect(small.outcome).toBe('warning');
  expect(small.sentence).toMatch(
    /^a call of gemini-3\.8-flash .* up to 0\.\d+ USD, and budget\.perCall is 0\.01: such/,
  );
  expect(small.remedy).toMatch(/^raise budget\.perCall to 0\.\d\d or more, or lower compile\.windowTokens$/);
  expect(named(await look({ TC_BUDGET_PER_DAY: '5' }), 'budget_room').outcome).toBe('ok');
  expect(faults(await look({ TC_BUDGET_PER_DAY: '0' }))).toEqual([]);
});

it('a model without a price is a warning, and under a cap a failure', async () => {
  const env = { TC_COMPILE_MODEL: 'nobody-knows', TC_VERIFY_MODE: 'off' };
  const unpriced = named(await look(env), 'model_price');
  expect(unpriced.outcome).toBe('warning');
  expect(unpriced.remedy).toContain(`TC_PRICES='{"nobody-knows":{"input":1,"output":2}}'`);
  expect(faults(await look({ ...env, TC_BUDGET_PER_DAY: '5' }))).toEqual(['failure budget_unpriced']);
  const allowed = await look({ ...env, TC_BUDGET_PER_DAY: '5', TC_BUDGET_UNPRICED: 'allow' });
  expect(faults(allowed)).toEqual(['warning model_price']);
  const prices = '{"nobody-knows":{"input":1,"output":2}}';
  expect(faults(await look({ ...env, TC_BUDGET_PER_DAY: '5', TC_PRICES: prices }))).toEqual([]);
});

it('a server of this network costs nothing, and needs no cap', async () => {
  const local = { TC_COMPILE_PROVIDER: 'openai-compatible', TC_COMPILE_MODEL: 'llama3.2' };
  const checks = await look({ ...local, TC_OPENAI_BASE_URL: 'http://127.0.0.1:1/v1' });
  expect(faults(checks)).toEqual([]);
  expect(named(checks, 'model_price').sentence).toContain('nothing is counted');
});

it('the list of prices is that of the package, and grows old', () => {
  expect(listed.source).toBe(listSource);
  expect(ageCheck(new Date('2026-11-21')).outcome).toBe('ok');
  const old = ageCheck(new Date('2027-06-01'));
  expect(old).toMatchObject({ outcome: 'warning', remedy: expect.stringContaining('TC_PRICES') });
  expect(old.sentence).toContain('251 days old');
});

it('a cap that is reached is a warning', async () => {
  const limits = { perCall: null, perTrajectory: null, perDay: 1, perMonth: null };
  const budget = openBudget({ path: join(dir, 'budget.sqlite'), limits });
  const ask = { callId: 'c', trajectoryId: 't', agent: null, stage: 'compile' as const, maxUsd: 1 };
  await (await budget.reserve(ask, forever)).settle(0.75);
  await budget.close();
  const some = named(await look({ TC_BUDGET_PER_DAY: '1' }), 'budget_spent');
  expect(some).toMatchObject({ outcome: 'ok', sentence: expect.stringMatching(/^0\.75 USD are spent today/) });
  const all = named(await look({ TC_BUDGET_PER_DAY: '0.5' }), 'budget_spent');
  expect(all).toMatchObject({ outcome: 'warning', remedy: 'wait, or raise budget.perDay' });
});
