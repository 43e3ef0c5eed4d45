/**
 * The one door to models: every call passes here, is paid for by a budget, limited in number and time, tried again where
 * that helps, priced, and on disk before its answer is used.
 */
import { crashPoint } from '../../crash-points.ts';
import { OperatorError, park } from '../../errors.ts';
import { backoffMs, pause } from '../../lifecycle.ts';
import type { ModelCall } from '../../records.ts';
import { type Budget, BudgetRefusal, type Reservation } from '../budget/budget.ts';
import type { CallStore } from '../calls.ts';
import { type Attempt, answerKey, attempt, billingOf, callOf, newCallId, reused } from './attempt.ts';
import { type BreakerOptions, type BreakerState, createBreaker, type Pass } from './breaker.ts';
import { shutdownOf } from './capabilities.ts';
import { createLimiter, type Lease, type LimitUse } from './limiter.ts';
import { type Model, ModelFault, type ModelReply } from './model.ts';
import { orAborted } from './or-aborted.ts';
import { errorOf, isShed, signOf, tokensOf } from './outcome.ts';
import { createBound, createPricing, namesOf, type PriceTable } from './prices.ts';
import type { Answer, Question } from './question.ts';
import { estimatedTokens, mostTokens } from './tokens.ts';

export interface DoorOptions {
  model: Model;
  calls: CallStore;
  prices?: PriceTable;
  /** Calls in flight at once. */
  concurrency?: number;
  /** Of this model, begun within any minute; null for no limit. */
  requestsPerMinute?: number | null;
  /** Tokens in and out, by estimate until they are counted; null for no limit. */
  tokensPerMinute?: number | null;
  /** Of one attempt. */
  timeoutMs?: number;
  /** Attempts of one question before the message is given back to the topic. */
  maxAttempts?: number;
  /** Longer waits are left to the topic, which holds no worker meanwhile. */
  maxWaitMs?: number;
  /** Calls and waits of one question together, after which no further attempt begins. */
  maxElapsedMs?: number;
  backoff?: { baseMs: number; maxMs: number };
  breaker?: Omit<BreakerOptions, 'now'>;
  /** Reserves what a call may cost, settles what it did; null where there is no cap. */
  budget?: Budget | null;
  /**
   * Hears of a name that the model answered under and that has no price: what it costs can't be counted.
   *
   * @throws OperatorError where a cap would not hold then: nothing more is asked.
   */
  refuseUnpriced?: (name: string) => void;
  /** Kinds of personal data or secrets that stand in a text for certain: a prompt that holds one is not sent. */
  leaks?: (text: string) => string[];
  /** Hears of each call that was made now, not of reused ones: for metrics. */
  onCall?: (call: ModelCall, agent: string | null) => void;
  /** Hears of each call that is about to be made because the one before it failed: for metrics. */
  onRetry?: (before: ModelCall) => void;
  now?: () => Date;
  random?: () => number;
}

export interface DoorStatus {
  provider: string;
  model: string;
  inFlight: number;
  waiting: number;
  /** Those that are set. */
  limits: LimitUse[];
  breaker: BreakerState;
  /** While the breaker is open: when it lets a call through again. */
  resumeAt: Date | null;
  /** When the provider shuts it down, or a model that answered for it; null where nothing is announced. */
  shutdownAt: Date | null;
}

export interface Door {
  readonly model: Model;
  /** Whether what a call may cost at most is known. */
  readonly isPriced: boolean;
  /**
   * The answer, from the call store where it is known: then its call says `reused`.
   *
   * @throws OperatorError `retry` where it may be answered later (a rate limit with `resumeAt`), `stop` where only an operator can help or, with
   * `resumeAt`, waiting does (`model_unavailable`, `model_quota_exhausted`), `park` where this question alone is refused
   * (`redaction_leak` where its prompt holds what redaction should have taken out), BudgetRefusal where a cap stands
   * against it; the signal's reason where it fired.
   */
  ask(question: Question, signal: AbortSignal): Promise<Answer>;
  status(): DoorStatus;
}

/** Attempts on the flex tier that may be turned away before the standard tier is asked. */
const flexAttempts = 2;

type Tried = { call: ModelCall; reply: ModelReply } | { call: ModelCall; fault: ModelFault };

