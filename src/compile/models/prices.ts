/** What a call cost, by the model that answered, and what it may cost at most. What is not known is null, never 0. */
import { calcPrice } from '@pydantic/genai-prices';
import { digestOf } from '../digest.ts';
import { capabilityOf } from './capabilities.ts';
import type { Billing, Usage } from './model.ts';

/** US dollars per million tokens, standard service tier. */
export interface Price {
  input: number;
  /** Absent: as `input`. */
  cached?: number | undefined;
  output: number;
}

/** By model name as the provider gives it. */
export type PriceTable = Readonly<Record<string, Price>>;

/** The bundled list and its snapshot: what was priced by it is never priced anew. */
export const listSource = 'genai-prices@0.1.8';

export interface Cost {
  costUsd: number | null;
  /**
   * `table@` and its digest (the operator's), `genai-prices@` and its version (bundled list prices), `provider` (it said
   * so), `hourly`, `local`, `not_billed`, or null.
   */
  costSource: string | null;
}

const unknownCost: Cost = { costUsd: null, costSource: null };

/** Flex and batch are half the list price. */
const tierFactors: Partial<Record<string, number>> = { standard: 1, flex: 0.5, batch: 0.5 };

export interface Priced {
  billing: Billing;
  /** The name that was asked for. */
  requested: string;
  /** The model that answered; null where none did. */
  model: string | null;
  serviceTier: string;
  usage: Usage;
  /** Prices change: the one of this moment counts. */
  at: Date;
  durationMs: number;
  /** What the provider says it bills. */
  reportedUsd: number | null;
}

/** Prices by the hour first, then by the operator's table, by what the provider said, by the bundled list. */
export function createPricing(table: PriceTable = {}): (call: Priced) => Cost {
  const tableSource = `table@${digestOf('prices', JSON.stringify(table)).slice(0, 8)}`;
  const ownPrice = (model: string) => (Object.hasOwn(table, model) ? table[model] : undefined);

  function byTokens(call: Priced): Cost {
    const { model, usage, billing } = call;
    const factor = tierFactors[call.serviceTier];
    if (model === null || factor === undefined || usage.promptTokens === null) return unknownCost;
    const tokens = {
      input: usage.promptTokens,
      cached: usage.cachedTokens ?? 0,
      output: (usage.outputTokens ?? 0) + (usage.thinkingTokens ?? 0),
    };
    if (tokens.cached > tokens.input) return unknownCost;
    const own = ownPrice(model);
    const usd = own === undefined ? listPrice(billing, model, tokens, call.at) : tablePrice(own, tokens);
    if (usd === null) return unknownCost;
    return { costUsd: usd * factor, costSource: own === undefined ? listSource : tableSource };
  }

  return (call) => {
    const { billing, requested, model, reportedUsd } = call;
    if (billing.usdPerHour !== null)
      return { costUsd: (billing.usdPerHour * call.durationMs) / 3_600_000, costSource: 'hourly' };
    if (model !== null && ownPrice(model) !== undefined) return byTokens(call);
    if (reportedUsd !== null) return { costUsd: reportedUsd, costSource: 'provider' };
    // Whoever gives it a price has a server here that passes on to one that bills.
    if (billing.local && ownPrice(requested) === undefined) return { costUsd: 0, costSource: 'local' };
    return byTokens(call);
  };
}

export interface Bounded {
  billing: Billing;
  /** Every name under which it may answer. */
  models: Iterable<string>;
  tokens: { input: number; output: number };
  at: Date;
  timeoutMs: number;
}

/** A price that changes between this and the end of the call must not make it dearer than was reserved. */
const dayMs = 86_400_000;

/**
 * US dollars that a call may cost at most: nothing cached, nothing at half the price, now or tomorrow, under the dearest
 * of its names. Null where one of them has no price.
 */
export function createBound(table: PriceTable = {}): (call: Bounded) => number | null {
  const price = createPricing(table);
  return ({ billing, models, tokens, at, timeoutMs }) => {
    const usage = { promptTokens: tokens.input, cachedTokens: 0, outputTokens: tokens.output, thinkingTokens: 0 };
    const same = { billing, serviceTier: 'standard', usage, durationMs: timeoutMs, reportedUsd: null };
    let most = 0;
    for (const model of models) {
      for (const day of [at, new Date(at.getTime() + dayMs)]) {
        const { costUsd } = price({ ...same, requested: model, model, at: day });
        if (costUsd === null) return null;
        most = Math.max(most, costUsd);
      }
    }
    return most;
  };
}

/** The name that was asked for, and the one under which it is served once it is shut down. */
export function namesOf(model: string): string[] {
  const { shutdown } = capabilityOf(model);
  return shutdown === null ? [model] : [model, shutdown.servedAs];
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

function listPrice({ list }: Billing, model: string, { input, cached, output }: Tokens, at: Date): number | null {
  const usage = { input_tokens: input, cache_read_tokens: cached, output_tokens: output };
  try {
    return calcPrice(usage, model, { ...list, timestamp: at })?.total_price ?? null;
  } catch {
    // The list throws on a usage that it has no price for: that is not known.
    return null;
  }
}
