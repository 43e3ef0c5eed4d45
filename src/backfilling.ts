/**
 * Has rows of the table taken in beside the stream, by whichever process captures into the data directory: the one that
 * runs, or this one for as long as it takes.
 */
import { randomUUID } from 'node:crypto';
import type { Config } from './config.ts';
import { codeOf, messageOf, stop } from './errors.ts';
import { pause } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { createMetrics } from './metrics/registry.ts';
import { openPipeline } from './pipeline.ts';
import { type BackfillRequest, openRequests, type RequestState, type Requests } from './requests.ts';
import { lockDataDir } from './sessionizer/lock.ts';
import { filesOf } from './stages.ts';

export interface BackfillOptions {
  config: Config;
  log: Logger;
  version: string;
  drain: AbortSignal;
  abort: AbortSignal;
  /** Told now and then how it stands, and whether a capture that was running works on it. */
  onProgress: (state: RequestState, elsewhere: boolean) => void;
}

const lookEveryMs = 300;

/**
 * Resolves when the rows are in the journal and what was sealed of them is published; early, with a state that is not
 * final, where `drain` fires: whoever captures next goes on with it.
 *
 * @throws OperatorError `backfill_failed`, and where no capture runs as `openPipeline` does.
 */
export async function submitBackfill(
  request: Omit<BackfillRequest, 'id'>,
  options: BackfillOptions,
): Promise<RequestState> {
  const requests = openRequests(filesOf(options.config).requests);
  try {
    const id = randomUUID();
    requests.submit({ ...request, id });
    try {
      return await finish(id, requests, options);
    } catch (error) {
      // What was refused before it began is not left for a later start to do, unasked.
      if (requests.stateOf(id)?.state === 'waiting') requests.update(id, { state: 'failed', error: messageOf(error) });
      throw error;
    }
  } finally {
    requests.close();
  }
}

/** As {@link submitBackfill}, of a request that is there. */
export async function finishBackfill(id: string, options: BackfillOptions): Promise<RequestState> {
  const requests = openRequests(filesOf(options.config).requests);
  try {
    return await finish(id, requests, options);
  } finally {
    requests.close();
  }
}

async function finish(id: string, requests: Requests, options: BackfillOptions): Promise<RequestState> {
  const { drain, onProgress } = options;
  const look = () => requests.stateOf(id)!;
  const isFinal = () => ['done', 'failed'].includes(look().state);
  while (!isFinal() && !drain.aborted) {
    const elsewhere = captureRuns(options.config);
    if (elsewhere) await pause(lookEveryMs, drain);
    else await captureUntil(isFinal, options, () => onProgress(look(), false));
    onProgress(look(), elsewhere);
  }
  const state = look();
  if (state.state === 'failed') throw stop('backfill_failed', state.error ?? 'the request failed');
  return state;
}

function captureRuns(config: Config): boolean {
  try {
    lockDataDir(config.dataDir).release();
    return false;
  } catch (error) {
    if (codeOf(error) === 'data_dir_locked') return true;
    throw error;
  }
}

/** Captures here, and nothing else, until it is done and published. */
async function captureUntil(
  isDone: () => boolean,
  { config, log, version, drain, abort }: BackfillOptions,
  onLook: () => void,
): Promise<void> {
  const done = new AbortController();
  const drained = AbortSignal.any([drain, done.signal]);
  const alone: Config = { ...config, roles: ['capture'] };
  const metrics = createMetrics(version);
  const pipeline = await openPipeline({
    config: alone,
    from: 'now',
    until: 'stopped',
    log,
    metrics,
    drain: drained,
    abort,
  });
  const watch = async () => {
    while (!drained.aborted && !(isDone() && pipeline.capture?.journal.outbox.depth() === 0)) {
      onLook();
      await pause(lookEveryMs, drained);
    }
    done.abort();
  };
  try {
    await Promise.all([pipeline.run().finally(() => done.abort()), watch()]);
  } finally {
    await pipeline.close();
  }
}
