/** What came of an attempt, to each who has to know: the breaker, the limits, whoever asked. */
import { exitCodes, OperatorError, park, stop } from '../../errors.ts';
import type { ModelCall } from '../../records.ts';
import type { Sign } from './breaker.ts';
import { ModelFault, type ModelReply } from './model.ts';

/** Turned away for want of room. */
export const isShed = (outcome: string) => outcome === 'rate_limited' || outcome === 'unavailable';

/** A page of somebody else's in place of an answer, as of a portal or a wrong address, is none either. */
const failing = new Set(['unavailable', 'timeout', 'network', 'garbled']);

/** To the breaker. */
export function signOf(result: ModelReply | ModelFault, serviceTier: string): Sign {
  if (!(result instanceof ModelFault)) return 'answered';
  const { outcome } = result;
  // That half the price is not to be had says nothing of the full one.
  if (outcome === 'aborted' || (serviceTier === 'flex' && isShed(outcome))) return 'unknown';
  return failing.has(outcome) ? 'failed' : 'answered';
}

/** Tokens that count towards a minute's: none where nothing was done, null where that is not known. */
export function tokensOf({ promptTokens, outputTokens, thinkingTokens }: ModelCall, result: ModelReply | ModelFault) {
  if (result instanceof ModelFault && !result.mayBeBilled) return 0;
  return promptTokens === null ? null : promptTokens + (outputTokens ?? 0) + (thinkingTokens ?? 0);
}

/** Whatever is asked for: a wait that is a server's mistake must not keep a message from its topic for years. */
const longestAskedMs = 3_600_000;
/** Limits that nobody puts a time to are of a minute, as a rule. */
const rateLimitMs = 30_000;

/** A rate limit is nobody's fault, and is over by itself: who runs for ever waits for that, and no attempt is counted. */
export function errorOf(fault: ModelFault, attempts: number, at: Date): OperatorError {
  const code = `model_${fault.outcome}`;
  const { message, resumeAt, retryAfterMs } = fault;
  if (fault.kind === 'stop') {
    const exitCode = fault.outcome === 'quota_exhausted' ? exitCodes.budget : exitCodes.configuration;
    return stop(code, message, { exitCode, ...(resumeAt === undefined ? {} : { resumeAt }) });
  }
  if (fault.kind === 'park') return park(code, message);
  const tried = `${message}, tried ${attempts} ${attempts === 1 ? 'time' : 'times'}`;
  const asked = retryAfterMs === undefined ? null : Math.min(retryAfterMs, longestAskedMs);
  return new OperatorError(tried, {
    kind: 'retry',
    code,
    ...(asked === null ? {} : { retryAfterMs: asked }),
    ...(fault.outcome === 'rate_limited' ? { resumeAt: new Date(at.getTime() + (asked ?? rateLimitMs)) } : {}),
  });
}
