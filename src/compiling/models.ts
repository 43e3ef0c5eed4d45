import { refuseUnpriced } from '../compile/budget/limits.ts';
import { type ModelTier, modelFor } from '../compile/models/capabilities.ts';
import type { DoorsOptions, ModelChoice } from '../compile/models/doors.ts';
import type { Config } from '../config.ts';

export function doorSettings(config: Config, { onCall, onRetry }: Pick<DoorsOptions, 'onCall' | 'onRetry'>) {
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

export function limitsOf(config: Config) {
  return {
    perCall: config['budget.perCall'],
    perTrajectory: config['budget.perTrajectory'],
    perDay: config['budget.perDay'],
    perMonth: config['budget.perMonth'],
  };
}

/** @throws OperatorError as the ledger of either kind does. */
