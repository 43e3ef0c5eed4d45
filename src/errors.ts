/**
 * Errors are classified once, where they are understood, and the class decides what happens next: `retry` what may
 * pass by itself, `park` what concerns one message alone, `stop` what only an operator can mend.
 */

/** Exit codes of the command line. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  configuration: 3,
  budget: 4,
  sourceUnavailable: 5,
  partial: 6,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export type ErrorKind = 'retry' | 'park' | 'stop';

export interface ErrorDetails {
  kind: ErrorKind;
  /** Stable, snake_case: a metric label and what a runbook is found under. */
  code: string;
  exitCode?: ExitCode;
  /** Milliseconds that the other side asked us to wait. */
  retryAfterMs?: number;
  /** From when on it may go on by itself, as with the budget of a new day or a rate limit: whoever can waits for that. */
  resumeAt?: Date;
  cause?: unknown;
}

/**
 * What went wrong, to what, with which value, and what to do, in one sentence an operator can act on. The message never
 * holds row contents, credentials or prompts.
 */
export class OperatorError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly retryAfterMs: number | undefined;
  readonly resumeAt: Date | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'OperatorError';
    this.kind = details.kind;
    this.code = details.code;
    this.exitCode = details.exitCode ?? exitCodes.failed;
    this.retryAfterMs = details.retryAfterMs;
    this.resumeAt = details.resumeAt;
  }
}

/** The source, the settings or a file is in a state that waiting does not mend. */
export function stop(
  code: string,
  message: string,
  more: { exitCode?: ExitCode; resumeAt?: Date; cause?: unknown } = {},
): OperatorError {
  return new OperatorError(message, { kind: 'stop', code, ...more });
}

/** May pass by itself: a connection that broke, a server that is starting. */
export function retry(
  code: string,
  message: string,
  more: { exitCode?: ExitCode; retryAfterMs?: number; cause?: unknown } = {},
): OperatorError {
  return new OperatorError(message, { kind: 'retry', code, ...more });
}

/** Concerns one message alone: it goes to the dead letters, the rest goes on. */
export function park(code: string, message: string, more: { cause?: unknown } = {}): OperatorError {
  return new OperatorError(message, { kind: 'park', code, ...more });
}

/** What to do about anything thrown; what nobody classified is retried, since it may be a passing fault. */
export function kindOf(error: unknown): ErrorKind {
  return error instanceof OperatorError ? error.kind : 'retry';
}

export function codeOf(error: unknown): string {
  if (error instanceof OperatorError) return error.code;
  return 'unexpected';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
