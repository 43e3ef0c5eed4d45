/**
 * The one door to models: every call passes here, is limited in number and time, tried again where that helps, priced,
 * and on disk before its answer is used.
 */
import { randomUUID } from 'node:crypto';
import PQueue from 'p-queue';
import { crashPoint } from '../../crash-points.ts';
import { exitCodes, OperatorError, park, retry, stop } from '../../errors.ts';
import { backoffMs, pause } from '../../lifecycle.ts';
import type { ModelCall } from '../../records.ts';
import type { Budget } from '../budget/budget.ts';
import type { CallStore } from '../calls.ts';
import { digestOf } from '../digest.ts';
import { type Model, ModelFault, type ModelReply, type ModelRequest, noUsage } from './model.ts';
import { createPricing, type Priced, type PriceTable } from './prices.ts';

export interface DoorOptions {
  model: Model;
  calls: CallStore;
  prices?: PriceTable;
  /** Calls in flight at once. */
  concurrency?: number;
  /** Of one attempt. */
  timeoutMs?: number;
  /** Attempts of one question before the message is given back to the topic. */
  maxAttempts?: number;
  /** Longer waits are left to the topic, which holds no worker meanwhile. */
  maxWaitMs?: number;
  backoff?: { baseMs: number; maxMs: number };
  /** Reserves what a call may cost, settles what it did; null where there is no cap. */
  budget?: Budget | null;
  /** Kinds of personal data or secrets that stand in a text for certain: a prompt that holds one is not sent. */
  leaks?: (text: string) => string[];
  /** Hears of each call that was made now, not of reused ones: for metrics. */
  onCall?: (call: ModelCall) => void;
  now?: () => Date;
  random?: () => number;
}

export interface Question {
  request: ModelRequest;
  segmentId: string;
  trajectoryId: string;
  /** Who did most of it: budgets are shared out by agent. */
  agent: string | null;
  stage: ModelCall['stage'];
  /** Ask again although the answer is known. */
  fresh: boolean;
}

export interface Answer {
  reply: ModelReply;
  /** Every attempt, the one that answered last. */
  calls: ModelCall[];
}

export interface Door {
  readonly model: Model;
  /**
   * The answer, from the call store where it is known: then its call says `reused`.
   *
   * @throws OperatorError `retry` where it may be answered later, `stop` where only an operator can help, `park` where
   * this question alone is refused (`redaction_leak` where its prompt holds what redaction should have taken out),
   * BudgetRefusal where a cap stands against it; the signal's reason where it fired.
   */
  ask(question: Question, signal: AbortSignal): Promise<Answer>;
  status(): DoorStatus;
}

export interface DoorStatus {
  provider: string;
  model: string;
  inFlight: number;
  waiting: number;
}

