/** One attempt to ask a model: what came of it as a call, with tokens and cost. */
import { randomUUID } from 'node:crypto';
import type { ModelCall } from '../../records.ts';
import { digestOf } from '../digest.ts';
import { type Billing, type Model, ModelFault, type ModelReply, type ModelRequest, noUsage } from './model.ts';
import type { Cost, Priced } from './prices.ts';
import type { Question } from './question.ts';

export interface Attempt {
  /** The call's id, and its reservation's. */
  id: string;
  question: Question;
  serviceTier: string;
  /** The one before it, which failed; null for the first. */
  before: ModelCall | null;
}

/** What is asked of the model, and by what its time is limited. */
export interface AttemptLimits {
  signal: AbortSignal;
  timeoutMs: number;
}

export interface Timed {
  startedAt: Date;
  durationMs: number;
  result: ModelReply | ModelFault;
}

/** Never throws: what went wrong is a fault. */
export async function attempt(
  model: Model,
  { question, serviceTier }: Attempt,
  { signal, timeoutMs }: AttemptLimits,
  now: () => Date,
): Promise<Timed> {
  const startedAt = now();
  const from = performance.now();
  const limit = AbortSignal.timeout(timeoutMs);
  const both = AbortSignal.any([signal, limit]);
  const result = await generate(model, question.request, both, serviceTier).catch((error: unknown) =>
    faultOf(error, { signal, limit, timeoutMs, model: model.name }),
  );
  return { startedAt, durationMs: performance.now() - from, result };
}

/** A model that throws before it returns a promise is caught like any other. */
async function generate(model: Model, request: ModelRequest, signal: AbortSignal, serviceTier: string) {
  return model.generate(request, signal, { serviceTier });
}

interface Limits {
  signal: AbortSignal;
  limit: AbortSignal;
  timeoutMs: number;
  model: string;
}

/** A call that was cut short may be billed all the same. */
function faultOf(error: unknown, { signal, limit, timeoutMs, model }: Limits): ModelFault {
  if (signal.aborted) return new ModelFault('aborted', 'given up', { kind: 'retry', mayBeBilled: true });
  if (limit.aborted) {
    const message = `${model} did not answer within ${timeoutMs} ms`;
    return new ModelFault('timeout', message, { kind: 'retry', mayBeBilled: true });
  }
  if (error instanceof ModelFault) return error;
  return new ModelFault('unexpected', `${model} could not be asked`, { kind: 'retry', mayBeBilled: true });
}

export function billingOf(model: Model): Billing {
  return model.billing ?? { usdPerHour: null, local: false, list: { providerId: model.provider } };
}

export function callOf(
  model: Model,
  { id, question, serviceTier: asked }: Attempt,
  { startedAt, durationMs, result }: Timed,
  price: (call: Priced) => Cost,
): ModelCall {
  const fault = result instanceof ModelFault ? result : null;
  const reply = result instanceof ModelFault ? (result.reply ?? null) : result;
  const usage = reply?.usage ?? noUsage;
  const serviceTier = reply?.serviceTier ?? asked;
  const billing = billingOf(model);
  const answering = reply?.model ?? null;
  const reportedUsd = reply?.costUsd ?? null;
  const requested = model.name;
  const priced = { billing, requested, serviceTier, model: answering, usage, at: startedAt, durationMs, reportedUsd };
  const free = fault !== null && !fault.mayBeBilled && billing.usdPerHour === null;
  return {
    id,
    segmentId: question.segmentId,
    stage: question.stage,
    provider: model.provider,
    requestedModel: model.name,
    model: answering,
    serviceTier,
    promptHash: promptHash(question.request),
    ...usage,
    ...(free ? { costUsd: 0, costSource: 'not_billed' } : price(priced)),
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(durationMs),
    outcome: fault?.outcome ?? 'ok',
    finishReason: reply?.finishReason ?? reply?.blockReason ?? null,
    parseMode: null,
  };
}

export function newCallId(): string {
  return randomUUID();
}

export function promptHash({ system, prompt, schema }: ModelRequest): string {
  return digestOf('prompt', system, prompt, JSON.stringify(schema));
}

/** The service tier is left out: it changes the price, not the answer. */
export function answerKey(model: Model, request: ModelRequest): string {
  const { provider, name, settings } = model;
  return digestOf('answer', promptHash(request), provider, name, settings, String(request.maxOutputTokens));
}

/**
 * For the segment that paid for it, the call is the one that was recorded: same id, same cost, so that it is in the
 * dataset once. For any other segment it is a call of its own that cost nothing.
 */
export function reused(call: ModelCall, segmentId: string): ModelCall {
  if (call.segmentId === segmentId) return { ...call, outcome: 'reused' };
  const nothing = { promptTokens: 0, cachedTokens: 0, outputTokens: 0, thinkingTokens: 0, durationMs: 0 };
  const id = digestOf('reused', call.id, segmentId);
  return { ...call, ...nothing, id, segmentId, outcome: 'reused', costUsd: 0, costSource: 'reused' };
}
