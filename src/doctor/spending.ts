/** What models cost: whether they have a price, how old the list of prices is, what caps there are and what is left. */
import { existsSync } from 'node:fs';
import { type Check, type Checklist, ok, warning } from '../checks.ts';
import { dayOf, monthOf } from '../compile/budget/decision.ts';
import { tablesOf } from '../compile/budget/ledger-schema.ts';
import { usdOf } from '../compile/budget/limits.ts';
import { billingOf } from '../compile/models/attempt.ts';
import type { Door } from '../compile/models/door.ts';
import type { Model } from '../compile/models/model.ts';
import { createBound, listSource, namesOf } from '../compile/models/prices.ts';
import { mostTokens } from '../compile/models/tokens.ts';
import { maxOutputTokens } from '../compile/prompt.ts';
import { refuseUncounted } from '../compiling/models.ts';
import type { Config } from '../config.ts';
import { OperatorError } from '../errors.ts';
import { filesOf } from '../stages.ts';
import { type AskedModel, askedModels, openDoor } from './asked-models.ts';
import { reading } from './files.ts';

export async function examineSpending(list: Checklist, config: Config): Promise<void> {
  const asked = openable(config);
  for (const { door } of asked) await examinePrice(list, config, door);
  const billed = asked.map(({ door }) => door).filter(isBilled);
  const listed = billed.filter(({ model, isPriced }) => isPriced && !Object.hasOwn(config.prices, model.name));
  if (listed.length > 0) list.add(ageCheck(new Date()));
  if (billed.length > 0) list.add(capCheck(config), roomCheck(config, billed, new Date()));
  list.add(await list.attempt('budget', () => spentCheck(config, new Date())));
}

/** What is wrong with the others is said where models are looked at. */
function openable(config: Config): { asked: AskedModel; door: Door }[] {
  try {
    return askedModels(config).map((asked) => ({ asked, door: openDoor(config, asked.choice) }));
  } catch (error) {
    if (error instanceof OperatorError) return [];
    throw error;
  }
}

function isBilled({ model }: Door): boolean {
  const { local, usdPerHour } = billingOf(model);
  return !local && usdPerHour === null;
}

async function examinePrice(list: Checklist, config: Config, door: Door): Promise<void> {
  const name = 'model_price';
  const { model, isPriced } = door;
  const { local, usdPerHour } = billingOf(model);
  if (Object.hasOwn(config.prices, model.name)) list.add(ok(name, `${model.name} is priced by prices`));
  else if (usdPerHour !== null) list.add(ok(name, `${model.name} costs ${usdPerHour} USD an hour (openai.usdPerHour)`));
  else if (local) list.add(ok(name, `${model.name} is of this machine or its network: nothing is counted`));
  else if (isPriced) list.add(ok(name, `${model.name} has a list price (${listSource})`));
  else if ((await list.attempt(name, () => refuseUncounted(config, model.name, false))) !== null) {
    const example = JSON.stringify({ [model.name]: { input: 1, output: 2 } });
    const remedy = `give it in prices, in USD per million tokens, such as TC_PRICES='${example}'`;
    list.add(warning(name, `${model.name} has no price: what it costs stays unknown`, remedy));
  }
}

/** The package does not say when its prices were read: the day of its release. */
export const listed = { source: 'genai-prices@0.1.8', on: '2026-09-23' };
const oldDays = 180;

export function ageCheck(now: Date): Check {
  const name = 'prices_age';
  const days = Math.floor((now.getTime() - Date.parse(listed.on)) / 86_400_000);
  const said = `the list of prices (${listed.source}) is of ${listed.on}`;
  if (days <= oldDays) return ok(name, said);
  const remedy = 'upgrade trajectory-compiler, or give the prices of your models in prices (TC_PRICES)';
  return warning(name, `${said}, ${days} days old: providers may ask for more by now`, remedy);
}

