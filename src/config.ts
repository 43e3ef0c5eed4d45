/** Reads the settings: file, environment, flags. Once, in main; stages get plain option objects. The table is settings.ts. */
import { existsSync, readFileSync } from 'node:fs';
import { distance } from 'fastest-levenshtein';
import { parse as parseYaml } from 'yaml';
import { exitCodes, messageOf, type OperatorError, stop } from './errors.ts';
import type { Setting } from './setting-kinds.ts';
import { type SettingName, settings } from './settings.ts';

export type Config = { readonly [K in SettingName]: (typeof settings)[K] extends Setting<infer T> ? T : never };
export type Origin = 'default' | 'flag' | `environment (${string})` | `file (${string})`;

export interface LoadedConfig {
  config: Config;
  origins: Record<SettingName, Origin>;
  /** Each value as it was written: `10m`, not 600000. */
  written: Record<SettingName, unknown>;
  /** Sentences for the operator about settings that work but should not stay so. */
  warnings: string[];
}

export const settingNames = Object.keys(settings) as SettingName[];

const words = (name: string): string[] =>
  name.split('.').flatMap((part) => part.split(/(?=[A-Z])/).map((w) => w.toLowerCase()));

export const environmentName = (name: SettingName): string => `TC_${words(name).join('_').toUpperCase()}`;
export const flagName = (name: SettingName): string => `--${words(name).join('-')}`;

export interface ConfigSources {
  env: Record<string, string | undefined>;
  flags: Partial<Record<SettingName, string>>;
  /** Path of the YAML file; absent: `trajectory-compiler.yaml` in the working folder, if there is one. */
  file?: string;
}

interface Found {
  value: unknown;
  origin: Origin;
}

