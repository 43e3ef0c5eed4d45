/** What compiling segments costs at list prices, by who compiles and who verifies. */
import { type Capability, capabilityOf } from '../compile/models/capabilities.ts';
import type { Billing } from '../compile/models/model.ts';
import { createPricing, type PriceTable } from '../compile/models/prices.ts';
import {
  assumedCompile,
  assumedVerify,
  type Measured,
  measuredTokens,
  type Range,
  type SegmentSize,
  type StageTokens,
  sumOf,
} from './tokens.ts';

export interface StageModel {
  model: string;
  billing: Billing;
  /** Null: by assumption. */
  measured: Measured | null;
}

/** One way to spend. */
export interface Plan {
  serviceTier: 'standard' | 'flex';
  compile: StageModel;
  /** Null where nothing is verified. */
  verify: StageModel | null;
}

export interface Spending {
  prices?: PriceTable;
  /** Prices change: those of this moment count. */
  at: Date;
  windowTokens: number;
}

/** What is served by Google, by tokens. */
export const googleBilling: Billing = { usdPerHour: null, local: false, list: { providerId: 'google' } };

const charsPerWindowToken = 4;
/** One call, where an hour is what is paid for. */
const callMs: Range = { low: 3_000, high: 60_000 };

/** US dollars of all these segments; null where a model has no price. */
export function costOf(sizes: readonly SegmentSize[], plan: Plan, spending: Spending): Range | null {
  const price = createPriceOf(plan.serviceTier, spending);
  const costs: Range[] = [];
  for (const size of sizes) {
    for (const { stage, tokens } of stagesOf(size, plan, spending)) {
      const cost = price(stage, tokens);
      if (cost === null) return null;
      costs.push(cost);
    }
  }
  return sumOf(costs);
}

function stagesOf(size: SegmentSize, { compile, verify }: Plan, { windowTokens }: Spending) {
  const windowChars = windowTokens * charsPerWindowToken;
  const by = (stage: StageModel, assume: (capability: Capability) => StageTokens) => ({
    stage,
    tokens: stage.measured === null ? assume(capabilityOf(stage.model)) : measuredTokens(size, stage.measured),
  });
  return [
    by(compile, (capability) => assumedCompile(size, capability)),
    ...(verify === null ? [] : [by(verify, (capability) => assumedVerify(size, capability, { windowChars }))]),
  ];
}

/** The price of tokens that one model takes for one segment. */
export function createPriceOf(
  serviceTier: string,
  { prices = {}, at }: Pick<Spending, 'prices' | 'at'>,
): (stage: Pick<StageModel, 'model' | 'billing'>, tokens: StageTokens) => Range | null {
  const pricing = createPricing(prices);
  return ({ model, billing }, { input, output, thinking }) => {
    const end = (which: 'low' | 'high') => {
      const usage = {
        promptTokens: Math.round(input[which]),
        cachedTokens: 0,
        outputTokens: Math.round(output[which]),
        thinkingTokens: Math.round(thinking[which]),
      };
      // Models without that tier are billed as always.
      const tier = serviceTier === 'flex' && !capabilityOf(model).flex ? 'standard' : serviceTier;
      const call = { billing, requested: model, model, serviceTier: tier, usage, at };
      return pricing({ ...call, durationMs: callMs[which], reportedUsd: null }).costUsd;
    };
    const [low, high] = [end('low'), end('high')];
    return low === null || high === null ? null : { low, high };
  };
}

export interface PerMillion {
  input: number;
  output: number;
}

/** US dollars per million tokens, standard tier; null where there is no price by tokens. */
export function pricePerMillion(
  { model, billing }: Pick<StageModel, 'model' | 'billing'>,
  { prices = {}, at }: Pick<Spending, 'prices' | 'at'>,
): PerMillion | null {
  if (billing.usdPerHour !== null) return null;
  const pricing = createPricing(prices);
  const thousand = (promptTokens: number, outputTokens: number) => {
    const usage = { promptTokens, cachedTokens: 0, outputTokens, thinkingTokens: 0 };
    const call = { billing, requested: model, model, serviceTier: 'standard', usage, at };
    return pricing({ ...call, durationMs: 0, reportedUsd: null }).costUsd;
  };
  const [input, output] = [thousand(1_000, 0), thousand(0, 1_000)];
  return input === null || output === null ? null : { input: rounded(input), output: rounded(output) };
}

const rounded = (perThousand: number) => Number((perThousand * 1_000).toFixed(6));