export function createDoor(options: DoorOptions): Door {
  const { model, calls, concurrency = 4, maxAttempts = 4, maxWaitMs = 60_000, timeoutMs = 120_000 } = options;
  const { backoff = { baseMs: 1_000, maxMs: 30_000 }, random = Math.random, now = () => new Date() } = options;
  const price = createPricing(options.prices);
  const queue = new PQueue({ concurrency });
  /** Questions that are being looked up or asked, by the key of their answer. */
  const asking = new Map<string, Promise<Answer>>();

  async function ask(question: Question, signal: AbortSignal): Promise<Answer> {
    refuseLeaks(question);
    const key = answerKey(model, question.request);
    if (question.fresh) return askModel(question, key, signal);
    // Nobody pays for what another is about to have. It is on disk then, unless whoever asked gave up.
    for (let other = asking.get(key); other !== undefined; other = asking.get(key)) await over(other, signal);
    const answer = lookUp(question, key, signal);
    asking.set(key, answer);
    try {
      return await answer;
    } finally {
      asking.delete(key);
    }
  }

  /** The last guard before text leaves: every prompt passes here. */
  function refuseLeaks({ request }: Question): void {
    const found = options.leaks?.(request.prompt) ?? [];
    if (found.length === 0) return;
    throw park(
      'redaction_leak',
      `a prompt for ${model.name} still held ${found.join(', ')} after redaction and was not sent: its trajectory waits among the dead letters (dlq list); the kinds may be allowed by redact.policy`,
    );
  }

  async function lookUp(question: Question, key: string, signal: AbortSignal): Promise<Answer> {
    const known = await calls.answer(key);
    if (known === null) return askModel(question, key, signal);
    return { reply: JSON.parse(known.reply) as ModelReply, calls: [reused(known.call, question.segmentId)] };
  }

  async function askModel(question: Question, key: string, signal: AbortSignal): Promise<Answer> {
    const made: ModelCall[] = [];
    for (let attempt = 1; ; attempt++) {
      const tried = await queue.add(() => tryOnce(question, key, signal));
      made.push(tried.call);
      if ('reply' in tried) return { reply: tried.reply, calls: made };
      signal.throwIfAborted();
      const waitMs = Math.max(tried.fault.retryAfterMs ?? 0, backoffMs(attempt, { ...backoff, random }));
      if (tried.fault.kind !== 'retry' || attempt >= maxAttempts || waitMs > maxWaitMs)
        throw errorOf(tried.fault, attempt);
      await pause(waitMs, signal);
      signal.throwIfAborted();
    }
  }

  /** One attempt, recorded whatever comes of it. */
  async function tryOnce(question: Question, key: string, signal: AbortSignal) {
    signal.throwIfAborted();
    const startedAt = now();
    const from = performance.now();
    const limit = AbortSignal.timeout(timeoutMs);
    const result = await attemptOf(model, question.request, AbortSignal.any([signal, limit])).catch((error: unknown) =>
      faultOf(error, { signal, limit, timeoutMs, model: model.name }),
    );
    const call = callOf(question, startedAt, performance.now() - from, result);
    const answered = !(result instanceof ModelFault);
    await calls.record(call, answered ? { key, reply: JSON.stringify(result) } : undefined);
    crashPoint('compile.recorded');
    options.onCall?.(call);
    return answered ? { call, reply: result } : { call, fault: result };
  }

  function callOf(question: Question, startedAt: Date, durationMs: number, result: ModelReply | ModelFault): ModelCall {
    const reply = result instanceof ModelFault ? null : result;
    const usage = reply?.usage ?? noUsage;
    const { provider, serviceTier } = model;
    const priced: Priced = { provider, serviceTier, model: reply?.model ?? null, usage, at: startedAt };
    const free = result instanceof ModelFault && !result.mayBeBilled;
    return {
      id: randomUUID(),
      segmentId: question.segmentId,
      stage: question.stage,
      provider: model.provider,
      requestedModel: model.name,
      model: reply?.model ?? null,
      serviceTier: model.serviceTier,
      promptHash: promptHash(question.request),
      ...usage,
      ...(free ? { costUsd: 0, costSource: 'not_billed' } : price(priced)),
      startedAt: startedAt.toISOString(),
      durationMs: Math.round(durationMs),
      outcome: result instanceof ModelFault ? result.outcome : 'ok',
      finishReason: reply?.finishReason ?? reply?.blockReason ?? null,
      parseMode: null,
    };
  }

  const status = () => ({ provider: model.provider, model: model.name, inFlight: queue.pending, waiting: queue.size });
  return { model, ask, status };
}

/**
 * Waits for another's question.
 *
 * @throws OperatorError where it was refused or found no answer: so would this one be. The signal's reason where it fired.
 */
async function over(other: Promise<Answer>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  const ended = other.catch((error: unknown) => {
    if (error instanceof OperatorError) throw error;
  });
  try {
    await Promise.race([ended, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** A model that throws before it returns a promise is caught like any other. */
async function attemptOf(model: Model, request: ModelRequest, signal: AbortSignal): Promise<ModelReply> {
  return model.generate(request, signal);
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

function errorOf(fault: ModelFault, attempts: number): OperatorError {
  const code = `model_${fault.outcome}`;
  if (fault.kind === 'stop') {
    const exitCode = fault.outcome === 'quota_exhausted' ? exitCodes.budget : exitCodes.configuration;
    return stop(code, fault.message, { exitCode });
  }
  if (fault.kind === 'park') return park(code, fault.message);
  const message = `${fault.message}, tried ${attempts} ${attempts === 1 ? 'time' : 'times'}`;
  return retry(code, message, fault.retryAfterMs === undefined ? {} : { retryAfterMs: fault.retryAfterMs });
}

export function promptHash({ system, prompt, schema }: ModelRequest): string {
  return digestOf('prompt', system, prompt, JSON.stringify(schema));
}

/** The service tier is left out: it changes the price, not the answer. */
function answerKey(model: Model, request: ModelRequest): string {
  const { provider, name, settings } = model;
  return digestOf('answer', promptHash(request), provider, name, settings, String(request.maxOutputTokens));
}

/**
 * For the segment that paid for it, the call is the one that was recorded: same id, same cost, so that it is in the
 * dataset once. For any other segment it is a call of its own that cost nothing.
 */
function reused(call: ModelCall, segmentId: string): ModelCall {
  if (call.segmentId === segmentId) return { ...call, outcome: 'reused' };
  const nothing = { promptTokens: 0, cachedTokens: 0, outputTokens: 0, thinkingTokens: 0, durationMs: 0 };
  const id = digestOf('reused', call.id, segmentId);
  return { ...call, ...nothing, id, segmentId, outcome: 'reused', costUsd: 0, costSource: 'reused' };
}