/**
 * Reads every setting.
 *
 * @throws OperatorError `bad_settings`, exit code 3, that names each bad one with its path, where it was found and what
 * is allowed.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const problems: string[] = [];
  const warnings: string[] = [];
  const file = readFile(sources.file ?? sources.env.TC_CONFIG, problems);
  const values: Partial<Record<SettingName, unknown>> = {};
  const origins: Partial<Record<SettingName, Origin>> = {};
  const written: Partial<Record<SettingName, unknown>> = {};
  for (const name of settingNames) {
    const found = find(name, sources, file, problems);
    origins[name] = found?.origin ?? 'default';
    const { fallback, fallbackText } = settings[name] as Setting<unknown>;
    written[name] = found === null ? (fallbackText ?? fallback) : found.value;
    values[name] = found === null ? fallback : parsed(name, found, problems);
  }
  warnings.push(...unknownVariables(sources.env));
  for (const name of connectionStrings) warnings.push(...passwordInFile(name, values[name], origins[name]));
  if (problems.length === 0) problems.push(...contradictions(values as Config));
  if (problems.length > 0) throw badSettings(problems);
  return {
    config: values as Config,
    origins: origins as Record<SettingName, Origin>,
    written: written as Record<SettingName, unknown>,
    warnings,
  };
}

function contradictions(config: Config): string[] {
  const problems: string[] = [];
  const { 'session.minTurns': minTurns, 'session.maxTurns': maxTurns } = config;
  if (maxTurns < minTurns) {
    problems.push(
      `session.maxTurns must be at least session.minTurns (${minTurns}), not ${maxTurns}: no part could ever be sealed`,
    );
  }
  if (config['topics.transport'] === 'kafka') problems.push(...kafkaContradictions(config));
  return problems;
}

function kafkaContradictions(config: Config): string[] {
  const problems: string[] = [];
  const { 'kafka.saslMechanism': mechanism, 'kafka.maxInlineSize': inline, 'kafka.maxMessageSize': most } = config;
  if (config['kafka.brokers'].length === 0) {
    problems.push('kafka.brokers must be given where topics.transport is kafka, such as TC_KAFKA_BROKERS=kafka-1:9092');
  }
  if (mechanism !== 'none' && (config['kafka.saslUsername'] === null || config['kafka.saslPassword'] === null)) {
    problems.push(`kafka.saslUsername and kafka.saslPassword must be given where kafka.saslMechanism is ${mechanism}`);
  }
  if ((config['kafka.tlsCert'] === null) !== (config['kafka.tlsKey'] === null)) {
    problems.push('kafka.tlsCert and kafka.tlsKey must be given together');
  }
  // Rows and their keys are wrapped, and what compresses badly grows by a little.
  if (inline > most / 2) {
    problems.push(
      `kafka.maxInlineSize must be at most half of kafka.maxMessageSize (${most} bytes), not ${inline} bytes`,
    );
  }
  if (config['kafka.handoverTimeout'] < config['compile.timeout']) {
    problems.push(
      'kafka.handoverTimeout must be at least compile.timeout: a model call would be given up and paid twice',
    );
  }
  return problems;
}

function badSettings(problems: string[]): OperatorError {
  const intro = problems.length === 1 ? 'a setting is wrong' : `${problems.length} settings are wrong`;
  return stop('bad_settings', `${intro}:\n${problems.map((p) => `  ${p}`).join('\n')}`, {
    exitCode: exitCodes.configuration,
  });
}

function find(name: SettingName, sources: ConfigSources, file: YamlFile | null, problems: string[]): Found | null {
  const flag = sources.flags[name];
  if (flag !== undefined) return { value: flag, origin: 'flag' };
  const variable = environmentName(name);
  const fromEnv = sources.env[variable];
  if (fromEnv !== undefined && fromEnv !== '') return { value: fromEnv, origin: `environment (${variable})` };
  const secretFile = sources.env[`${variable}_FILE`];
  if (secretFile !== undefined && secretFile !== '') return fromSecretFile(variable, secretFile, problems);
  if (file?.values.has(name)) return { value: file.values.get(name), origin: `file (${file.path})` };
  return wellKnown(name, sources.env);
}

function fromSecretFile(variable: string, path: string, problems: string[]): Found | null {
  try {
    return { value: readFileSync(path, 'utf8').trim(), origin: `environment (${variable}_FILE)` };
  } catch (error) {
    problems.push(`${variable}_FILE: can't read ${path}: ${messageOf(error)}`);
    return null;
  }
}

/** The variables that the providers' own tools read. A key found is never a reason to use it: tier and sinks decide. */
const wellKnownVariables: Partial<Record<SettingName, readonly string[]>> = {
  'gemini.apiKey': ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
  'supabase.url': ['SUPABASE_URL', 'NEXT_PUBLIC_SUPABASE_URL'],
  'supabase.key': ['SUPABASE_SECRET_KEY', 'SUPABASE_SERVICE_ROLE_KEY'],
};

function wellKnown(name: SettingName, env: ConfigSources['env']): Found | null {
  for (const variable of wellKnownVariables[name] ?? []) {
    const value = env[variable];
    if (value !== undefined && value !== '') return { value, origin: `environment (${variable})` };
  }
  return null;
}

function parsed(name: SettingName, { value, origin }: Found, problems: string[]): unknown {
  const { schema, allowed, secret } = settings[name] as Setting<unknown>;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const shown = secret === true ? 'what is given' : JSON.stringify(value);
  problems.push(`${name} must be ${allowed}, not ${shown} (${origin === 'flag' ? flagName(name) : origin})`);
  return undefined;
}

interface YamlFile {
  path: string;
  values: Map<string, unknown>;
}

function readFile(given: string | undefined, problems: string[]): YamlFile | null {
  const path = given ?? 'trajectory-compiler.yaml';
  if (given === undefined && !existsSync(path)) return null;
  try {
    const document = parseYaml(readFileSync(path, 'utf8')) as unknown;
    const values = new Map<string, unknown>();
    if (document !== null) flatten(document, '', values, path, problems);
    return { path, values };
  } catch (error) {
    // The parser goes on to quote the line, which may hold a password.
    problems.push(`${path} can't be read: ${messageOf(error).split('\n')[0]}`);
    return null;
  }
}

