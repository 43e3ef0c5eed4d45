/**
 * One run of `consume`: takes what is due, hands it to the handler, records what came of it.
 *
 *   queued ─▶ in work ─▶ finished                     the handler resolved
 *     ▲          ├─────▶ dead letter                  it threw what parks, or failed too often
 *     ├──────────┤ not before …                       it threw what may pass
 *     └──────────┘ as if never delivered              it threw what stops, or the consumer was aborted
 *
 * A lease that was lost (this process stood still, another took over) ends a delivery without a record of ours.
 */
import { setMaxListeners } from 'node:events';
import { kindOf, messageOf } from '../errors.ts';
import { backoffMs, pause } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { type Decision, decideFailure, pollMs, type RetryRules, renewEveryMs } from './decide.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Claim, TopicStore } from './store.ts';
import type { Codec, ConsumeOptions, Handler } from './topic.ts';
import { Waker } from './waker.ts';

/** What is finished may be forgotten elsewhere. All else, undone by a power cut, is delivered once more. */
const forGood = { durable: true };
const repeatable = { durable: false };

export interface ConsumerParts<T> extends ConsumeOptions {
  topic: string;
  group: string;
  groupNumber: number;
  /** Names this run among all that share the group. */
  owner: string;
  handler: Handler<T>;
  codec: Codec<T>;
  store: TopicStore;
  commits: GroupCommit;
  leaseMs: number;
  rules: RetryRules;
  log: Logger;
  onFinished: (ids: string[]) => void;
}

interface Work {
  claim: Claim;
  /** Fires when the delivery is no longer ours; from then on nothing is recorded for it. */
  giveUp: AbortController;
}

export class Consumer<T> {
  readonly waker = new Waker();
  readonly #parts: ConsumerParts<T>;
  readonly #inWork = new Set<Work>();
  #failure: { error: unknown } | undefined;

  constructor(parts: ConsumerParts<T>) {
    this.#parts = parts;
  }

