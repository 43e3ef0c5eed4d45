/** From settings to the compile stage and all that it needs: redaction, models, the second look, budget, coverage. */
import { readFileSync } from 'node:fs';
import type { Budget, BudgetLevel } from './compile/budget/budget.ts';
import { refuseUnpriced } from './compile/budget/limits.ts';
import { openPostgresBudget } from './compile/budget/postgres.ts';
import { openBudget } from './compile/budget/sqlite.ts';
import { tellingLeftOut } from './compile/budget/telling.ts';
import { type CallStore, openCallStore, type SegmentResult } from './compile/calls.ts';
import { openPostgresCallStore } from './compile/calls-postgres.ts';
import { type CompileStage, type CompileStep, createCompileStage } from './compile/compile.ts';
import type { Coverage } from './compile/coverage/coverage.ts';
import { openPostgresCoverage } from './compile/coverage/postgres.ts';
import { openCoverage } from './compile/coverage/sqlite.ts';
import { createLlmCompiler } from './compile/llm.ts';
import { type ModelTier, modelFor } from './compile/models/capabilities.ts';
import type { Door, DoorStatus } from './compile/models/door.ts';
import { createDoors, type ModelChoice } from './compile/models/doors.ts';
import { createDetect } from './compile/redact/detect.ts';
import { openRedactor } from './compile/redact/open-redactor.ts';
import type { PlaceholderStore } from './compile/redact/placeholder-store.ts';
import { openPostgresPlaceholderStore } from './compile/redact/placeholders-postgres.ts';
import { openPlaceholderStore } from './compile/redact/placeholders-sqlite.ts';
import { noRedaction, type Redactor } from './compile/redact/redactor.ts';
import { recompute } from './compile/rules/recompute.ts';
import { createRulesCompiler } from './compile/rules/rules.ts';
import { createVerifier } from './compile/verify/model-verifier.ts';
import type { Verifier } from './compile/verify/verifier.ts';
import type { Config } from './config.ts';
import { exitCodes, messageOf, stop } from './errors.ts';
import { longEnough, openKey } from './key-file.ts';
import { Releasers } from './lifecycle.ts';
import type { Logger } from './log.ts';
import type { ModelCall } from './records.ts';
import { filesOf } from './stages.ts';

export interface Compiling {
  stage: CompileStage;
  calls: CallStore;
  redactor: Redactor;
  /** Null where no model is called, or none is asked to look again. */
  verifier: Verifier | null;
  /** What the current day and month cost so far; empty where no model is called. */
  spending(): Promise<BudgetLevel[]>;
  /** Every model that is asked; none of the tier rules. */
  models(): DoorStatus[];
  close(): Promise<void>;
}

/** A model that is going to be asked. */
export interface AskedModel {
  provider: string;
  model: string;
  stage: ModelCall['stage'];
  /** Those that it may be asked on. */
  tiers: readonly string[];
}

export interface CompilingHooks {
  onModel?: (asked: AskedModel) => void;
  onCall?: (call: ModelCall, agent: string | null) => void;
  onRetry?: (before: ModelCall) => void;
  onStage?: (stage: CompileStep, seconds: number) => void;
  onSegment?: (result: SegmentResult) => void;
  /** Until it fires, a store that can't be reached is waited for without end. */
  drain?: AbortSignal;
}

/** @throws OperatorError where a store can't be opened, or a tier asks for what the settings do not give: a key, a price. */
export async function openCompiling(config: Config, log: Logger, hooks: CompilingHooks = {}): Promise<Compiling> {
  const releasers = new Releasers();
  try {
    return await assemble(config, log, hooks, releasers);
  } catch (error) {
    await releasers.unwind();
    throw error;
  }
}

