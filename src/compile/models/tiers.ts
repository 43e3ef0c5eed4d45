/** From a tier's name to a compiler that asks its model. */
import type { Logger } from '../../log.ts';
import type { CallStore } from '../calls.ts';
import type { Compiler } from '../compiler.ts';
import { createLlmCompiler } from '../llm.ts';
import { type ModelTier, modelFor } from './capabilities.ts';
import type { Door, DoorOptions } from './door.ts';
import { createDoors } from './doors.ts';
import type { PriceTable } from './prices.ts';

export interface GeminiCompilerOptions {
  tier: ModelTier;
  /** In place of the tier's own. */
  model?: string | null;
  apiKey: string | null;
  baseUrl?: string | null;
  serviceTier?: 'standard' | 'flex';
  concurrency?: number;
  /** Of one attempt. */
  timeoutMs?: number;
  /** Between attempts. */
  backoff?: { baseMs: number; maxMs: number };
  prices?: PriceTable;
  redaction: string;
  onCall?: NonNullable<DoorOptions['onCall']>;
}

/** @throws OperatorError `model_key_missing` (stop, exit code 3) where there is no key. */
export function createGeminiCompiler(
  options: GeminiCompilerOptions,
  calls: CallStore,
  log: Logger,
): Compiler & { readonly door: Door } {
  const { tier, apiKey, redaction, model: override, baseUrl = null, serviceTier = 'standard', ...limits } = options;
  const doors = createDoors({ ...limits, connections: { gemini: { apiKey, baseUrl } }, serviceTier }, calls, log);
  const provider = 'gemini';
  const door = doors.open({ provider, model: modelFor({ tier, stage: 'compile', provider, model: override ?? null }) });
  return { ...createLlmCompiler({ door, tier, redaction }), door };
}
