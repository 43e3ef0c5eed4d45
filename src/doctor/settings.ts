/** Settings that each are allowed, and that together are seldom meant. */
import { type Check, ok, warning } from '../checks.ts';
import { capabilityOf } from '../compile/models/capabilities.ts';
import { lookingModel, writingModel } from '../compiling/models.ts';
import type { Config, LoadedConfig } from '../config.ts';
import { durationText } from './duration.ts';
import type { Visit } from './visit.ts';

export const asksModels = (config: Config): boolean =>
  config['compile.tier'] !== 'rules' && config.roles.includes('compile');

export function settingChecks({ loaded }: Pick<Visit, 'loaded'>): Check[] {
  const { config, warnings } = loaded;
  return [
    originCheck(loaded),
    ...warnings.map((sentence) => warning('settings_doubtful', sentence, null)),
    rolesCheck(config),
    ...(config.roles.includes('capture') ? [idleCheck(config)] : []),
    ...(config.roles.includes('compile') ? compileChecks(config) : []),
  ];
}

function originCheck({ origins }: LoadedConfig): Check {
  const places = new Map<string, number>();
  for (const origin of Object.values(origins)) {
    const place = origin.startsWith('environment')
      ? 'the environment'
      : origin === 'flag'
        ? 'the command line'
        : origin;
    if (place !== 'default') places.set(place, (places.get(place) ?? 0) + 1);
  }
  const said = [...places].map(([place, count]) => `${count} from ${place.replace(/^file \((.*)\)$/, '$1')}`);
  return ok(
    'settings',
    said.length === 0 ? 'every setting has its default' : `${said.join(', ')}, the others by default`,
  );
}

function rolesCheck(config: Config): Check {
  const { roles, dataDir } = config;
  const elsewhere = (['capture', 'compile', 'sink'] as const).filter((role) => !roles.includes(role));
  if (elsewhere.length === 0) return ok('roles', 'this process captures, compiles and writes the sinks');
  const said = `this process does ${roles.join(' and ')}; ${elsewhere.join(' and ')} must run in others`;
  return config['topics.transport'] === 'kafka'
    ? ok('roles', `${said}, over the same Kafka topics`)
    : ok('roles', `${said}, on this host, with the same dataDir (${dataDir})`);
}

const shortIdleMs = 30_000;

function idleCheck(config: Config): Check {
  const name = 'idle_timeout';
  const idleMs = config['session.idleTimeout'];
  const said = `a session without a row for ${durationText(idleMs)} has ended`;
  const longest = config['session.maxAge'];
  if (idleMs < shortIdleMs) {
    return warning(
      name,
      `${said}: an agent that waits for a slow tool is cut in two`,
      'set session.idleTimeout to some minutes, such as 10m',
    );
  }
  if (idleMs < longest) return ok(name, said);
  return warning(
    name,
    `${said}, and parts are cut at ${durationText(longest)} (session.maxAge): the pause never decides`,
    'set session.idleTimeout below session.maxAge',
  );
}

function compileChecks(config: Config): Check[] {
  if (config['compile.tier'] === 'rules') return [rulesCheck(config)];
  return [leavingCheck(config), verifyCheck(config), ...tierChecks(config)];
}

function rulesCheck(config: Config): Check {
  const key = config['gemini.apiKey'] === null ? '' : '; a Gemini key is set and not used: --tier cheap would use it';
  return ok('compile_tier', `rules compile: no model is asked, nothing is paid${key}`);
}

/** What becomes of the text of rows. */
function leavingCheck(config: Config): Check {
  const name = 'text_leaves';
  const tier = `tier ${config['compile.tier']}`;
  if (config['redact.mode'] === 'off') {
    return warning(
      name,
      `${tier} with redact.mode off: models are sent the rows as they are, personal data and secrets with them`,
      'set redact.mode to on (TC_REDACT_MODE=on)',
    );
  }
  const kept = Object.entries(config['redact.policy']).filter(([, what]) => what === 'keep');
  if (kept.length === 0) return ok(name, `${tier}: models are sent the text of sessions, redacted`);
  const kinds = kept.map(([kind]) => kind).join(', ');
  return warning(
    name,
    `${tier}: models are sent the text of sessions, redacted but for ${kinds}`,
    `take ${kinds} out of redact.policy, unless they may leave`,
  );
}

function verifyCheck(config: Config): Check {
  if (config['verify.mode'] === 'on') return ok('verify_mode', 'another model looks at each pair');
  return warning(
    'verify_mode',
    'verify.mode is off: pairs stay unverified',
    'set verify.mode to on (TC_VERIFY_MODE=on), or look at them later with `trajectory-compiler verify`',
  );
}

const flexTimeoutMs = 600_000;

function tierChecks(config: Config): Check[] {
  const tier = config['compile.tier'];
  if (config['compile.serviceTier'] !== 'flex' || tier === 'rules') return [];
  const name = 'service_tier';
  const timeoutMs = config['compile.timeout'];
  const writing = writingModel(config, tier);
  const asked = config['verify.mode'] === 'on' ? [writing, lookingModel(config, tier, writing)] : [writing];
  const without = asked.filter(({ provider, model }) => provider === 'openai-compatible' || !capabilityOf(model).flex);
  if (without.length > 0) {
    const models = [...new Set(without.map(({ model }) => model))].join(' and ');
    return [warning(name, `compile.serviceTier is flex, which ${models} does not have: the full price is paid`, null)];
  }
  if (timeoutMs >= flexTimeoutMs) return [ok(name, 'the flex tier is asked, at half the price')];
  const handover = config['topics.transport'] === 'kafka' ? ', and kafka.handoverTimeout to no less' : '';
  return [
    warning(
      name,
      `the flex tier may take minutes, and a call is given up after ${durationText(timeoutMs)}, billed or not`,
      `set compile.timeout to 15m (TC_COMPILE_TIMEOUT=15m)${handover}`,
    ),
  ];
}