  /** @throws the error that stopped it, after what was in work has ended. */
  async run(): Promise<void> {
    const { signal, abort, leaseMs } = this.#parts;
    const wake = () => this.waker.wake();
    const renewing = setInterval(() => void this.#renewAll(), renewEveryMs(leaseMs));
    signal.addEventListener('abort', wake);
    abort?.addEventListener('abort', wake);
    try {
      await this.#takeUntilDrained();
      while (this.#inWork.size > 0 && !abort?.aborted) await this.waker.wait(leaseMs);
      if (abort?.aborted) await this.#giveUpAll();
    } finally {
      clearInterval(renewing);
      signal.removeEventListener('abort', wake);
      abort?.removeEventListener('abort', wake);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #draining(): boolean {
    const { signal, abort } = this.#parts;
    return signal.aborted || abort?.aborted === true || this.#failure !== undefined;
  }

  async #takeUntilDrained(): Promise<void> {
    const { group, groupNumber, owner, store, log } = this.#parts;
    for (let idleRounds = 0; !this.#draining(); ) {
      const now = Date.now();
      try {
        const taken = await this.#take(now);
        idleRounds = taken > 0 ? 0 : idleRounds + 1;
        const { nextAt } = store.due(groupNumber, owner, now);
        await this.waker.wait(Math.min(pollMs(idleRounds), nextAt === null ? Infinity : Math.max(1, nextAt - now)));
      } catch (thrown) {
        const error = this.#parts.commits.explain(thrown);
        if (kindOf(error) !== 'retry') this.#failure ??= { error };
        log.warn({ topic: this.#parts.topic, group, error: messageOf(error) }, 'taking messages failed');
        await this.waker.wait(pollMs(idleRounds++));
      }
    }
  }

  /** Returns how many were taken. */
  async #take(now: number): Promise<number> {
    const { groupNumber, owner, store, commits, concurrency, leaseMs } = this.#parts;
    const free = concurrency - this.#inWork.size;
    if (free <= 0 || !store.due(groupNumber, owner, now).any) return 0;
    const claims = await commits.submit(() => store.claim(groupNumber, owner, free, Date.now(), leaseMs), repeatable);
    for (const claim of claims) void this.#work({ claim, giveUp: new AbortController() });
    return claims.length;
  }

  async #work(work: Work): Promise<void> {
    this.#inWork.add(work);
    setMaxListeners(0, work.giveUp.signal);
    try {
      const thrown = await this.#handle(work);
      if (!work.giveUp.signal.aborted) await this.#record(work, thrown);
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#inWork.delete(work);
    this.waker.wake();
  }

  /** What the handler threw, or undefined where it resolved. */
  async #handle({ claim, giveUp }: Work): Promise<{ error: unknown } | undefined> {
    const { codec, handler } = this.#parts;
    const { id, key, attempts } = claim;
    try {
      const value = await codec.decode(claim.value);
      await handler({ message: { id, key, value }, attempt: attempts, signal: giveUp.signal });
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  async #record(work: Work, thrown: { error: unknown } | undefined): Promise<void> {
    const { store, rules, onFinished } = this.#parts;
    const { claim } = work;
    if (thrown === undefined) {
      const finished = await this.#persist(work, () => store.finish(claim), forGood);
      if (finished === null) this.#logLost(claim);
      else if (finished.length > 0) onFinished(finished);
      return;
    }
    const decision = decideFailure(thrown.error, claim.failures + 1, rules);
    if (decision.do === 'stop') this.#failure ??= { error: decision.error };
    const kept = await this.#persist(work, () => this.#apply(claim, decision), repeatable);
    if (!kept) this.#logLost(claim);
    else this.#logDecision(claim, decision);
  }

  #apply(claim: Claim, decision: Decision): boolean {
    const { store } = this.#parts;
    if (decision.do === 'park') return store.park(claim, decision.code, decision.error, Date.now());
    if (decision.do === 'retry') return store.retryAt(claim, Date.now() + decision.afterMs);
    return store.release(claim);
  }

  /** A file that is busy for a while must not cost the work that was done. */
  async #persist<R>(work: Work, change: () => R, loss: { durable: boolean }): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#parts.commits.submit(change, loss);
      } catch (error) {
        if (kindOf(error) !== 'retry' || work.giveUp.signal.aborted) throw error;
        await pause(backoffMs(attempt, { baseMs: 50, maxMs: 2_000 }), work.giveUp.signal);
      }
    }
  }

  async #renewAll(): Promise<void> {
    const { commits, store, leaseMs } = this.#parts;
    const works = [...this.#inWork];
    if (works.length === 0) return;
    try {
      const until = Date.now() + leaseMs;
      const kept = await commits.submit(() => works.map(({ claim }) => store.renew(claim, until)), repeatable);
      for (const [index, work] of works.entries()) {
        // Gone from the set: it ended while its renewal was on the way, which is no loss.
        if (kept[index] !== true && this.#inWork.has(work)) work.giveUp.abort();
      }
    } catch (error) {
      this.#parts.log.warn({ topic: this.#parts.topic, error: messageOf(error) }, 'renewing leases failed');
    }
  }

  async #giveUpAll(): Promise<void> {
    const works = [...this.#inWork].filter(({ giveUp }) => !giveUp.signal.aborted);
    for (const { giveUp } of works) giveUp.abort();
    await this.#parts.commits.submit(() => works.map(({ claim }) => this.#parts.store.release(claim)), repeatable);
  }

  #logLost({ id, attempts }: Claim): void {
    const { topic, group, log } = this.#parts;
    log.warn(
      { topic, group, id, attempts },
      'lease lost before the work was recorded: another consumer has the message',
    );
  }

  #logDecision({ id, attempts }: Claim, decision: Decision): void {
    const { topic, group, log } = this.#parts;
    if (decision.do === 'park') log.warn({ topic, group, id, attempts, code: decision.code }, 'message parked');
    if (decision.do === 'retry')
      log.debug({ topic, group, id, attempts, afterMs: decision.afterMs }, 'message retried');
  }
}
