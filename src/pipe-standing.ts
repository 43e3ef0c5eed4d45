/** How the parts of a pipe stand: what waits, what is away, whether all is done. */
import type { BudgetLevel } from './compile/budget/budget.ts';
import type { Config } from './config.ts';
import { kindOf } from './errors.ts';
import { pause, within } from './lifecycle.ts';
import type { Readiness } from './readiness.ts';
import type { Requests } from './requests.ts';
import type { Journal } from './sessionizer/journal.ts';
import { urlOf } from './stages.ts';
import type { Source } from './stream/contract.ts';
import { currentTarget } from './stream/target.ts';
import { type CompiledTopic, compileGroup, type GroupLag, type TrajectoryTopic } from './transport/transport.ts';

/** Of a pipe, what is asked. Null is what other processes do. */
export interface Standing {
  capture: { journal: Journal; source: Source; requests: Requests } | null;
  compile: object | null;
  sinks: readonly { name: string }[];
  trajectories: Pick<TrajectoryTopic, 'lags'> | null;
  compiled: Pick<CompiledTopic, 'lags'> | null;
  readiness: Readiness;
}

/** What is needed here and was away when it was last asked; null for nothing. */
export function awayFrom({ capture: capturing, readiness }: Standing): string | null {
  const source = capturing?.source.status().connected === false ? 'not connected to Postgres' : null;
  const reasons = [source, readiness.away()].filter((reason) => reason !== null);
  return reasons.length === 0 ? null : reasons.join('\n');
}

/** Of every topic that can be asked just now. */
export async function lagsOf(parts: Standing): Promise<GroupLag[]> {
  const asked = await Promise.all(topicsOf(parts).map((topic) => lagsOrNull(topic, parts)));
  return asked.flatMap((lags) => lags ?? []);
}

function topicsOf({ trajectories, compiled }: Standing): { name: string; lags(): Promise<GroupLag[]> }[] {
  return [
    ...(trajectories === null ? [] : [{ name: 'trajectories', lags: () => trajectories.lags() }]),
    ...(compiled === null ? [] : [{ name: 'compiled', lags: () => compiled.lags() }]),
  ];
}

/** Brokers and databases that are away are asked for longer than a scrape, a status line or a stop may wait. */
const answerWithinMs = 3000;

/** Null where the topic can't be asked just now. */
async function lagsOrNull(
  { name, lags }: ReturnType<typeof topicsOf>[number],
  { readiness }: Standing,
): Promise<GroupLag[] | null> {
  try {
    return (await within(answerWithinMs, readiness.attempt(`the topic ${name}`, lags))) ?? null;
  } catch (error) {
    if (kindOf(error) === 'retry') return null;
    throw error;
  }
}

/** Of the current day and month; empty where no model is called, or the books can't be read just now. */
export async function spendingOf(compiling: { spending(): Promise<BudgetLevel[]> } | null): Promise<BudgetLevel[]> {
  const levels = compiling?.spending().catch(() => []);
  return (await within(answerWithinMs, levels ?? Promise.resolve([]))) ?? [];
}

const watchEveryMs = 200;

export interface End {
  config: Config;
  feed?: Promise<void> | undefined;
  until: 'stopped' | 'once' | 'idle';
}

/** Resolves when everything committed by now was taken in, nothing is in work and, for `idle`, no part is open. */
export async function untilDone(
  parts: Standing,
  { config, feed, until }: End,
  captured: { all: boolean },
  signal: AbortSignal,
): Promise<void> {
  await feed;
  const { journal, requests } = parts.capture ?? {};
  const at = journal === undefined ? 0 : (await currentTarget(urlOf(config))).at;
  const quiet = () => journal === undefined || ((journal.watermark ?? 0) >= at && journal.totals().open === 0);
  const asked = () => (requests?.next() ?? null) !== null || (journal?.injection ?? null) !== null;
  const taken = () => (until === 'once' ? captured.all : quiet() && !asked());
  while (!signal.aborted && !(taken() && (await isIdle(parts)))) await pause(watchEveryMs, signal);
}

/** Nothing waits for a part that runs in this process. */
async function isIdle(parts: Standing): Promise<boolean> {
  if ((parts.capture?.journal.outbox.depth() ?? 0) > 0) return false;
  const mine = new Set([...(parts.compile === null ? [] : [compileGroup]), ...parts.sinks.map(({ name }) => name)]);
  for (const topic of topicsOf(parts)) {
    const lags = await lagsOrNull(topic, parts);
    if (lags === null || lags.some(({ group, lag }) => mine.has(group) && lag.messages > 0)) return false;
  }
  return true;
}
