/** Waiting for what comes back by itself: a new day's budget or quota, a model that is away or asks for fewer calls. Nothing is lost or parked. */
import { codeOf, exitCodes, messageOf, OperatorError, stop } from './errors.ts';
import { pause } from './lifecycle.ts';
import type { Logger } from './log.ts';

export interface Pause {
  code: string;
  message: string;
  until: Date;
}

export interface Pauses {
  /** The one that lasts longest; null while nothing waits. */
  current(): Pause | null;
  /**
   * Does `work`, and where it throws an error with `resumeAt`, waits and does it again.
   *
   * @throws whatever else it throws; that error, where it is one not to be waited for; as a stop, where the signal fires
   * meanwhile: whoever was only told to end has not failed.
   */
  outlast<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** Looked again at least so often: a cap may have been raised, a bill corrected. Timers reach no further than 24 days. */
const lookAgainMs = 15 * 60_000;
/** However near or past the moment that was named. */
const shortestMs = 500;

export interface PausesOptions {
  /** False for those who want to end: they wait for a model that is away, not for the money of another day. */
  waitsForMoney: boolean;
  /** False for a command that somebody looks at: it ends where a model is away, and waits only to send less. */
  waitsForModel?: boolean;
  log: Logger;
}

export function createPauses({ waitsForMoney, waitsForModel = true, log }: PausesOptions): Pauses {
  const waiting = new Set<Pause>();

  function begin(pause: Pause): void {
    if (![...waiting].some(({ code }) => code === pause.code))
      log.warn({ code: pause.code, until: pause.until.toISOString() }, `compiling waits: ${pause.message}`);
    waiting.add(pause);
  }

  function end(pause: Pause, signal: AbortSignal): void {
    waiting.delete(pause);
    if (!signal.aborted && ![...waiting].some(({ code }) => code === pause.code))
      log.info({ code: pause.code }, 'compiling tries again');
  }

  return {
    current: () => [...waiting].sort((a, b) => b.until.getTime() - a.until.getTime())[0] ?? null,
    async outlast(work, signal) {
      for (;;) {
        try {
          return await work();
        } catch (error) {
          const resumeAt = resumeOf(error, { waitsForMoney, waitsForModel });
          if (resumeAt === null) throw error;
          if (signal.aborted) throw asStop(error);
          const pausing = { code: codeOf(error), message: messageOf(error), until: resumeAt };
          begin(pausing);
          await pause(Math.min(Math.max(shortestMs, resumeAt.getTime() - Date.now()), lookAgainMs), signal);
          end(pausing, signal);
          if (signal.aborted) throw asStop(error);
        }
      }
    },
  };
}

function resumeOf(
  error: unknown,
  { waitsForMoney, waitsForModel }: Record<'waitsForMoney' | 'waitsForModel', boolean>,
) {
  if (!(error instanceof OperatorError) || error.resumeAt === undefined) return null;
  // A rate limit: over in a moment, for everybody.
  if (error.kind === 'retry') return error.resumeAt;
  return (error.exitCode === exitCodes.budget ? waitsForMoney : waitsForModel) ? error.resumeAt : null;
}

/** Whether this is what {@link Pauses.outlast} ends with when it is told to stop while it waits. */
export function isUnfinishedPause(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && error instanceof OperatorError && error.resumeAt !== undefined;
}

function asStop(error: unknown): unknown {
  if (!(error instanceof OperatorError) || error.kind === 'stop') return error;
  const { code, message, exitCode, resumeAt, cause } = error;
  return stop(code, message, { exitCode, cause, ...(resumeAt === undefined ? {} : { resumeAt }) });
}