function capCheck(config: Config): Check {
  const name = 'budget_cap';
  const { 'budget.perDay': day, 'budget.perMonth': month } = config;
  if (day === null && month === null) {
    return warning(
      name,
      'nothing limits what a day or a month may cost',
      'set budget.perDay to an amount in US dollars, such as 5 (TC_BUDGET_PER_DAY=5)',
    );
  }
  const caps = [day === null ? null : `${day} USD a day`, month === null ? null : `${month} USD a month`];
  return ok(name, `models may cost ${caps.filter((cap) => cap !== null).join(' and ')} at most`);
}

/** A character that is a token, in a window that is full: what a call is reserved at. */
const charsPerToken = 4;

/** Null where no cap is set, or no call has a price. */
function roomCheck(config: Config, billed: readonly Door[], at: Date): Check | null {
  const caps = (['budget.perCall', 'budget.perTrajectory', 'budget.perDay', 'budget.perMonth'] as const)
    .map((setting) => ({ setting, usd: config[setting] }))
    // A cap of nothing is a pause, and meant.
    .filter((cap): cap is typeof cap & { usd: number } => cap.usd !== null && cap.usd > 0);
  const bounds = billed.map(({ model }) => ({ model: model.name, usd: fullCallUsd(model, config, at) ?? 0 }));
  const dearest = bounds.reduce((a, b) => (b.usd > a.usd ? b : a));
  if (caps.length === 0 || dearest.usd === 0) return null;
  const name = 'budget_room';
  const least = caps.reduce((a, b) => (b.usd < a.usd ? b : a));
  const said = `a call of ${dearest.model} with a full window may cost up to ${dearest.usd.toFixed(3)} USD`;
  if (dearest.usd <= least.usd) return ok(name, `${said}, and ${least.setting} is ${least.usd}`);
  const remedy = `raise ${least.setting} to ${(Math.ceil(dearest.usd * 100) / 100).toFixed(2)} or more, or lower compile.windowTokens`;
  return warning(name, `${said}, and ${least.setting} is ${least.usd}: such a call is refused`, remedy);
}

function fullCallUsd(model: Model, config: Config, at: Date): number | null {
  const request = { system: '', prompt: '', schema: {}, maxOutputTokens };
  const { input, output } = model.mostTokens?.(request) ?? mostTokens(request);
  const tokens = { input: input + config['compile.windowTokens'] * charsPerToken, output };
  const most = { billing: billingOf(model), models: namesOf(model.name), tokens, at };
  return createBound(config.prices)({ ...most, timeoutMs: config['compile.timeout'] });
}

/** Of the ledger of this machine: what several hosts spend is looked at with their store. */
function spentCheck(config: Config, now: Date): Check | null {
  const { budget } = filesOf(config);
  if ((config['budget.url'] ?? config['calls.url']) !== null || !existsSync(budget)) return null;
  const { periods } = tablesOf('');
  const spent = reading(budget, 'budget', (db) => {
    const statement = db.prepare(`SELECT spent FROM ${periods} WHERE scope = ? AND period = ?`).pluck();
    return {
      day: Number(statement.get('day', dayOf(now)) ?? 0),
      month: Number(statement.get('month', monthOf(now)) ?? 0),
    };
  });
  return budgetCheck({ day: usdOf(spent.day), month: usdOf(spent.month) }, config);
}

/** US dollars. */
export function budgetCheck(spent: { day: number; month: number }, config: Config): Check {
  const name = 'budget_spent';
  const said = `${spent.day.toFixed(2)} USD are spent today (UTC), ${spent.month.toFixed(2)} this month`;
  const caps = { day: config['budget.perDay'], month: config['budget.perMonth'] };
  const reached = (['day', 'month'] as const).find((scope) => caps[scope] !== null && spent[scope] >= caps[scope]);
  if (reached === undefined) return ok(name, said);
  const setting = reached === 'day' ? 'budget.perDay' : 'budget.perMonth';
  return warning(name, `${said}: nothing is compiled until the next ${reached} (UTC)`, `wait, or raise ${setting}`);
}