function flatten(node: unknown, prefix: string, into: Map<string, unknown>, path: string, problems: string[]): void {
  if (prefix in settings) {
    into.set(prefix, node);
  } else if (node !== null && typeof node === 'object' && !Array.isArray(node)) {
    for (const [key, value] of Object.entries(node)) {
      flatten(value, prefix === '' ? key : `${prefix}.${key}`, into, path, problems);
    }
  } else {
    const problem = problemOf(node, prefix);
    if (problem !== null) problems.push(`${problem} (file (${path}))`);
  }
}

function problemOf(node: unknown, prefix: string): string | null {
  if (prefix === '') return 'the file must hold settings such as session: {idleTimeout: 10m}';
  const inGroup = settingNames.find((name) => name.startsWith(`${prefix}.`));
  // A group whose settings are all commented out.
  if (inGroup !== undefined && node === null) return null;
  if (inGroup !== undefined) return `${prefix} is a group of settings, such as ${inGroup}, and has no value of its own`;
  const near = nearest(prefix);
  return `${prefix} is no setting${near === null ? '' : `: did you mean ${near}?`}`;
}

function unknownVariables(env: ConfigSources['env']): string[] {
  const known = new Set(settingNames.flatMap((name) => [environmentName(name), `${environmentName(name)}_FILE`]));
  return Object.keys(env)
    .filter((key) => key.startsWith('TC_') && !key.startsWith('TC_TEST_') && key !== 'TC_CONFIG' && !known.has(key))
    .map((key) => `${key} is set, but there is no such setting: see trajectory-compiler config print`);
}

const connectionStrings = [
  'postgres.url',
  'calls.url',
  'budget.url',
  'supabase.databaseUrl',
] as const satisfies SettingName[];

function passwordInFile(name: SettingName, url: unknown, origin: Origin | undefined): string[] {
  if (typeof url !== 'string' || !origin?.startsWith('file') || !/^[a-z]+:\/\/[^/@:]*:[^/@]+@/.test(url)) return [];
  const variable = environmentName(name);
  return [`${name} in ${origin} holds a password: keep it in ${variable}, or in a file named by ${variable}_FILE`];
}

function nearest(name: string): SettingName | null {
  const far = (candidate: SettingName) => distance(name.toLowerCase(), candidate.toLowerCase());
  const best = settingNames.reduce((a, b) => (far(b) < far(a) ? b : a));
  return far(best) <= Math.max(3, name.length / 3) ? best : null;
}

/** A setting as `config print` shows it: secrets hidden, passwords of connection strings too. */
export function shownValue(name: SettingName, { written }: LoadedConfig): string {
  const value = written[name];
  if (value === null) return '';
  if ((settings[name] as Setting<unknown>).secret !== true)
    return typeof value === 'string' ? withoutCredentials(value) : JSON.stringify(value);
  const isConnection = (connectionStrings as readonly SettingName[]).includes(name);
  return isConnection ? withoutPassword(String(value)) : '(set)';
}

/** An address may name who asks, and with which key, though nothing in it has to be secret. */
function withoutCredentials(text: string): string {
  if (!/^[a-z]+:\/\//i.test(text)) return text;
  return text
    .replace(/^([a-z]+:\/\/)[^/@]*@/i, '$1***@')
    .replace(/([?&][^=&]*(?:key|token|secret|password)[^=&]*=)[^&\s]+/gi, '$1***');
}

/** What is no URL may hold a password anywhere, so none of it is shown. */
function withoutPassword(url: string): string {
  if (!/^[a-z]+:\/\//.test(url)) return '(set)';
  return url.replace(/^([a-z]+:\/\/[^/@:]*):.*@/, '$1:***@').replace(/(password=)[^&\s]+/gi, '$1***');
}