async function assemble(config: Config, log: Logger, hooks: CompilingHooks, releasers: Releasers): Promise<Compiling> {
  const { drain } = hooks;
  const patience = drain === undefined ? {} : { drain };
  const redactor = await openRedaction(config, log, patience);
  releasers.push('redaction', () => redactor.close());
  const calls = await openCalls(config, log, patience);
  releasers.push('call store', () => calls.close());
  const tier = config['compile.tier'];
  const asking =
    tier === 'rules' ? null : await openAsking(config, tier, { log, patience, hooks, calls, redactor }, releasers);
  const stage = createCompileStage({
    compiler:
      asking === null
        ? createRulesCompiler({ redaction: redactor.name })
        : createLlmCompiler({ door: asking.door, tier: asking.tier, redaction: redactor.name }),
    calls,
    redactor,
    ...(asking === null ? { recompute } : { coverage: asking.coverage, verifier: asking.verifier }),
    windowTokens: config['compile.windowTokens'],
    patienceMs: config['budget.patience'],
    ...(hooks.onStage === undefined ? {} : { onStage: hooks.onStage }),
    ...(hooks.onSegment === undefined ? {} : { onSegment: hooks.onSegment }),
  });
  return {
    stage,
    calls,
    redactor,
    verifier: asking?.verifier ?? null,
    spending: async () => (await asking?.budget.levels()) ?? [],
    models: () => asking?.models() ?? [],
    close: async () => {
      for (const { name, error } of await releasers.unwind()) log.error({ err: error }, `${name} did not close`);
    },
  };
}

interface AskingParts {
  log: Logger;
  patience: { drain?: AbortSignal };
  hooks: CompilingHooks;
  calls: CallStore;
  redactor: Redactor;
}

interface Asking {
  tier: ModelTier;
  door: Door;
  verifier: Verifier | null;
  budget: Budget;
  coverage: Coverage;
  models(): DoorStatus[];
}

/** What only those tiers need that call a model. */
async function openAsking(config: Config, tier: ModelTier, parts: AskingParts, releasers: Releasers): Promise<Asking> {
  const { log, patience, hooks, calls, redactor } = parts;
  const budget = await openSpending(config, log, patience);
  releasers.push('budget', () => budget.close());
  const doors = createDoors(
    {
      ...doorSettings(config, hooks),
      budget,
      refuseUnpriced: (name) => refuseUncounted(config, name, false),
      leaks: (text) => redactor.leaks(text),
    },
    calls,
    log,
  );
  const writing = writingModel(config, tier);
  const door = doors.open(writing);
  const looking = config['verify.mode'] === 'on' ? doors.open(lookingModel(config, tier, writing)) : null;
  for (const { model, isPriced } of looking === null ? [door] : [door, looking])
    refuseUncounted(config, model.name, isPriced);
  hooks.onModel?.(askedOf(door, 'compile'));
  if (looking !== null) hooks.onModel?.(askedOf(looking, 'verify'));
  const coverage = await openCovering(config, log, patience);
  releasers.push('coverage', () => coverage.close());
  const windowTokens = config['compile.windowTokens'];
  const verifier = looking === null ? null : createVerifier({ door: looking, windowTokens });
  return { tier, door, verifier, budget, coverage, models: () => doors.status() };
}

/** Who is turned away on the flex tier is asked on the standard one. */
function askedOf({ model: { provider, name, serviceTier } }: Door, stage: AskedModel['stage']): AskedModel {
  return { provider, model: name, stage, tiers: [...new Set([serviceTier, 'standard'])] };
}

/** What the doors to all models share. */
export function doorSettings(config: Config, { onCall, onRetry }: CompilingHooks) {
  const { 'gemini.apiKey': apiKey, 'gemini.baseUrl': baseUrl } = config;
  return {
    connections: {
      gemini: { apiKey, baseUrl },
      vertex: { project: config['vertex.project'], location: config['vertex.location'] },
      openai: {
        baseUrl: config['openai.baseUrl'],
        apiKey: config['openai.apiKey'],
        usdPerHour: config['openai.usdPerHour'],
      },
    },
    concurrency: config['compile.concurrency'],
    requestsPerMinute: config['compile.requestsPerMinute'],
    tokensPerMinute: config['compile.tokensPerMinute'],
    timeoutMs: config['compile.timeout'],
    serviceTier: config['compile.serviceTier'],
    prices: config.prices,
    ...(onCall === undefined ? {} : { onCall }),
    ...(onRetry === undefined ? {} : { onRetry }),
  };
}

/** Who writes the pairs. @throws OperatorError `model_not_named`. */
export function writingModel(config: Config, tier: ModelTier): ModelChoice {
  const provider = config['compile.provider'];
  return { provider, model: modelFor({ tier, stage: 'compile', provider, model: config['compile.model'] }) };
}

