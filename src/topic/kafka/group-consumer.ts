/**
 * One run of `consume` on Kafka: hands out by key what its lanes hold, and records what came of it.
 *
 *   read ─▶ waiting ─▶ in work ─▶ finished                     the handler resolved
 *              ▲          ├─────▶ dead letter, finished        it threw what parks, or failed too often
 *              ├──────────┤ not before …                       it threw what may pass soon
 *              │          └─────▶ retry topic, finished        it threw what may pass later
 *              └── as if never delivered                       it threw what stops, or ownership was lost
 *
 * What is finished is committed soon; a crash before that delivers it again. Failures are counted in memory, and with what
 * is in the retry topic or a dead letter; deliveries without an outcome beside the commits.
 */
import { setMaxListeners } from 'node:events';
import { kindOf } from '../../errors.ts';
import { backoffMs, pause, within } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import { decideFailure, killsItsConsumer, maxUnfinishedDeliveries, type RetryRules } from '../decide.ts';
import type { ConsumeOptions } from '../topic.ts';
import { Waker } from '../waker.ts';
import type { KafkaCluster } from './client.ts';
import { type Entry, retryHeaders } from './entry.ts';
import { takeIn } from './intake.ts';
import type { Lane, Work } from './lane.ts';
import { type Member, openMember } from './member.ts';
import { Ownership } from './ownership.ts';
import { send } from './producer.ts';

export interface GroupConsumerParts extends ConsumeOptions {
  cluster: KafkaCluster;
  group: string;
  groupId: string;
  topics: { main: string; retry: string };
  /** Decodes and handles; throws as a handler does. */
  handle(entry: Entry, signal: AbortSignal): Promise<void>;
  /** Resolves when the dead letter is durable. */
  bury(entry: Entry, code: string, error: string, signal: AbortSignal): Promise<void>;
  rules: RetryRules;
  retryTopicAfterMs: number;
  sessionTimeoutMs: number;
  handoverTimeoutMs: number;
  tag: string | null;
  onPeers?: (tags: string[]) => void;
  counts: ConsumerCounts;
  log: Logger;
}

/** Counts since the topic was opened. */
export interface ConsumerCounts {
  /** Deliveries that were not needed, since the same one was finished before. */
  duplicates: number;
  /** Assignments that the group made. */
  rebalances: number;
}

const farMs = 60_000;
const startEndsWithinMs = 2_000;

export class GroupConsumer {
  readonly #parts: GroupConsumerParts;
  readonly #member: Member;
  readonly #ownership: Ownership;
  readonly #waker = new Waker();
  readonly #ending = new AbortController();
  #inWork = 0;
  #turn = 0;
  #failure: { error: unknown } | undefined;