export function createDoor(options: DoorOptions): Door {
  const { model, calls, concurrency = 4, maxAttempts = 4, timeoutMs = 120_000, budget = null } = options;
  const { maxWaitMs = 60_000, maxElapsedMs = 600_000, backoff = { baseMs: 1_000, maxMs: 30_000 } } = options;
  const { random = Math.random, now = () => new Date() } = options;
  const price = createPricing(options.prices);
  const bound = createBound(options.prices);
  const limiter = createLimiter({ ...options, concurrency });
  const breaker = createBreaker(model.name, { ...options.breaker, now });
  /** Every name that it may answer under, as far as is known. */
  const names = new Set(namesOf(model.name));
  /** Questions that are being looked up or asked, by the key of their answer. */
  const asking = new Map<string, Promise<Answer>>();
  /** Failures of questions' own, by key, until they are answered: the breaker cuts attempts short, not their count. */
  const failures = new Map<string, number>();

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
    let elapsedMs = 0;
    for (let nth = 1; ; nth++) {
      const serviceTier = tierOf(made);
      const before = made.at(-1) ?? null;
      const tried = await tryOnce({ id: newCallId(), question, serviceTier, before }, key, signal);
      made.push(tried.call);
      if ('reply' in tried) {
        failures.delete(key);
        return { reply: tried.reply, calls: made };
      }
      signal.throwIfAborted();
      const { fault } = tried;
      // What may be this question's own fault, and is billed, counts: it could go on for ever.
      const mayBeOwn = fault.outcome === 'timeout' || fault.outcome === 'garbled';
      if (mayBeOwn && failedOften(key)) throw errorOf(fault, maxAttempts, now());
      const refusal = breaker.refusal();
      if (refusal !== null) throw refusal;
      const waitMs = tierOf(made) === serviceTier ? waitAfter(fault, nth) : 0;
      elapsedMs += tried.call.durationMs + waitMs;
      const patient = nth < maxAttempts && waitMs <= maxWaitMs && elapsedMs <= maxElapsedMs;
      if (fault.kind !== 'retry' || !patient) throw errorOf(fault, nth, now());
      if (fault.retryAfterMs !== undefined && waitMs > 0) limiter.hold(fault.retryAfterMs);
      await pause(waitMs, signal);
      signal.throwIfAborted();
    }
  }

  /** As often as a question is tried, whenever that was. */
  function failedOften(key: string): boolean {
    const times = (failures.get(key) ?? 0) + 1;
    failures.set(key, times);
    return times % maxAttempts === 0;
  }

  /** What the provider asked for, and some more by chance: what it told many at once does not come back at once. */
  function waitAfter({ retryAfterMs }: ModelFault, nth: number): number {
    if (retryAfterMs === undefined) return backoffMs(nth, { ...backoff, random });
    return retryAfterMs + backoffMs(1, { ...backoff, random });
  }

  /** The flex tier turns work away when it is busy: whoever was turned away often enough pays the full price. */
  function tierOf(made: readonly ModelCall[]): string {
    const shed = made.filter(({ serviceTier, outcome }) => serviceTier === 'flex' && isShed(outcome)).length;
    return model.serviceTier === 'flex' && shed >= flexAttempts ? 'standard' : model.serviceTier;
  }

  /** One attempt, recorded whatever comes of it. No slot is taken before its money is reserved. */
  async function tryOnce(attempted: Attempt, key: string, signal: AbortSignal): Promise<Tried> {
    const { question, before } = attempted;
    const pass = await breaker.admit(signal);
    let reservation: Reservation | null = null;
    let spentUsd: number | null = 0;
    try {
      reservation = await reserve(attempted, signal);
      const lease = await limiter.acquire(estimatedTokens(question.request), signal);
      try {
        pass.check();
        if (before !== null) options.onRetry?.(before);
        spentUsd = null;
        const tried = await callModel(attempted, key, signal, { pass, lease });
        spentUsd = tried.call.costUsd;
        return tried;
      } finally {
        lease.release(null);
      }
    } finally {
      pass.end('unknown');
      await reservation?.settle(spentUsd);
    }
  }

  async function reserve({ id, question }: Attempt, signal: AbortSignal): Promise<Reservation | null> {
    if (budget === null) return null;
    const { trajectoryId, agent, stage, request } = question;
    const tokens = model.mostTokens?.(request) ?? mostTokens(request);
    const most = { billing: billingOf(model), tokens, at: now(), timeoutMs };
    const maxUsd = bound({ ...most, models: names });
    const unpriced =
      maxUsd === null ? [...names].find((name) => bound({ ...most, models: [name] }) === null) : undefined;
    if (unpriced !== undefined) options.refuseUnpriced?.(unpriced);
    return budget.reserve({ callId: id, trajectoryId, agent, stage, maxUsd }, signal);
  }

  async function callModel(attempted: Attempt, key: string, signal: AbortSignal, held: { pass: Pass; lease: Lease }) {
    const timed = await attempt(model, attempted, { signal, timeoutMs }, now);
    const { result } = timed;
    const call = callOf(model, attempted, timed, price);
    held.pass.end(signOf(result, attempted.serviceTier));
    held.lease.release(tokensOf(call, result));
    if (call.model !== null) names.add(call.model);
    const answered = !(result instanceof ModelFault);
    await calls.record(call, answered ? { key, reply: JSON.stringify(result) } : undefined);
    crashPoint('compile.recorded');
    options.onCall?.(call, attempted.question.agent);
    return answered ? { call, reply: result } : { call, fault: result };
  }

  function status(): DoorStatus {
    const { provider, name } = model;
    const { state: breakerState, resumeAt } = breaker.status();
    const shutdownAt = shutdownOf(names);
    return { provider, model: name, ...limiter.status(), breaker: breakerState, resumeAt, shutdownAt };
  }
  const isPriced =
    bound({ billing: billingOf(model), models: names, tokens: { input: 1, output: 1 }, at: now(), timeoutMs }) !== null;
  return { model, isPriced, ask, status };
}

/**
 * Waits for another's question.
 *
 * @throws OperatorError where it was refused or found no answer: so would this one be, unless it is another's money that
 * was at an end. The signal's reason where it fired.
 */
async function over(other: Promise<Answer>, signal: AbortSignal): Promise<void> {
  const ended = other.catch((error: unknown) => {
    if (error instanceof OperatorError && !(error instanceof BudgetRefusal)) throw error;
  });
  await orAborted(ended, signal);
}
