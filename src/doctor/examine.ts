/** What `doctor` looks at: each part of the system as a list of checks. It changes nothing. */
import type { Check } from '../checks.ts';
import { type ExitCode, exitCodes } from '../errors.ts';
import type { StoredStart } from '../stream/start.ts';
import { examineDataDir } from './data-directory.ts';
import { examineKafka } from './kafka.ts';
import { examineMetricsPort } from './metrics-port.ts';
import { examineMirror } from './mirror.ts';
import { examineModels } from './models.ts';
import { type Examined, examineParts, type Part } from './parts.ts';
import { examineProgram } from './program.ts';
import { examineRedaction } from './redaction.ts';
import { asksModels, settingChecks } from './settings.ts';
import { examineClaims, examineSource } from './source.ts';
import { examineSpending } from './spending.ts';
import { examineStores } from './stores.ts';
import type { Visit } from './visit.ts';

const limitMs = 10_000;
/** A connection to Postgres is given up after ten, in words of its own. */
const postgresLimitMs = 15_000;
/** kafkajs tries again for six seconds before it says that it can't connect. */
const kafkaLimitMs = 25_000;
/** A model may think before it answers. */
const probeLimitMs = 90_000;

/** @param slow hears of each part that is waited for. */
export function examineAll(visit: Visit, slow: (part: string) => void): AsyncGenerator<Examined> {
  return examineParts(partsOf(visit), { drain: visit.drain, slow });
}

function partsOf(visit: Visit): Part[] {
  const { config } = visit.loaded;
  const has = (role: 'capture' | 'compile' | 'sink') => config.roles.includes(role);
  const overKafka = config['topics.transport'] === 'kafka';
  let started: (start: StoredStart | null) => void = () => {};
  const start = new Promise<StoredStart | null>((resolve) => {
    started = resolve;
  });
  const part = (name: string, examine: Part['examine'], limit = limitMs): Part => ({ name, limitMs: limit, examine });
  return [
    part('program', (list) => examineProgram(list, visit)),
    part('settings', (list) => list.add(...settingChecks(visit))),
    part('data directory', async (list) => {
      try {
        started(await examineDataDir(list, config));
      } finally {
        started(null);
      }
    }),
    ...(has('capture')
      ? [part('source', async (list) => examineSource(list, config, await start), postgresLimitMs)]
      : []),
    ...(overKafka && has('compile') && !has('capture')
      ? [part('source', (list) => examineClaims(list, config), postgresLimitMs)]
      : []),
    ...(overKafka ? [part('Kafka', (list, signal) => examineKafka(list, config, signal), kafkaLimitMs)] : []),
    ...(has('compile') ? compileParts(visit, part) : []),
    ...(has('sink') && config.sinks.includes('supabase')
      ? [part('sink supabase', (list, signal) => examineMirror(list, config, signal), postgresLimitMs)]
      : []),
    part('metrics', (list, signal) => examineMetricsPort(list, visit.loaded, signal)),
  ];
}

function compileParts(visit: Visit, part: (name: string, examine: Part['examine'], limitMs?: number) => Part): Part[] {
  const { config } = visit.loaded;
  const shared = config['calls.url'] !== null || config['budget.url'] !== null;
  return [
    part('redaction', (list) => examineRedaction(list, config)),
    ...(shared ? [part('stores', (list) => examineStores(list, config), postgresLimitMs)] : []),
    ...(asksModels(config)
      ? [
          part('spending', (list) => examineSpending(list, config)),
          part('models', (list, signal) => examineModels(list, visit, signal), visit.probe ? probeLimitMs : limitMs),
        ]
      : []),
  ];
}

/** 3 where something has to be changed, 5 where all that is wrong is that something is away. */
export function exitCodeOf(checks: readonly Check[]): ExitCode {
  const failed = checks.filter(({ outcome }) => outcome === 'failure');
  if (failed.length === 0) return exitCodes.ok;
  const away = failed.every(({ exitCode }) => exitCode === exitCodes.sourceUnavailable);
  return away ? exitCodes.sourceUnavailable : exitCodes.configuration;
}
