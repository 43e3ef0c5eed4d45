/** What compiling would cost, before anything is spent: of the log, of a file of recorded rows, of a day's rows. */
import { tierModels } from './compile/models/capabilities.ts';
import type { ModelChoice } from './compile/models/doors.ts';
import type { Billing } from './compile/models/model.ts';
import { createOpenAiCompatible } from './compile/models/openai-compatible.ts';
import { listSource } from './compile/models/prices.ts';
import { lookingModel, writingModel } from './compiling/models.ts';
import type { Config } from './config.ts';
import { openDatasetIfPresent } from './dataset/open.ts';
import { measuredOf } from './estimate/recorded.ts';
import { everyNth, existingTrajectories, type Sample, sampleFile, sampleLog, turnsIn } from './estimate/samples.ts';
import { type MeasuredSegment, segmentSizes } from './estimate/sizes.ts';
import { costOf, googleBilling, type Plan, pricePerMillion, type StageModel } from './estimate/spending.ts';
import { type Range, times } from './estimate/tokens.ts';
import { openLog } from './existing-log.ts';
import type { Logger } from './log.ts';
import type { SqliteDatabase } from './sqlite.ts';
import { filesOf } from './stages.ts';

export interface Estimate {
  /** What was looked at, and how much of it there is. */
  volume: {
    of: 'log' | 'file' | 'day';
    sessions: number;
    /** Of these the text was read; the others count by their turns. */
    sampledSessions: number;
    turns: number;
    segments: number;
    /** After coverage. */
    admittedSegments: Range;
  };
  ways: EstimatedWay[];
  models: EstimatedModel[];
  verify: boolean;
  /** ISO date of the prices, and the list that they are from. */
  pricesOf: string;
  priceSource: string;
}

export interface EstimatedWay {
  /** `as set`: by the models of the settings. */
  name: 'rules' | 'cheap' | 'strong' | 'as set';
  serviceTier: 'standard' | 'flex' | null;
  compileModel: string | null;
  verifyModel: string | null;
  /** US dollars, with coverage and without; null where a price is not known. */
  withCoverage: Range | null;
  withoutCoverage: Range | null;
}

export interface EstimatedModel {
  model: string;
  stage: 'compile' | 'verify';
  /** US dollars per million tokens, standard tier; null where it is not known. */
  price: { input: number; output: number } | null;
  /** The same in ninety days, where it is another then. */
  later: { input: number; output: number } | null;
  /** Recorded calls that its tokens are measured by; null where they are assumed. */
  measuredCalls: number | null;
}

/** @throws OperatorError where the table or the file can't be read. */
export async function estimate(
  config: Config,
  log: Logger,
  { file, day, now = new Date() }: { file?: string; day?: number; now?: Date } = {},
): Promise<Estimate> {
  const sample = file === undefined ? await sampleLog(config, log) : await sampleFile(config, file);
  const dataset = openDatasetIfPresent(filesOf(config).dataset);
  try {
    const factor = day === undefined ? 1 : sample.turns === 0 ? 0 : day / sample.turns;
    return estimateOf(config, sample, { factor, isDay: day !== undefined, dataset, now });
  } finally {
    dataset?.close();
  }
}

interface Circumstances {
  factor: number;
  isDay: boolean;
  dataset: SqliteDatabase | null;
  now: Date;
}

function estimateOf(config: Config, sample: Sample, { factor, isDay, dataset, now }: Circumstances): Estimate {
  const spending = { prices: config.prices, at: now, windowTokens: config['compile.windowTokens'] };
  const admitted = sample.segments.filter((segment) => segment.admitted);
  const all = sample.scale * factor;
  // Of one day's shapes nothing is known: with all of them new, all is compiled; with all of them old, one in so many.
  const fewest = isDay ? 1 / config['coverage.oneIn'] : 1;
  const ways = waysOf(config).map(({ name, plan }): EstimatedWay => {
    const measured = plan === null ? null : withMeasured(plan, dataset);
    const cost = (segments: MeasuredSegment[], by: Range) => {
      const range = measured === null ? { low: 0, high: 0 } : costOf(segments, measured, spending);
      return range === null ? null : times(range, by);
    };
    return {
      name,
      serviceTier: plan?.serviceTier ?? null,
      compileModel: plan?.compile.model ?? null,
      verifyModel: plan?.verify?.model ?? null,
      withCoverage: cost(isDay ? sample.segments : admitted, { low: all * fewest, high: all }),
      withoutCoverage: cost(sample.segments, { low: all, high: all }),
    };
  });
  const segments = sample.segments.length * all;
  const afterCoverage = isDay ? segments : admitted.length * all;
  return {
    volume: {
      of: isDay ? 'day' : sample.of,
      sessions: Math.round(sample.sessions * factor),
      sampledSessions: sample.sampledSessions,
      turns: Math.round(sample.turns * factor),
      segments: Math.round(segments),
      admittedSegments: { low: Math.round(afterCoverage * fewest), high: Math.round(afterCoverage) },
    },
    ways,
    models: modelsOf(config, dataset, now),
    verify: config['verify.mode'] === 'on',
    pricesOf: now.toISOString().slice(0, 10),
    priceSource: listSource,
  };
}

