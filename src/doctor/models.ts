/** The models of the settings: key, whether they are served, what they can, for how long, and one question each if asked. */
import { type Check, Checklist, failure, ok, warning } from '../checks.ts';
import { capabilityOf, familyOf } from '../compile/models/capabilities.ts';
import type { ModelChoice } from '../compile/models/doors.ts';
import { ModelFault } from '../compile/models/model.ts';
import { orAborted } from '../compile/models/or-aborted.ts';
import { isPrivateHost } from '../compile/models/private-address.ts';
import type { Config } from '../config.ts';
import { count } from '../dataset/figures.ts';
import { exitCodes } from '../errors.ts';
import { type AskedModel, askedModels, nameOf, openDoor, settingOf } from './asked-models.ts';
import { examineProbe } from './probe.ts';
import { addressOf, readServedModel } from './served-model.ts';
import type { Visit } from './visit.ts';

const answerWithinMs = 8_000;
/** Calls of one window leave room for the fixed part and what is asked. */
const aroundWindowTokens = 8_000;

export async function examineModels(list: Checklist, visit: Visit, signal: AbortSignal): Promise<void> {
  const { config } = visit.loaded;
  const asked = await list.attempt('models', () => askedModels(config));
  if (asked === null) return;
  const served: AskedModel[] = [];
  // At once: together they have no more time than one of them has.
  const examined = asked.map(async (one) => {
    const own = new Checklist();
    return { one, own, usable: await examineModel(own, one, visit, signal) };
  });
  for (const { one, own, usable } of await Promise.all(examined)) {
    list.add(...own.checks);
    if (usable) served.push(one);
  }
  list.add(...familyChecks(config, asked));
  await examineProbe(list, served, visit, signal);
}

/** @returns whether it can be asked. */
async function examineModel(
  list: Checklist,
  asked: AskedModel,
  { loaded, env }: Visit,
  signal: AbortSignal,
): Promise<boolean> {
  const { config, origins } = loaded;
  const { choice } = asked;
  const setting = choice.provider === 'openai-compatible' ? 'openai.apiKey' : 'gemini.apiKey';
  const address = await list.attempt('model_settings', () => {
    openDoor(config, choice);
    return addressOf(choice, config);
  });
  if (address === null) return false;
  const from = choice.provider !== 'vertex' && config[setting] !== null ? `, with the key of ${origins[setting]}` : '';
  list.add(proxyCheck(address, choice, env));
  const check = await servedCheck(asked, { config, address, from }, signal);
  list.add(check);
  if (check.outcome === 'failure') return false;
  list.add(structuredCheck(choice), thinkingCheck(choice), shutdownCheck(asked, new Date()));
  return true;
}

interface Place {
  config: Config;
  address: URL;
  from: string;
}

async function servedCheck(asked: AskedModel, { config, address, from }: Place, signal: AbortSignal): Promise<Check> {
  const name = 'model_served';
  const { choice } = asked;
  const limit = AbortSignal.timeout(answerWithinMs);
  const at = `asked at ${address.host}`;
  try {
    const within = AbortSignal.any([signal, limit]);
    // Google's library asks for credentials in its own time.
    const served = await orAborted(readServedModel(choice, config, within), within);
    if (served === null) return ok(name, `${nameOf(asked)}: ${address.host} does not list its models; --probe asks it`);
    if (!served.generates) {
      return failure(name, `${nameOf(asked)} generates no text`, `set ${settingOf(asked)} to a model that does`);
    }
    return windowCheck(asked, served.inputTokens, config) ?? ok(name, `${nameOf(asked)} is served, ${at}${from}`);
  } catch (error) {
    if (error instanceof ModelFault) return faultCheck(error, asked, at);
    if (!limit.aborted) throw error;
    const sentence = `${nameOf(asked)}: no answer from ${address.host} within ${answerWithinMs / 1000} s`;
    return { ...failure('model_timeout', sentence, null), exitCode: exitCodes.sourceUnavailable };
  }
}

function windowCheck(asked: AskedModel, inputTokens: number | null, config: Config): Check | null {
  const window = config['compile.windowTokens'];
  if (inputTokens === null || window + aroundWindowTokens <= inputTokens) return null;
  return failure(
    'model_window',
    `${nameOf(asked)} takes ${count(inputTokens)} tokens, and compile.windowTokens is ${count(window)}`,
    `set compile.windowTokens to ${Math.max(1000, inputTokens - aroundWindowTokens)}`,
  );
}

