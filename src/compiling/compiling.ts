import type { Budget, BudgetLevel } from '../compile/budget/budget.ts';
import type { CallStore, SegmentResult } from '../compile/calls.ts';
import { type CompileStage, type CompileStep, createCompileStage } from '../compile/compile.ts';
import type { Coverage } from '../compile/coverage/coverage.ts';
import { createLlmCompiler } from '../compile/llm.ts';
import type { ModelTier } from '../compile/models/capabilities.ts';
import type { Door, DoorStatus } from '../compile/models/door.ts';
import { createDoors } from '../compile/models/doors.ts';
import type { Redactor } from '../compile/redact/redactor.ts';
import { recompute } from '../compile/rules/recompute.ts';
import { createRulesCompiler } from '../compile/rules/rules.ts';
import { createVerifier } from '../compile/verify/model-verifier.ts';
import type { Verifier } from '../compile/verify/verifier.ts';
import type { Config } from '../config.ts';
import { Releasers } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import type { ModelCall } from '../records.ts';
import { doorSettings, lookingModel, refuseUncounted, writingModel } from './models.ts';
import { openRedaction } from './redaction.ts';
import { openCalls, openCovering, openSpending } from './stores.ts';

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
