/** What is decided about deliveries, apart from any file or timer. */
import { codeOf, kindOf, messageOf, OperatorError } from '../errors.ts';
import { type BackoffOptions, backoffMs } from '../lifecycle.ts';

export interface RetryRules {
  /** Failures of the handler after which a message is parked. */
  maxAttempts: number;
  backoff: BackoffOptions;
}

export type Decision =
  | { do: 'retry'; afterMs: number }
  | { do: 'park'; code: string; error: string }
  | { do: 'stop'; error: unknown };

/** What becomes of a message whose handler threw. `failures` counts this one. */
export function decideFailure(error: unknown, failures: number, { maxAttempts, backoff }: RetryRules): Decision {
  const kind = kindOf(error);
  if (kind === 'stop') return { do: 'stop', error };
  if (kind === 'park' || failures >= maxAttempts) return { do: 'park', code: codeOf(error), error: messageOf(error) };
  const asked = error instanceof OperatorError ? (error.retryAfterMs ?? 0) : 0;
  return { do: 'retry', afterMs: Math.max(asked, backoffMs(failures, backoff)) };
}

/**
 * Deliveries that ended without a word (the process died, or lost its lease) after which a message is parked: it may
 * well be what kills the process. Far more than restarts of an operator would bring.
 */
export const maxUnfinishedDeliveries = 25;

export function killsItsConsumer({ attempts, failures }: { attempts: number; failures: number }): boolean {
  return attempts - failures >= maxUnfinishedDeliveries;
}

const shortestPollMs = 250;
const longestPollMs = 1_000;

/** Milliseconds until the next look for messages of other processes; those of this process wake the consumer. */
export function pollMs(idleRounds: number): number {
  return Math.min(longestPollMs, shortestPollMs * 2 ** Math.max(0, Math.min(idleRounds - 1, 8)));
}

/** Milliseconds between renewals of a lease: two may fail before it is lost. */
export function renewEveryMs(leaseMs: number): number {
  return Math.max(10, Math.floor(leaseMs / 3));
}