/** Who is asked too often is there all the same. */
function faultCheck({ outcome, message, kind }: ModelFault, asked: AskedModel, at: string): Check {
  const name = `model_${outcome}`;
  const sentence = `${message}; ${at}`;
  if (outcome === 'rate_limited' || outcome === 'quota_exhausted') return warning(name, sentence, null);
  const remedy = outcome === 'not_served' ? `set ${settingOf(asked)} to a model that is served there` : null;
  const exitCode = kind === 'retry' ? exitCodes.sourceUnavailable : exitCodes.configuration;
  return { ...failure(name, sentence, remedy), exitCode };
}

function structuredCheck({ provider, model }: ModelChoice): Check {
  const name = 'structured_output';
  if (provider !== 'openai-compatible') return ok(name, `${model} is held to a schema by the API`);
  return ok(name, `whether ${model} is held to a schema is found out by its first call: --probe makes it now`);
}

function thinkingCheck({ provider, model }: ModelChoice): Check {
  const name = 'model_thinking';
  const { thinking, thinkingTokens, maxOutputTokens } = capabilityOf(model);
  const room = `room for ${count(thinkingTokens)} tokens of thoughts`;
  if (thinking !== null && 'level' in thinking)
    return ok(name, `${model} thinks at level ${thinking.level}, with ${room}`);
  if (thinking !== null && 'effort' in thinking) return ok(name, `${model} thinks with little effort, with ${room}`);
  if (thinking !== null) return ok(name, `${model} thinks within a budget of ${count(thinking.budget)} tokens`);
  if (provider === 'openai-compatible' || Number.isFinite(maxOutputTokens)) {
    return ok(name, `${model} is asked for nothing about thinking, with ${room}`);
  }
  return warning(
    name,
    `this version knows nothing of ${model}: not how it thinks, which may cut answers short, nor when it is shut down`,
    'upgrade trajectory-compiler, or take a model of the tier by leaving the setting out',
  );
}

const dayMs = 86_400_000;
const soonDays = 30;

/** One that is over, and served all the same, is another model under its name. */
export function shutdownCheck(asked: AskedModel, now: Date): Check {
  const name = 'model_shutdown';
  const { model } = asked.choice;
  const { shutdown } = capabilityOf(model);
  if (shutdown === null) return ok(name, `no end is announced for ${model}, as far as this version knows`);
  const days = Math.ceil((Date.parse(shutdown.date) - now.getTime()) / dayMs);
  const remedy = `set ${settingOf(asked)} to ${shutdown.servedAs}, or remove it`;
  if (days > soonDays) return ok(name, `${model} is served until ${shutdown.date}`);
  const end = days > 0 ? `is shut down on ${shutdown.date}, in ${days} days` : `was shut down on ${shutdown.date}`;
  return warning(name, `${model} ${end}, and then served as ${shutdown.servedAs}`, remedy);
}

function familyChecks(config: Config, asked: readonly AskedModel[]): Check[] {
  if (config['verify.mode'] === 'off') return [];
  const name = 'verify_family';
  const [writes, looks] = [asked[0]!.choice.model, asked.at(-1)!.choice.model];
  const remedy = 'set verify.provider and verify.model to a model of another family';
  if (asked.length === 1) return [warning(name, `${writes} looks at its own work: pairs are marked so`, remedy)];
  if (familyOf(writes) !== familyOf(looks)) return [ok(name, `${looks} looks at the work of another family`)];
  const same = `${writes} and ${looks} are of one family, which may share an error: pairs are marked so`;
  return [config['compile.tier'] === 'strong' ? warning(name, same, remedy) : ok(name, same)];
}

const proxyVariables = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];

/** Calls of models go straight to the address: a network that lets out proxies alone would swallow them. */
export function proxyCheck(address: URL, { provider }: ModelChoice, env: Visit['env']): Check | null {
  const variable = proxyVariables.find((each) => (env[each] ?? '') !== '');
  if (variable === undefined || isPrivateHost(address)) return null;
  const setting = { gemini: 'gemini.baseUrl', vertex: null, 'openai-compatible': 'openai.baseUrl' }[provider];
  const gateway = setting === null ? '' : `, or set ${setting} to a gateway that is reached without it`;
  return warning(
    'model_proxy',
    `${variable} is set, and calls of models do not go through it`,
    `let this host reach ${address.host} directly${gateway}`,
  );
}
