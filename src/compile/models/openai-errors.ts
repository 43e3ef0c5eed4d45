/**
 * What the errors of servers that speak the OpenAI protocol mean. Their texts are read here and never passed on, since
 * they may repeat what was sent.
 */
import { z } from 'zod';
import { redirectFault, retryAfterMs } from './faults.ts';
import type { PostAnswer } from './http-post.ts';
import { type FaultDetails, ModelFault } from './model.ts';

const text = z.string().nullish().catch(null);
const detailsSchema = z.object({
  message: text,
  type: text,
  code: z.union([z.string(), z.number()]).nullish().catch(null),
});
/** `{error: {…}}`, `{error: "…"}` (Ollama), `{message: …}` (vLLM). */
const bodySchema = z.object({ error: z.union([detailsSchema, z.string()]).nullish().catch(null), message: text });

export interface ErrorContext {
  model: string;
  /** The server's address, without credentials. */
  where: string;
  now: Date;
}

/** Too long a prompt, as OpenAI, vLLM, llama.cpp and OpenRouter say it. */
const tooLong = /context_length_exceeded|exceed_context_size|maximum context length|context (length|size|window)/i;
/** No money is left: that does not come back by itself. */
const noMoney = /insufficient_quota/i;
const overDay = /per[-_ ]day|daily/i;
const noSuchModel = /model_not_found|model\b.{0,200}\bnot found|does not exist|no such model/is;

/** Of an error's body, or of the `error` that came with a status of 200, which then names its own. */
export function explainOpenAi(answer: PostAnswer, context: ErrorContext): ModelFault {
  const { model, where, now } = context;
  const said = saidIn(answer.text);
  const status = answer.status === 200 ? (said.status ?? 502) : answer.status;
  const after = retryAfterMs(answer.headers.get('retry-after'), now);
  const fault = (outcome: string, kind: FaultDetails['kind'], message: string, more: Partial<FaultDetails> = {}) =>
    new ModelFault(outcome, message, { kind, mayBeBilled: false, retryAfterMs: after, ...more });

  if (status >= 300 && status < 400) return redirectFault(where, 'openai.baseUrl', status);
  if (status === 401 || status === 403)
    return fault('key_refused', 'stop', `${where} refused the key (${status}): check openai.apiKey`);
  if (status === 402)
    return fault('not_paid', 'stop', `${where} asks for credit (${status}): the account has none left`);
  if (status === 429 && (noMoney.test(said.text) || overDay.test(said.text))) {
    const message = `the quota of ${model} at ${where} is used up (${status}): raise it, or start again when it is renewed: what is not compiled stays queued`;
    const resumeAt = renewal(answer.headers, now) ?? (noMoney.test(said.text) ? null : nextDay(now));
    return fault('quota_exhausted', 'stop', message, resumeAt === null ? {} : { resumeAt });
  }
  if (status === 429) return fault('rate_limited', 'retry', `${where} asks for fewer calls (${status})`);
  if (status === 413 || tooLong.test(said.text)) {
    const message = `a prompt is longer than the context of ${model} at ${where} (${status}): lower compile.windowTokens, or raise the server's context (OLLAMA_CONTEXT_LENGTH, --max-model-len, --ctx-size)`;
    return fault('context_exceeded', 'park', message);
  }
  if (status === 404 || status === 405 || (status < 500 && noSuchModel.test(said.text))) {
    const message = `${model} is not served at ${where} (${status}): check compile.model and openai.baseUrl, which ends in /v1 as a rule; Ollama has to be told to fetch a model (ollama pull)`;
    return fault('not_served', 'stop', message);
  }
  if (status === 408 || status >= 500) return fault('unavailable', 'retry', `${where} is not available (${status})`);
  const message = `${model} at ${where} refused the request (${status}): if it refuses every one, check compile.model and compile.windowTokens`;
  return fault('request_refused', 'park', message);
}

const maxSaidChars = 4_000;

function saidIn(body: string): { text: string; status: number | null } {
  try {
    const { error, message } = bodySchema.parse(JSON.parse(body));
    if (typeof error === 'string') return { text: error.slice(0, maxSaidChars), status: null };
    const { code } = error ?? {};
    const words = [code, error?.type, error?.message, message].filter((word) => word !== null && word !== undefined);
    const status = Number(code);
    return { text: words.join(' ').slice(0, maxSaidChars), status: status >= 400 && status < 600 ? status : null };
  } catch {
    return { text: '', status: null };
  }
}

/** OpenRouter: milliseconds since the epoch. Null where it is not said, or is long past or far off. */
function renewal(headers: Headers, now: Date): Date | null {
  const at = Number(headers.get('x-ratelimit-reset') ?? Number.NaN);
  const awayMs = at - now.getTime();
  return awayMs > 0 && awayMs < 7 * 86_400_000 ? new Date(at) : null;
}

/** Where nobody says when: midnight UTC, as most have it. Whoever waits looks before that, now and then. */
function nextDay(now: Date): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1));
}
