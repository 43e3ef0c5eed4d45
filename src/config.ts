/**
 * Every setting: schema, default, what is allowed, one sentence. The YAML file, the environment, flags and
 * `config print` all come from this one table. Config is read once, in main; stages get plain option objects.
 *
 * A setting `a.bC` is `a: {bC: …}` in YAML, `TC_A_B_C` in the environment (or `TC_A_B_C_FILE`, the name of a file that
 * holds it) and `--a-b-c` on the command line; flags win over the environment, the environment over the file.
 */
import { existsSync, readFileSync } from 'node:fs';
import { distance } from 'fastest-levenshtein';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { exitCodes, messageOf, type OperatorError, stop } from './errors.ts';
import { logLevels } from './log.ts';
import {
  duration,
  oneOf,
  optionalText,
  type Setting,
  setting,
  size,
  structured,
  text,
  whole,
} from './setting-kinds.ts';

const columnTest = z.strictObject({ column: z.string().min(1), equals: z.string() });
export type ColumnTest = z.infer<typeof columnTest>;

const column = (fallback: string, what: string) => text(fallback, `Column of ${what}.`);

const priceSchema = z.record(
  z.string(),
  z.strictObject({ input: z.number().min(0), cached: z.number().min(0).optional(), output: z.number().min(0) }),
);

export const settings = {
  'postgres.url': optionalText('Connection string of the database that holds the audit log.', {
    secret: true,
    allowed: 'a connection string such as postgres://user@host:5432/database',
  }),
  'postgres.table': text('public.audit_log', 'The audit log: an append-only table, with or without its schema.'),
  'postgres.slot': setting({
    schema: z.string().regex(/^[a-z0-9_]{1,63}$/),
    fallback: 'trajectory_compiler',
    allowed: 'at most 63 lower-case letters, digits and underscores',
    sentence: 'Logical replication slot; one for each data directory.',
  }),
  'postgres.publication': text('trajectory_compiler', 'Publication of the audit log.'),
  'columns.sessionId': text('session_id', "Column of the agent's session."),
  'columns.key': text('id', 'Column that names a row for ever: the primary key, or another unique one.'),
  'columns.agent': column('agent', "the agent's name"),
  'columns.tool': column('tool', "the tool's name"),
  'columns.arguments': column('arguments', "the call's arguments"),
  'columns.response': column('response', "the call's response"),
  'columns.cost': column('cost_usd', "the call's cost in US dollars"),
  'columns.duration': column('duration_ms', "the call's duration in milliseconds"),
  'columns.time': column('created_at', 'the time of the action, which orders the turns of a session'),
  'columns.metadata': structured(
    z.array(z.string().min(1)),
    [],
    'a list of column names',
    'Further columns that go along with each turn.',
  ),
  'capture.exclude': structured(
    z.array(columnTest),
    [],
    'a list of {column, equals}',
    'Rows that are left out, and counted: those that this system itself causes, for one.',
  ),
  'capture.batchRows': whole(500, 1, 'Rows in one transaction of the journal.', { max: 100_000 }),
  'capture.batchDelay': duration('200ms', 'How long a batch may wait to fill up.'),
  'capture.bufferBytes': size('32MiB', 'What may be read from Postgres and not yet be in the journal.'),
  'session.idleTimeout': duration('10m', 'A session without a row for this long, by commit times, has ended.'),
  'session.minTurns': whole(10, 2, 'Parts with fewer turns are held back until more turns join them.', {
    shortFlag: '--min-turns',
  }),
  'session.maxTurns': whole(2000, 2, 'A part ends before it has more turns than this.'),
  'session.maxBytes': size('16MiB', 'A part ends before it holds more text than this.'),
  'session.maxAge': duration('24h', 'A part ends before its rows span more than this.'),
  'session.retain': duration('7d', 'A part below minTurns to which nothing is added for this long is let go.'),
  'session.endMarker': structured(
    columnTest.nullable(),
    null,
    '{column, equals} or null',
    'A row that ends its session, told by one of its columns.',
  ),
  'session.endGrace': duration('5s', 'Rows committed this soon after the end marker still join the part.'),
  'compile.tier': oneOf(
    ['rules', 'cheap', 'strong'],
    'rules',
    'rules: no model, no key, no cost; cheap and strong: Gemini models.',
    { shortFlag: '--tier' },
  ),
  'compile.model': optionalText("A model in place of the tier's own."),
  'compile.concurrency': whole(4, 1, 'Trajectories in work at once.', { max: 1024 }),
  'compile.windowTokens': whole(24_000, 1000, 'A longer trajectory is compiled in windows of this many tokens.'),
  'compile.timeout': duration('2m', 'One attempt of a model call.'),
  'compile.serviceTier': oneOf(['standard', 'flex'], 'standard', 'flex halves the price and may take minutes.'),
  'compile.maxAttempts': whole(5, 1, 'Attempts for one trajectory before it becomes a dead letter.', { max: 100 }),
  'gemini.apiKey': optionalText('Key of the Gemini API; GEMINI_API_KEY and GOOGLE_API_KEY are read too.', {
    secret: true,
  }),
  'gemini.baseUrl': optionalText('Another address for the Gemini API.', { allowed: 'a URL' }),
  prices: structured(
    priceSchema,
    {},
    'a table model: {input, cached, output} in US dollars per million tokens',
    'Prices that the built-in table lacks or has otherwise.',
  ),
  'redact.mode': setting<'off' | null>({
    schema: z.literal('off').nullable(),
    fallback: null,
    allowed: 'off (no redaction in this version; the tiers that call a model ask for the word)',
    sentence: 'What is redacted before text leaves for a model: nothing yet, and off says that this is understood.',
  }),
  'metrics.host': text('127.0.0.1', 'Address of /metrics, /healthz and /readyz.'),
  'metrics.port': whole(9464, 0, 'Port of /metrics, /healthz and /readyz; 0 for none.', { max: 65_535 }),
  dataDir: text('./data', 'Where journal, topics, model answers and the dataset lie.'),
  'log.level': oneOf(logLevels, 'info', 'How much is logged to stderr.'),
} as const;

