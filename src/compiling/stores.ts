import type { Budget, BudgetLevel } from '../compile/budget/budget.ts';
import { openPostgresBudget } from '../compile/budget/postgres.ts';
import { openBudget } from '../compile/budget/sqlite.ts';
import { tellingLeftOut } from '../compile/budget/telling.ts';
import { type CallStore, openCallStore } from '../compile/calls.ts';
import { openPostgresCallStore } from '../compile/calls-postgres.ts';
import type { Coverage } from '../compile/coverage/coverage.ts';
import { openPostgresCoverage } from '../compile/coverage/postgres.ts';
import { openCoverage } from '../compile/coverage/sqlite.ts';
import type { Config } from '../config.ts';
import type { Logger } from '../log.ts';
import { filesOf } from '../stages.ts';
import { limitsOf } from './models.ts';

export async function openSpending(config: Config, log: Logger, patience: { drain?: AbortSignal }): Promise<Budget> {
  const limits = limitsOf(config);
  const onWarning = ({ scope, period, limitUsd, spentUsd }: BudgetLevel) =>
    log.warn(
      `${spentUsd.toFixed(2)} of ${limitUsd} USD of the ${scope} ${period} are spent (budget.per${scope === 'day' ? 'Day' : 'Month'})`,
    );
  const url = config['budget.url'] ?? config['calls.url'];
  const budget =
    url === null
      ? openBudget({ path: filesOf(config).budget, limits, onWarning })
      : await openPostgresBudget({ url, log, limits, onWarning, ...patience });
  return tellingLeftOut(budget, ({ code, message }) =>
    log.warn({ code }, `left out: ${message}: raise it, and \`compile --session\` takes it up`),
  );
}

export async function openCovering(config: Config, log: Logger, patience: { drain?: AbortSignal }): Promise<Coverage> {
  const rules = {
    first: config['coverage.first'],
    oneIn: config['coverage.oneIn'],
    windowMs: config['coverage.window'],
  };
  const url = config['calls.url'];
  return url === null
    ? openCoverage({ path: filesOf(config).coverage, ...rules })
    : openPostgresCoverage({ url, log, ...rules, ...patience });
}

export async function openCalls(config: Config, log: Logger, patience: { drain?: AbortSignal }): Promise<CallStore> {
  const url = config['calls.url'];
  return url === null ? openCallStore(filesOf(config).calls) : openPostgresCallStore({ url, log, ...patience });
}
