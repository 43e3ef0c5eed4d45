/** What a call cost, by the model that answered. What is not known is null, never 0. */
import { calcPrice } from '@pydantic/genai-prices';
import type { Usage } from './model.ts';

/** US dollars per million tokens, standard service tier. */
export interface Price {
  input: number;
  /** Absent: as `input`. */
  cached?: number | undefined;
  output: number;
}

/** By model name as the provider gives it. */
export type PriceTable = Readonly<Record<string, Price>>;

export interface Cost {
  costUsd: number | null;
  /** `table` (the operator's), `genai-prices` (bundled list prices), or null. */
  costSource: string | null;
}

const unknownCost: Cost = { costUsd: null, costSource: null };

/** Flex and batch are half the list price. */
const tierFactors: Partial<Record<string, number>> = { standard: 1, flex: 0.5, batch: 0.5 };

export interface Priced {
  provider: string;
  /** The model that answered; null where none did. */
  model: string | null;
  serviceTier: string;
  usage: Usage;
  /** Prices change: the one of this moment counts. */
  at: Date;
}

/** Prices by the operator's table first, then by the bundled one. */
export function createPricing(table: PriceTable = {}): (call: Priced) => Cost {
  return (call) => {
    const { model, usage } = call;
    const factor = tierFactors[call.serviceTier];
    if (model === null || factor === undefined || usage.promptTokens === null) return unknownCost;
    const tokens = {
      input: usage.promptTokens,
      cached: usage.cachedTokens ?? 0,
      output: (usage.outputTokens ?? 0) + (usage.thinkingTokens ?? 0),
    };
    if (tokens.cached > tokens.input) return unknownCost;
    const own = Object.hasOwn(table, model) ? table[model] : undefined;
    const list = own === undefined ? listPrice(call, model, tokens) : tablePrice(own, tokens);
    if (list === null) return unknownCost;
    return { costUsd: list * factor, costSource: own === undefined ? 'genai-prices' : 'table' };
  };
}

interface Tokens {
  input: number;
  cached: number;
  output: number;
}

function tablePrice(price: Price, tokens: Tokens): number {
  const { input, cached, output } = tokens;
  return ((input - cached) * price.input + cached * (price.cached ?? price.input) + output * price.output) / 1e6;
}

const providerIds: Partial<Record<string, string>> = { gemini: 'google' };

function listPrice({ provider, at }: Priced, model: string, { input, cached, output }: Tokens): number | null {
  const usage = { input_tokens: input, cache_read_tokens: cached, output_tokens: output };
  try {
    const found = calcPrice(usage, model, { providerId: providerIds[provider] ?? provider, timestamp: at });
    return found?.total_price ?? null;
  } catch {
    // The list throws on a usage that it has no price for: that is not known.
    return null;
  }
}