  constructor(parts: GroupConsumerParts) {
    this.#parts = parts;
    const { cluster, groupId, topics, sessionTimeoutMs, log } = parts;
    const onFailure = (error: unknown) => this.#fail(error);
    this.#member = openMember({
      ...{ cluster, groupId, sessionTimeoutMs, log },
      topics: [topics.main, topics.retry],
      own: () => this.#ownership.ownData(),
      events: {
        assigned: (partitions) => {
          parts.counts.rebalances++;
          this.#ownership.assigned(partitions);
        },
        fenced: (why) => this.#ownership.fenced(why),
        received: async (topic, partition, messages) => {
          const taken = await takeIn(intake, topic, partition, messages);
          this.#waker.wake();
          return taken;
        },
        failed: onFailure,
      },
    });
    const shared = { cluster, groupId, log, onFailure, group: parts.group, member: this.#member };
    this.#ownership = new Ownership({
      ...shared,
      topics,
      handoverTimeoutMs: parts.handoverTimeoutMs,
      tag: parts.tag,
      ...(parts.onPeers === undefined ? {} : { onPeers: parts.onPeers }),
      signal: this.#ending.signal,
      onChange: () => this.#waker.wake(),
    });
    const intake = { ...shared, ownership: this.#ownership };
  }

  get inWork(): number {
    return this.#inWork;
  }

  held(): Lane[] {
    return this.#ownership.held();
  }

  /** @throws the error that stopped it, after what was in work has ended. */
  async run(): Promise<void> {
    const { signal, abort } = this.#parts;
    const wake = () => this.#waker.wake();
    signal.addEventListener('abort', wake);
    abort?.addEventListener('abort', wake);
    const starting = this.#member.start(this.#ending.signal).catch((error) => this.#fail(error));
    try {
      while (!this.#draining()) await this.#waker.wait(this.#startWhatIsDue());
      this.#ending.abort();
      while (this.#inWork > 0 && !abort?.aborted) await this.#waker.wait(farMs);
      await this.#ownership.leave();
      await this.#member.stop();
      await within(startEndsWithinMs, starting);
    } finally {
      signal.removeEventListener('abort', wake);
      abort?.removeEventListener('abort', wake);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #draining(): boolean {
    const { signal, abort } = this.#parts;
    return signal.aborted || abort?.aborted === true || this.#failure !== undefined;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#waker.wake();
  }

  /** Milliseconds until something falls due that nothing else would tell of. */
  #startWhatIsDue(): number {
    const now = Date.now();
    let nextMs = farMs;
    const lanes = this.#ownership.open();
    // Each time from another one on, so that a full lane does not take every place.
    const first = this.#turn++ % Math.max(1, lanes.length);
    for (const lane of [...lanes.slice(first), ...lanes.slice(0, first)]) {
      for (const entry of lane.heads()) {
        if (this.#inWork >= this.#parts.concurrency) return farMs;
        if (lane.inWork.has(entry.key)) continue;
        if (entry.notBefore > now) nextMs = Math.min(nextMs, entry.notBefore - now);
        else void this.#work(lane, entry);
      }
    }
    return nextMs;
  }

  async #work(lane: Lane, entry: Entry): Promise<void> {
    const giveUp = new AbortController();
    setMaxListeners(0, giveUp.signal);
    const work: Work = { entry, giveUp };
    lane.inWork.set(entry.key, work);
    this.#inWork++;
    try {
      await this.#deliver(lane, work);
    } catch (error) {
      if (!giveUp.signal.aborted) this.#fail(error);
    }
    this.#inWork--;
    lane.inWork.delete(entry.key);
    this.#ownership.regulate(lane);
    lane.waker.wake();
    this.#waker.wake();
  }

  async #deliver(lane: Lane, work: Work): Promise<void> {
    const { entry, giveUp } = work;
    if (lane.settled.has(entry.identity)) {
      this.#parts.counts.duplicates++;
      return this.#settle(lane, entry);
    }
    if (lane.isInMain(entry) && lane.retriesKey(entry.key)) return await this.#divert(lane, work);
    if (killsItsConsumer(entry)) {
      const error = `was delivered ${maxUnfinishedDeliveries} times without an outcome: its consumer may be dying of it`;
      return await this.#park(lane, work, 'consumer_died', error);
    }
    // Noted beside the next commit, for whoever comes after us if we die of it.
    this.#ownership.changed(lane);
    try {
      await this.#parts.handle(entry, giveUp.signal);
    } catch (error) {
      if (!giveUp.signal.aborted) await this.#decide(lane, work, error);
      return;
    }
    if (!giveUp.signal.aborted) this.#settle(lane, entry);
  }

  async #decide(lane: Lane, work: Work, thrown: unknown): Promise<void> {
    const { entry } = work;
    const { rules, retryTopicAfterMs } = this.#parts;
    const decision = decideFailure(thrown, entry.failures + 1, rules);
    if (decision.do === 'stop') return this.#fail(decision.error);
    entry.attempts++;
    entry.failures++;
    if (decision.do === 'park') return await this.#park(lane, work, decision.code, decision.error);
    entry.notBefore = Date.now() + decision.afterMs;
    const { topic, id, attempts } = entry;
    this.#parts.log.debug({ topic, group: this.#parts.group, id, attempts, ...decision }, 'message retried');
    if (lane.isInMain(entry) && decision.afterMs > retryTopicAfterMs) await this.#divert(lane, work);
  }

  async #park(lane: Lane, { entry, giveUp }: Work, code: string, error: string): Promise<void> {
    await persist(() => this.#parts.bury(entry, code, error, giveUp.signal), giveUp.signal);
    if (giveUp.signal.aborted) return;
    const { topic, id, attempts } = entry;
    this.#parts.log.warn({ topic, group: this.#parts.group, id, attempts, code }, 'message parked');
    this.#settle(lane, entry);
  }

  /** To the retry topic, behind what waits there of its key. */
  async #divert(lane: Lane, { entry, giveUp }: Work): Promise<void> {
    const { key, value, partition } = entry;
    lane.sending(entry);
    const message = { topic: lane.retry.topic, partition, key, value, headers: retryHeaders(entry) };
    await persist(() => send(this.#parts.cluster, message, giveUp.signal), giveUp.signal);
    if (giveUp.signal.aborted) return;
    lane.finish(entry);
    this.#ownership.changed(lane);
  }

  #settle(lane: Lane, entry: Entry): void {
    lane.settled.add(entry.identity);
    lane.finish(entry);
    this.#ownership.changed(lane);
  }
}

/** Brokers that are away for a while must not cost the work that was done. */
async function persist(change: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await change();
    } catch (error) {
      if (kindOf(error) !== 'retry') throw error;
      await pause(backoffMs(attempt, { baseMs: 200, maxMs: 10_000 }), signal);
    }
  }
}
