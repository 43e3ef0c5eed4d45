/** The models that the settings ask for, opened as a compile stage opens them, and nothing recorded. */
import type { Budget } from '../compile/budget/budget.ts';
import type { CallStore } from '../compile/calls.ts';
import type { Door } from '../compile/models/door.ts';
import { createDoors, type Doors, type ModelChoice } from '../compile/models/doors.ts';
import { doorSettings, lookingModel, writingModel } from '../compiling/models.ts';
import type { Config } from '../config.ts';
import { createLogger } from '../log.ts';

export interface AskedModel {
  choice: ModelChoice;
  /** What it is asked for: to write pairs, to look at them, or both. */
  stages: ('compile' | 'verify')[];
}

/** Each once. @throws OperatorError `model_not_named`. */
export function askedModels(config: Config): AskedModel[] {
  const tier = config['compile.tier'];
  if (tier === 'rules') return [];
  const writing = writingModel(config, tier);
  const writes: AskedModel = { choice: writing, stages: ['compile'] };
  if (config['verify.mode'] === 'off') return [writes];
  const looking = lookingModel(config, tier, writing);
  const same = looking.provider === writing.provider && looking.model === writing.model;
  return same ? [{ ...writes, stages: ['compile', 'verify'] }] : [writes, { choice: looking, stages: ['verify'] }];
}

/** One attempt a call, within `timeoutMs`. Every question is a new one, and no answer is kept. */
export function openDoors(config: Config, { budget, timeoutMs }: { budget: Budget | null; timeoutMs: number }): Doors {
  const settings = { ...doorSettings(config, {}), budget, timeoutMs, maxAttempts: 1 };
  return createDoors(settings, nowhere, createLogger('silent'));
}

/** @throws OperatorError `model_key_missing`, `model_project_missing`, `model_address_missing`. */
export function openDoor(config: Config, choice: ModelChoice): Door {
  return openDoors(config, { budget: null, timeoutMs: config['compile.timeout'] }).open(choice);
}

const nowhere: CallStore = {
  id: 'doctor',
  answer: async () => null,
  record: async () => {},
  unsettled: async () => [],
  segment: async () => null,
  settle: async (_key, result) => result,
  close: async () => {},
};

const tasks = { compile: 'writes pairs', verify: 'looks at them' };

/** `gemini-3.5-flash-lite (writes pairs)` */
export function nameOf({ choice, stages }: AskedModel): string {
  return `${choice.model} (${stages.map((stage) => tasks[stage]).join(' and ')})`;
}

/** The setting that names it. */
export function settingOf({ stages }: AskedModel): string {
  return stages[0] === 'compile' ? 'compile.model' : 'verify.model';
}