interface Way {
  name: EstimatedWay['name'];
  /** Null where no model is called. */
  plan: Plan | null;
}

/** The tiers as they are, and what the settings make of one where they name other models. */
function waysOf(config: Config): Way[] {
  const verifies = config['verify.mode'] === 'on';
  const stage = (model: string, billing: Billing = googleBilling): StageModel => ({ model, billing, measured: null });
  const tiers = (['cheap', 'strong'] as const).flatMap((name) =>
    (['standard', 'flex'] as const).map((serviceTier): Way => {
      const { compile, verify } = tierModels[name];
      return { name, plan: { serviceTier, compile: stage(compile), verify: verifies ? stage(verify) : null } };
    }),
  );
  const own = isOwnChoice(config) ? [{ name: 'as set' as const, plan: planOf(config) }] : [];
  return [{ name: 'rules', plan: null }, ...tiers, ...own];
}

function isOwnChoice(config: Config): boolean {
  return (
    config['compile.provider'] === 'openai-compatible' ||
    config['compile.model'] !== null ||
    config['verify.provider'] !== null ||
    config['verify.model'] !== null
  );
}

/**
 * As the settings have it; `rules` counts as `cheap`, which is what it would become.
 *
 * @throws OperatorError `model_not_named`, `model_address_missing` where they lack what the models need.
 */
export function planOf(config: Config): Plan {
  const tier = config['compile.tier'] === 'rules' ? 'cheap' : config['compile.tier'];
  const writing = writingModel(config, tier);
  const stage = ({ provider, model }: ModelChoice): StageModel => {
    return { model, billing: billingOf(config, provider, model), measured: null };
  };
  return {
    serviceTier: config['compile.serviceTier'],
    compile: stage(writing),
    verify: config['verify.mode'] === 'on' ? stage(lookingModel(config, tier, writing)) : null,
  };
}

function billingOf(config: Config, provider: Config['compile.provider'], model: string): Billing {
  if (provider !== 'openai-compatible') return googleBilling;
  const { 'openai.baseUrl': baseUrl, 'openai.apiKey': apiKey, 'openai.usdPerHour': usdPerHour } = config;
  return createOpenAiCompatible({ baseUrl, apiKey, model, usdPerHour }).billing ?? googleBilling;
}

function withMeasured(plan: Plan, dataset: SqliteDatabase | null): Plan {
  if (dataset === null) return plan;
  const { compile, verify } = plan;
  return {
    ...plan,
    compile: { ...compile, measured: measuredOf(dataset, 'compile', compile.model) },
    verify: verify === null ? null : { ...verify, measured: measuredOf(dataset, 'verify', verify.model) },
  };
}

const laterMs = 90 * 86_400_000;

function modelsOf(config: Config, dataset: SqliteDatabase | null, now: Date): EstimatedModel[] {
  const models = new Map<string, EstimatedModel>();
  for (const { plan } of waysOf(config)) {
    for (const stage of ['compile', 'verify'] as const) {
      const used = plan?.[stage] ?? null;
      if (used === null) continue;
      const priceAt = (at: Date) => pricePerMillion(used, { prices: config.prices, at });
      const [price, later] = [priceAt(now), priceAt(new Date(now.getTime() + laterMs))];
      const measured = dataset === null ? null : measuredOf(dataset, stage, used.model);
      models.set(`${stage} ${used.model}`, {
        model: used.model,
        stage,
        price,
        later: JSON.stringify(later) === JSON.stringify(price) ? null : later,
        measuredCalls: measured?.calls ?? null,
      });
    }
  }
  return [...models.values()];
}

/** Before a command spends: enough to see how long texts are. */
const fewSessions = 10;

/**
 * What compiling these sessions would cost by the settings, whole; coverage may leave some of it out. Null where a price
 * is not known.
 *
 * @throws OperatorError where the table can't be read, and as {@link planOf} does.
 */
export async function estimateSessions(
  config: Config,
  sessions: readonly { sessionId: string; turns: number }[],
  log: Logger,
): Promise<Range | null> {
  const plan = planOf(config);
  const sampled = everyNth(sessions, fewSessions);
  if (sampled.length === 0) return { low: 0, high: 0 };
  const { reader, readClock } = await openLog(config, log);
  const dataset = openDatasetIfPresent(filesOf(config).dataset);
  try {
    const windowTokens = config['compile.windowTokens'];
    const trajectories = existingTrajectories(config, reader, await readClock(), sampled);
    const segments = await segmentSizes(trajectories, { windowTokens, coverage: null });
    const spending = { prices: config.prices, at: new Date(), windowTokens };
    const range = costOf(segments, withMeasured(plan, dataset), spending);
    return range === null ? null : times(range, turnsIn(sessions) / turnsIn(sampled));
  } finally {
    dataset?.close();
    await reader.close();
  }
}
