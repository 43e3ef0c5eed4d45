/** What was looked at before something is trusted, what was found, and what to do about it. A leaf. */
import { type ExitCode, exitCodes, kindOf, OperatorError, stop } from './errors.ts';

export interface Check {
  /** Stable, snake_case; of a failure it is the code of the error too. */
  name: string;
  outcome: 'ok' | 'warning' | 'failure';
  /** What was found, and what it means. */
  sentence: string;
  /** The statement or the setting that mends it; null where nothing is to be done, or the sentence says it. */
  remedy: string | null;
  /** Of the command that can't go on because of it; of a failure alone. */
  exitCode?: ExitCode;
}

export function ok(name: string, sentence: string): Check {
  return { name, outcome: 'ok', sentence, remedy: null };
}

export function warning(name: string, sentence: string, remedy: string | null): Check {
  return { name, outcome: 'warning', sentence, remedy };
}

export function failure(name: string, sentence: string, remedy: string | null): Check {
  return { name, outcome: 'failure', sentence, remedy, exitCode: exitCodes.configuration };
}

/** What an error says, mending it included. What may pass by itself is away, where nothing else is said of it. */
function failureOf(error: OperatorError): Check {
  const { code, message } = error;
  const away = kindOf(error) === 'retry' && error.exitCode === exitCodes.failed;
  const exitCode = away ? exitCodes.sourceUnavailable : error.exitCode;
  return { name: code, outcome: 'failure', sentence: message, remedy: null, exitCode };
}

/** In one line. */
export function sentenceOf({ sentence, remedy }: Pick<Check, 'sentence' | 'remedy'>): string {
  return remedy === null ? sentence : `${sentence}: ${remedy}`;
}

/** @throws OperatorError of the first failure. */
export function refuse(checks: readonly Check[]): void {
  const failed = checks.find(({ outcome }) => outcome === 'failure');
  if (failed === undefined) return;
  throw stop(failed.name, sentenceOf(failed), { exitCode: failed.exitCode ?? exitCodes.configuration });
}

/** Checks as they are made; a failure that is thrown is one of them, and does not end the list. */
export class Checklist {
  readonly checks: Check[] = [];

  add(...checks: readonly (Check | null)[]): void {
    this.checks.push(...checks.filter((check) => check !== null));
  }

  /**
   * What `work` resolves with, or null where it threw an OperatorError, which is on the list then. With `name`, that it
   * worked is on the list too.
   */
  async attempt<T>(name: string, work: () => T | Promise<T>, found?: (result: T) => string): Promise<T | null> {
    try {
      const result = await work();
      if (found !== undefined) this.add(ok(name, found(result)));
      return result;
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      this.add(failureOf(error));
      return null;
    }
  }
}