export type SettingName = keyof typeof settings;
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
  warnings.push(...unknownVariables(sources.env), ...passwordInFile(values['postgres.url'], origins['postgres.url']));
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
  const { 'session.minTurns': minTurns, 'session.maxTurns': maxTurns } = config;
  return maxTurns < minTurns
    ? [
        `session.maxTurns must be at least session.minTurns (${minTurns}), not ${maxTurns}: no part could ever be sealed`,
      ]
    : [];
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
  if (name === 'gemini.apiKey') return wellKnownKey(sources.env);
  return null;
}

function fromSecretFile(variable: string, path: string, problems: string[]): Found | null {
  try {
    return { value: readFileSync(path, 'utf8').trim(), origin: `environment (${variable}_FILE)` };
  } catch (error) {
    problems.push(`${variable}_FILE: can't read ${path}: ${messageOf(error)}`);
    return null;
  }
}

/** The variables that the provider's own tools read. A key found is never a reason to use it: the tier decides. */
function wellKnownKey(env: ConfigSources['env']): Found | null {
  for (const variable of ['GEMINI_API_KEY', 'GOOGLE_API_KEY']) {
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

function passwordInFile(url: unknown, origin: Origin | undefined): string[] {
  if (typeof url !== 'string' || !origin?.startsWith('file') || !/^[a-z]+:\/\/[^/@:]*:[^/@]+@/.test(url)) return [];
  return [
    `postgres.url in ${origin} holds a password: keep it in TC_POSTGRES_URL, or in a file named by TC_POSTGRES_URL_FILE`,
  ];
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
    return typeof value === 'string' ? value : JSON.stringify(value);
  return name === 'postgres.url' ? withoutPassword(String(value)) : '(set)';
}

/** What is no URL may hold a password anywhere, so none of it is shown. */
function withoutPassword(url: string): string {
  if (!/^[a-z]+:\/\//.test(url)) return '(set)';
  return url.replace(/^([a-z]+:\/\/[^/@:]*):.*@/, '$1:***@').replace(/(password=)[^&\s]+/gi, '$1***');
}
