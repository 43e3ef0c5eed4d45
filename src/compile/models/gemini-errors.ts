/**
 * What the provider's errors mean. The SDK gives the status and, as its message, the JSON text of the body: that text
 * is read here and never passed on, since it may repeat what was sent.
 */
import { ApiError } from '@google/genai';
import { z } from 'zod';
import { ModelFault } from './model.ts';

const bodySchema = z.object({
  error: z.object({
    status: z.string().optional(),
    message: z.string().optional(),
    details: z
      .array(
        z.object({
          reason: z.string().optional(),
          retryDelay: z.string().optional(),
          violations: z.array(z.object({ quotaId: z.string().optional() })).optional(),
        }),
      )
      .optional(),
  }),
});
type Body = z.infer<typeof bodySchema>['error'];

export function explainGemini(error: unknown, model: string): ModelFault {
  if (error instanceof ApiError) return explainStatus(error.status, bodyOf(error.message), model);
  if (error instanceof SyntaxError)
    return new ModelFault('garbled', `${model} gave an answer that is no JSON`, { kind: 'retry', mayBeBilled: true });
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  const code = typeof cause?.code === 'string' ? ` (${cause.code})` : '';
  return new ModelFault('network', `the connection to ${model} broke${code}`, { kind: 'retry', mayBeBilled: true });
}

function bodyOf(text: string): Body {
  try {
    return bodySchema.parse(JSON.parse(text)).error;
  } catch {
    return {};
  }
}

function explainStatus(status: number, body: Body, model: string): ModelFault {
  const fault = (outcome: string, kind: 'retry' | 'park' | 'stop', message: string) =>
    new ModelFault(outcome, message, { kind, mayBeBilled: false, retryAfterMs: retryDelayMs(body) });
  const said = `${status}${body.status === undefined ? '' : ` ${body.status.slice(0, 60)}`}`;
  if (status === 401 || status === 403 || isBadKey(body))
    return fault(
      'key_refused',
      'stop',
      `the Gemini API refused the key (${said}): check gemini.apiKey (TC_GEMINI_API_KEY or GEMINI_API_KEY), that the key may use the Gemini API and ${model}, and that billing is active`,
    );
  if (status === 404)
    return fault('not_served', 'stop', `${model} is not served at this address (${said}): check compile.model`);
  if (status === 429 && isDailyQuota(body))
    return fault(
      'quota_exhausted',
      'stop',
      `the day's quota of ${model} is used up (${said}): it is renewed at midnight Pacific time; raise it, choose another compile.model, or start again then: what is not compiled stays queued`,
    );
  if (status === 429) return fault('rate_limited', 'retry', `${model} asks for fewer calls (${said})`);
  if (status === 408 || status >= 500) return fault('unavailable', 'retry', `${model} is not available (${said})`);
  if (body.status === 'FAILED_PRECONDITION')
    return fault(
      'precondition_failed',
      'stop',
      `the Gemini API does not serve this account or place (${said}): check billing and the list of supported countries`,
    );
  return fault(
    'request_refused',
    'park',
    `${model} refused the request (${said}): if it refuses every one, check compile.model and compile.windowTokens`,
  );
}

/** An invalid key is a 400 by status. */
function isBadKey(body: Body): boolean {
  return body.details?.some(({ reason }) => reason === 'API_KEY_INVALID' || reason === 'API_KEY_EXPIRED') ?? false;
}

function isDailyQuota(body: Body): boolean {
  return (
    body.details?.some(({ violations }) => violations?.some(({ quotaId }) => quotaId?.includes('PerDay'))) ?? false
  );
}

/** `google.rpc.RetryInfo`: `3.5s`. */
function retryDelayMs(body: Body): number | undefined {
  const text = body.details?.find(({ retryDelay }) => retryDelay !== undefined)?.retryDelay;
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(text ?? '')?.[1];
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1000);
}