/** A server that was given one model only looks at its own work: better than nobody, and marked. */
export function lookingModel(config: Config, tier: ModelTier, writing: ModelChoice): ModelChoice {
  const provider = config['verify.provider'] ?? writing.provider;
  const own = provider === 'openai-compatible' && writing.provider === provider ? writing.model : null;
  const model = config['verify.model'] ?? own;
  return { provider, model: modelFor({ tier, stage: 'verify', provider, model }) };
}

/** @throws OperatorError `budget_unpriced` where a cap would not hold. */
export function refuseUncounted(config: Config, model: string, priced: boolean): void {
  refuseUnpriced({ limits: limitsOf(config), unpriced: config['budget.unpriced'], model, priced });
}

function limitsOf(config: Config) {
  return {
    perCall: config['budget.perCall'],
    perTrajectory: config['budget.perTrajectory'],
    perDay: config['budget.perDay'],
    perMonth: config['budget.perMonth'],
  };
}

/** @throws OperatorError as the ledger of either kind does. */
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

async function openCovering(config: Config, log: Logger, patience: { drain?: AbortSignal }): Promise<Coverage> {
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

async function openCalls(config: Config, log: Logger, patience: { drain?: AbortSignal }): Promise<CallStore> {
  const url = config['calls.url'];
  return url === null ? openCallStore(filesOf(config).calls) : openPostgresCallStore({ url, log, ...patience });
}

/** @throws OperatorError where the list of names can't be read, or a key or the store can't be opened. */
export async function openRedaction(
  config: Config,
  log: Logger,
  patience: { drain?: AbortSignal } = {},
): Promise<Redactor> {
  if (config['redact.mode'] === 'off') return noRedaction;
  const names = readNames(config['redact.namesFile']);
  const key = redactionKey(config);
  const vaultKey = vaultKeyOf(config);
  const placeholders = await openPlaceholders(config, log, patience);
  const detect = createDetect({ names });
  return openRedactor({
    detect,
    policy: config['redact.policy'],
    key,
    placeholders,
    vaultKey,
    names,
  });
}

/** @throws OperatorError `vault_key_too_short` for fewer than 16 characters. */
export function vaultKeyOf(config: Config): string | null {
  const key = config['redact.vaultKey'];
  if (key === null) return null;
  const words = { code: 'vault_key', what: 'the key of the vault', setting: 'redact.vaultKey (TC_REDACT_VAULT_KEY)' };
  return longEnough(key, words.setting, words);
}

/**
 * Hosts that each made a key of their own would give one value of a session several placeholders.
 *
 * @throws OperatorError `redact_key_missing`.
 */
export function refuseUnsharedKey(config: Config): void {
  if (config['calls.url'] !== null && config['redact.key'] === null) {
    throw stop(
      'redact_key_missing',
      'workers that share calls.url need one redact.key (TC_REDACT_KEY or TC_REDACT_KEY_FILE), the same on every host and for ever: it tells apart the values that redaction replaces',
      { exitCode: exitCodes.configuration },
    );
  }
}

/** @throws OperatorError `redact_key_missing`, `redact_key_too_short`, `redact_key_unusable`. */
export function redactionKey(config: Config): string {
  refuseUnsharedKey(config);
  return openKey(filesOf(config).redactKey, config['redact.key'], {
    code: 'redact_key',
    what: 'the key of redaction',
    setting: 'redact.key (TC_REDACT_KEY)',
  });
}

/** In the database of the call store where several hosts share one. */
export async function openPlaceholders(
  config: Config,
  log: Logger,
  patience: { drain?: AbortSignal } = {},
): Promise<PlaceholderStore> {
  const url = config['calls.url'];
  return url === null
    ? openPlaceholderStore(filesOf(config).placeholders)
    : openPostgresPlaceholderStore({ url, log, ...patience });
}

/** One name a line. @throws OperatorError `bad_settings` where the file cannot be read, or not as UTF-8. */
export function readNames(path: string | null): string[] {
  if (path === null) return [];
  return textOf(path)
    .split('\n')
    .flatMap((line) => line.trim() || []);
}

/** A list in another encoding would name nobody. */
function textOf(path: string): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    if (!text.includes('\0')) return text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw namesUnread(path, messageOf(error));
  }
  throw namesUnread(path, 'it is no UTF-8, save it as that');
}

function namesUnread(path: string, why: string) {
  return stop('bad_settings', `redact.namesFile: can't read ${path}: ${why}`, { exitCode: exitCodes.configuration });
}
