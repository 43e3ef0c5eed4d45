/** What each model takes and how long it lives: the providers refuse what a model does not know. State of 2026-11. */
import { exitCodes, stop } from '../../errors.ts';

export interface Capability {
  /** Thinking as this model is asked for it; level and budget together are refused. Null: nothing is said about it. */
  thinking: { level: 'MINIMAL' | 'LOW' | 'MEDIUM' | 'HIGH' } | { budget: number } | { effort: 'low' } | null;
  /** Tokens that it may spend on thoughts before it answers: they count towards the output limit of a call. */
  thinkingTokens: number;
  /** Tokens of one answer at most, thoughts included. */
  maxOutputTokens: number;
  /** By which name the limit of output is sent where the protocol has two. */
  outputLimit: 'max_tokens' | 'max_completion_tokens';
  /** Tokens that the beginnings of two prompts share at least before the provider caches them; null where it is not known. */
  minCachedPrefix: number | null;
  /** Whether it is served at half the price to who can wait. */
  flex: boolean;
  /** Null where none is announced. */
  shutdown: {
    /** `2026-12-01`. */
    date: string;
    servedAs: string;
  } | null;
}

/** Safe with any server: nothing is asked for that it might not know. */
const unknown: Capability = {
  thinking: null,
  thinkingTokens: 0,
  maxOutputTokens: Number.POSITIVE_INFINITY,
  outputLimit: 'max_tokens',
  minCachedPrefix: null,
  flex: false,
  shutdown: null,
};

const gemini: Capability = { ...unknown, maxOutputTokens: 65_536, minCachedPrefix: 4_096, flex: true };
const gemini25: Capability = { ...gemini, minCachedPrefix: 2_048 };
const thinksAloud: Capability = { ...unknown, thinkingTokens: 8_192 };
const openai: Capability = {
  ...thinksAloud,
  thinking: { effort: 'low' },
  outputLimit: 'max_completion_tokens',
};

/** The longest prefix of the name that fits decides; of `openai/gpt-5` the name is `gpt-5`. */
const byPrefix: Record<string, Capability> = {
  'gemini-2.5-flash': {
    ...gemini25,
    thinking: { budget: 0 },
    shutdown: { date: '2026-12-01', servedAs: 'gemini-3.5-flash-lite' },
  },
  'gemini-2.5-flash-lite': { ...gemini25, thinking: { budget: 0 } },
  'gemini-2.5-pro': {
    ...gemini25,
    thinking: { budget: 1024 },
    thinkingTokens: 1024,
    shutdown: { date: '2026-12-01', servedAs: 'gemini-3.8-flash' },
  },
  // Refuses a budget of 0; knows the lowest level instead.
  'gemini-3.5-flash-lite': { ...gemini, thinking: { level: 'MINIMAL' }, thinkingTokens: 512 },
  // From here on: low, medium, high.
  'gemini-3': { ...gemini, thinking: { level: 'LOW' }, thinkingTokens: 4_096 },
  'gpt-5': openai,
  o3: openai,
  o4: openai,
  'gpt-4': { ...unknown, outputLimit: 'max_completion_tokens' },
  'gpt-oss': { ...thinksAloud, thinking: { effort: 'low' } },
  'deepseek-r': thinksAloud,
  qwen3: thinksAloud,
  qwq: thinksAloud,
  magistral: thinksAloud,
  glm: thinksAloud,
  kimi: thinksAloud,
};

export function capabilityOf(model: string): Capability {
  const name = bareName(model);
  const prefixes = Object.keys(byPrefix).filter((prefix) => name.startsWith(prefix));
  const longest = prefixes.sort((a, b) => b.length - a.length)[0];
  return (longest === undefined ? undefined : byPrefix[longest]) ?? unknown;
}

/** `meta-llama/Llama-3.3-70B-Instruct`, `openrouter:qwen/qwen3` and paths of files, without what comes before the name. */
function bareName(model: string): string {
  return model.toLowerCase().split('/').at(-1) ?? '';
}

/** Models of one maker, by how their names begin. Sorted by nothing: no prefix is another's. */
const families: [family: string, pattern: RegExp][] = [
  ['gemini', /^(gemini|gemma)/],
  ['gpt', /^(gpt|chatgpt|o\d|codex)/],
  ['claude', /^claude/],
  ['llama', /^(meta-)?llama/],
  ['qwen', /^(qwen|qwq)/],
  ['mistral', /^(mistral|ministral|magistral|mixtral|codestral|devstral)/],
  ['deepseek', /^deepseek/],
  ['grok', /^grok/],
  ['phi', /^phi/],
  ['command', /^command/],
  ['nova', /^nova/],
  ['glm', /^(chat)?glm/],
  ['kimi', /^kimi/],
  ['granite', /^granite/],
];

/**
 * Who made the model: two of one family may share an error. A model that nobody knows is a family of its own, named by
 * what its name begins with.
 */
export function familyOf(model: string): string {
  const name = bareName(model);
  // A distillation answers as what it was distilled into: deepseek-r1-distill-llama-70b.
  const base = /-distill-(.+)$/.exec(name)?.[1] ?? name;
  return families.find(([, pattern]) => pattern.test(base))?.[0] ?? base.split(/[-:._\s\d]/)[0] ?? base;
}

/** The models of each tier: who writes, and who looks at it again. */
export const tierModels = {
  cheap: { compile: 'gemini-3.5-flash-lite', verify: 'gemini-3.8-flash' },
  strong: { compile: 'gemini-3.8-flash', verify: 'gemini-3.8-flash' },
} as const;
export type ModelTier = keyof typeof tierModels;

export interface Naming {
  tier: ModelTier;
  stage: 'compile' | 'verify';
  provider: 'gemini' | 'vertex' | 'openai-compatible';
  /** In place of the tier's own. */
  model: string | null;
}

/**
 * The model of a stage.
 *
 * @throws OperatorError `model_not_named` (stop, exit code 3) where the provider serves none of the tiers' own.
 */
export function modelFor({ tier, stage, provider, model }: Naming): string {
  if (model !== null) return model;
  if (provider !== 'openai-compatible') return tierModels[tier][stage];
  throw stop('model_not_named', `${stage}.model is not set: name a model that the server at openai.baseUrl has`, {
    exitCode: exitCodes.configuration,
  });
}

/** When the first of them is shut down, at midnight UTC of the day that was announced; null where none was. */
export function shutdownOf(models: Iterable<string>): Date | null {
  const days = [...models].flatMap((model) => capabilityOf(model).shutdown?.date ?? []);
  // Of a date without a time, midnight UTC is meant.
  return days.length === 0 ? null : new Date(days.sort()[0]!);
}

/** A sentence for the operator where the model is about to be shut down, or has been. */
export function shutdownWarning(model: string, today: Date): string | null {
  const { shutdown } = capabilityOf(model);
  if (shutdown === null) return null;
  const over = today.toISOString().slice(0, 10) >= shutdown.date;
  return `${model} ${over ? 'was' : 'is'} shut down on ${shutdown.date} and then served as ${shutdown.servedAs}: set compile.model to ${shutdown.servedAs}, or remove it`;
}
