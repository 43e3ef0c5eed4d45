/**
 * What the provider's errors mean. The SDK gives the status and, as its message, the JSON text of the body: that text
 * is read here and never passed on, since it may repeat what was sent.
 */
import { ApiError } from '@google/genai';
import { z } from 'zod';
import { connectionFault, redirectFault } from './faults.ts';
import { Redirected } from './http-post.ts';
import { type FaultDetails, ModelFault } from './model.ts';
import { quotaRenewal } from './pacific-day.ts';

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

/** What is said of the two ways to the same models. */
export interface Way {
  api: string;
  /** What to check where access is refused. */
  access: string;
  address: string;
}

export const geminiApi: Way = {
  api: 'the Gemini API',
  access: 'gemini.apiKey (TC_GEMINI_API_KEY or GEMINI_API_KEY), that the key may use the Gemini API',
  address: 'gemini.baseUrl',
};
export const vertexApi: Way = {
  api: 'Vertex AI',
  access:
    'the credentials (GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login), that they may use Vertex AI (roles/aiplatform.user) in vertex.project',
  address: 'vertex.location',
};

export function explainGemini(error: unknown, model: string, way: Way, now: Date): ModelFault {
  if (error instanceof ApiError) return explainStatus(error.status, bodyOf(error.message), { model, way, now });
  if (error instanceof SyntaxError)
    return new ModelFault('garbled', `${model} gave an answer that is no JSON`, { kind: 'retry', mayBeBilled: true });
  if (error instanceof Redirected) return redirectFault(way.api, way.address, error.status);
  if (isWithoutCredentials(error))
    return new ModelFault('key_refused', `${way.api} can't be asked without credentials: check ${way.access}`, {
      kind: 'stop',
      mayBeBilled: false,
    });
  return connectionFault(error, model);
}

/** Google's library found none, or who gives out tokens refused them. */
function isWithoutCredentials(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (/default credentials|invalid_grant|invalid_client|invalid_rapt/i.test(error.message)) return true;
  const { status } = error as { status?: unknown };
  return status === 400 || status === 401 || status === 403;
}

function bodyOf(text: string): Body {
  try {
    return bodySchema.parse(JSON.parse(text)).error;
  } catch {
    return {};
  }
}

interface Asked {
  model: string;
  way: Way;
  now: Date;
}

function explainStatus(status: number, body: Body, { model, way, now }: Asked): ModelFault {
  const fault = (outcome: string, kind: FaultDetails['kind'], message: string, more: Partial<FaultDetails> = {}) =>
    new ModelFault(outcome, message, { kind, mayBeBilled: false, retryAfterMs: retryDelayMs(body), ...more });
  const said = `${status}${body.status === undefined ? '' : ` ${body.status.slice(0, 60)}`}`;
  if (status === 401 || status === 403 || isBadKey(body)) {
    const message = `${way.api} refused the key (${said}): check ${way.access} and ${model}, and that billing is active`;
    return fault('key_refused', 'stop', message);
  }
  if (status === 404)
    return fault('not_served', 'stop', `${model} is not served at this address (${said}): check compile.model`);
  if (status === 429 && isDailyQuota(body)) {
    const message = `the day's quota of ${model} is used up (${said}): it is renewed at midnight Pacific time; raise it, choose another compile.model, or start again then: what is not compiled stays queued`;
    return fault('quota_exhausted', 'stop', message, { resumeAt: quotaRenewal(now) });
  }
  if (status === 429) return fault('rate_limited', 'retry', `${model} asks for fewer calls (${said})`);
  if (status === 408 || status >= 500) return fault('unavailable', 'retry', `${model} is not available (${said})`);
  if (body.status === 'FAILED_PRECONDITION') {
    const message = `${way.api} does not serve this account or place (${said}): check billing and the list of supported countries`;
    return fault('precondition_failed', 'stop', message);
  }
  const message = `${model} refused the request (${said}): if it refuses every one, check compile.model and compile.windowTokens`;
  return fault('request_refused', 'park', message);
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
