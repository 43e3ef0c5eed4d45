/** What `doctor` looks at: each part of the system as a list of checks, all of them at once. It changes nothing. */
import { type Check, Checklist, failure } from '../checks.ts';
import { type ExitCode, exitCodes, messageOf } from '../errors.ts';
import { pause, within } from '../lifecycle.ts';
import type { StoredStart } from '../stream/start.ts';
import { examineDataDir } from './data-directory.ts';
import { examineKafka } from './kafka.ts';
import { examineMetricsPort } from './metrics-port.ts';
import { examineMirror } from './mirror.ts';
import { examineModels } from './models.ts';
import { examineProgram } from './program.ts';
import { examineRedaction } from './redaction.ts';
import { asksModels, settingChecks } from './settings.ts';
import { examineClaims, examineSource } from './source.ts';
import { examineSpending } from './spending.ts';
import { examineStores } from './stores.ts';
import type { Visit } from './visit.ts';

export interface Examined {
  part: string;
  checks: Check[];
  /** Something of it may still be under way, and keep the process. */
  givenUp: boolean;
}

interface Part {
  name: string;
  limitMs: number;
  examine: (list: Checklist, signal: AbortSignal) => void | Promise<void>;
}

const limitMs = 10_000;
/** kafkajs tries again for six seconds before it says that it can't connect. */
const kafkaLimitMs = 25_000;
/** A model may think before it answers. */
const probeLimitMs = 90_000;
const announceAfterMs = 1_000;

/**
 * Part after part, each as soon as it and those before it have been looked at.
 *
 * @param slow hears of each part that is waited for.
 */
export async function* examineAll(visit: Visit, slow: (part: string) => void): AsyncGenerator<Examined> {
  const running = partsOf(visit).map((part) => ({ part, examined: examine(part, visit.drain) }));
  for (const { part, examined } of running) {
    if ((await within(announceAfterMs, examined)) === undefined) slow(part.name);
    const found = await examined;
    if (visit.drain.aborted) return;
    yield found;
  }
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
    ...(has('capture') ? [part('source', async (list) => examineSource(list, config, await start))] : []),
    ...(overKafka && has('compile') && !has('capture') ? [part('source', (list) => examineClaims(list, config))] : []),
    ...(overKafka ? [part('Kafka', (list, signal) => examineKafka(list, config, signal), kafkaLimitMs)] : []),
    ...(has('compile') ? compileParts(visit, part) : []),
    ...(has('sink') && config.sinks.includes('supabase')
      ? [part('sink supabase', (list, signal) => examineMirror(list, config, signal))]
      : []),
    part('metrics', (list, signal) => examineMetricsPort(list, visit.loaded, signal)),
  ];
}

function compileParts(visit: Visit, part: (name: string, examine: Part['examine'], limitMs?: number) => Part): Part[] {
  const { config } = visit.loaded;
  const shared = config['calls.url'] !== null || config['budget.url'] !== null;
  return [
    part('redaction', (list) => examineRedaction(list, config)),
    ...(shared ? [part('stores', (list) => examineStores(list, config))] : []),
    ...(asksModels(config)
      ? [
          part('spending', (list) => examineSpending(list, config)),
          part('models', (list, signal) => examineModels(list, visit, signal), visit.probe ? probeLimitMs : limitMs),
        ]
      : []),
  ];
}

async function examine({ name, limitMs: limit, examine: look }: Part, drain: AbortSignal): Promise<Examined> {
  const list = new Checklist();
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, drain]);
  const looked = Promise.resolve()
    .then(() => look(list, signal))
    .then(
      () => true,
      (error: unknown) => {
        if (!over.signal.aborted) list.add(failure('unexpected', messageOf(error), null));
        return true;
      },
    );
  const done = (await Promise.race([looked, pause(limit, signal)])) === true;
  const checks = done ? list.checks : [...list.checks, timedOut(limit)];
  over.abort();
  return { part: name, checks, givenUp: !done };
}

function timedOut(limit: number): Check {
  const sentence = `no answer within ${limit / 1000} s: what is not said here was not looked at`;
  const remedy = 'look at the network between this host and that one, then run doctor again';
  return { ...failure('timed_out', sentence, remedy), exitCode: exitCodes.sourceUnavailable };
}

/** 3 where something has to be changed, 5 where all that is wrong is that something is away. */
export function exitCodeOf(checks: readonly Check[]): ExitCode {
  const failed = checks.filter(({ outcome }) => outcome === 'failure');
  if (failed.length === 0) return exitCodes.ok;
  const away = failed.every(({ exitCode }) => exitCode === exitCodes.sourceUnavailable);
  return away ? exitCodes.sourceUnavailable : exitCodes.configuration;
}
