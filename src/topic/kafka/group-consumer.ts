/**
 * One run of `consume` on Kafka: files what the member reads into lanes, hands it out by key, records what came of it.
 *
 *   read ─▶ waiting ─▶ in work ─▶ finished                     the handler resolved
 *              ▲          ├─────▶ dead letter, finished        it threw what parks, or failed too often
 *              ├──────────┤ not before …                       it threw what may pass soon
 *              │          └─────▶ retry topic, finished        it threw what may pass later
 *              └── as if never delivered                       it threw what stops, or ownership was lost
 *
 * What is finished is committed within `commitEveryMs`; a crash before delivers it again.
 */
import { setMaxListeners } from 'node:events';
import type { KafkaMessage } from 'kafkajs';
import { kindOf, messageOf } from '../../errors.ts';
import { backoffMs, pause, within } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import { type Decision, decideFailure, type RetryRules } from '../decide.ts';
import type { ConsumeOptions } from '../topic.ts';
import { Waker } from '../waker.ts';
import type { PeerData } from './assigner.ts';
import type { Backlog } from './backlog.ts';
import type { KafkaCluster } from './client.ts';
import { writeNote } from './commit-note.ts';
import { type Entry, entryOf, headerNames, retryHeaders } from './entry.ts';
import { takeOver } from './handover.ts';
import { Lane, type Work } from './lane.ts';
import { type Member, openMember } from './member.ts';
import { readRanges, startOf } from './offsets.ts';
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
  counts: ConsumerCounts;
  onPeers?: (tags: string[]) => void;
  log: Logger;
}

/** Counts since the topic was opened. */
export interface ConsumerCounts {
  /** Deliveries that were not needed, since the same one was finished before. */
  duplicates: number;
  /** Assignments that the group made. */
  rebalances: number;
}

const commitEveryMs = 100;
const farMs = 60_000;
/** At the end, for the last commit. */
const freeWithinMs = 10_000;
/** Another member may be as late as this to give up what we wait for. */
const handoverMarginMs = 2_000;

export class GroupConsumer {
  readonly #lanes = new Map<number, Lane>();
  readonly #parts: GroupConsumerParts;
  readonly #member: Member;
  readonly #waker = new Waker();
  #inWork = 0;
  #failure: { error: unknown } | undefined;
  #committing: NodeJS.Timeout | undefined;
  #gaining: Promise<void> | undefined;

  constructor(parts: GroupConsumerParts) {
    this.#parts = parts;
    const { cluster, groupId, topics, sessionTimeoutMs, log } = parts;
    this.#member = openMember({
      cluster,
      groupId,
      topics: [topics.main, topics.retry],
      sessionTimeoutMs,
      own: () => this.#ownData(),
      log,
      events: {
        assigned: (partitions) => this.#assigned(partitions),
        fenced: (why) => this.#fenced(why),
        received: (topic, partition, messages) => this.#received(topic, partition, messages),
        failed: (error) => this.#fail(error),
      },
    });
  }

  get inWork(): number {
    return this.#inWork;
  }

  /** Those whose windows are known. */
  held(): Lane[] {
    return [...this.#lanes.values()].filter(({ state }) => state === 'open' || state === 'leaving');
  }

  /** @throws the error that stopped it, after what was in work has ended. */
  async run(): Promise<void> {
    const { signal, abort } = this.#parts;
    const wake = () => this.#waker.wake();
    signal.addEventListener('abort', wake);
    abort?.addEventListener('abort', wake);
    const starting = this.#member.start(signal).catch((error) => this.#fail(error));
    try {
      while (!this.#draining()) await this.#waker.wait(this.#startWhatIsDue());
      while (this.#inWork > 0 && !abort?.aborted) await this.#waker.wait(farMs);
      for (const lane of this.#lanes.values()) lane.abort();
      await this.#leave();
      await within(handoverMarginMs, starting);
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

  /** Frees what we hold, so that the next owner need not wait. */
  async #leave(): Promise<void> {
    clearTimeout(this.#committing);
    const held = this.held();
    for (const lane of this.#lanes.values()) lane.state = 'closed';
    this.#lanes.clear();
    const freed = await within(freeWithinMs, this.#commit(held, null));
    if (!freed) this.#parts.log.warn({ group: this.#parts.group }, 'what was finished last may be delivered again');
    await this.#member.stop();
    await this.#gaining;
  }

  // What the group asks of us.

  #ownData(): PeerData {
    const owned = [...this.#lanes.values()].filter(({ state }) => state === 'open' || state === 'gaining');
    return { owned: owned.map(({ partition }) => partition), tag: this.#parts.tag };
  }

  #assigned(partitions: number[]): void {
    this.#parts.counts.rebalances++;
    for (const lane of this.#lanes.values()) if (!partitions.includes(lane.partition)) this.#lose(lane);
    for (const partition of partitions) this.#keepOrGain(partition);
    if (this.#draining()) return;
    this.#gaining ??= this.#gain();
    if (this.#parts.onPeers !== undefined) void this.#meetPeers(this.#parts.onPeers);
    this.#waker.wake();
  }

  #lose(lane: Lane): void {
    if (lane.state === 'open') {
      lane.state = 'leaving';
      void this.#handOver(lane);
    } else if (lane.state === 'gaining') {
      lane.state = 'closed';
      this.#lanes.delete(lane.partition);
    }
  }

  #keepOrGain(partition: number): void {
    const { topics, handoverTimeoutMs } = this.#parts;
    let lane = this.#lanes.get(partition);
    if (lane === undefined || lane.state === 'closed') {
      lane = new Lane(partition, topics, Date.now() + handoverTimeoutMs + handoverMarginMs);
      this.#lanes.set(partition, lane);
    }
    if (lane.state === 'leaving') {
      lane.state = 'open';
      lane.waker.wake();
    }
    for (const which of ['main', 'retry'] as const) {
      lane.paused[which] = true;
      this.#member.pause(topics[which], partition);
    }
    if (lane.state === 'open') this.#readOn(lane);
  }

  /** kafkajs begins every assignment at the committed offsets: what was read beyond need not be read again. */
  #readOn(lane: Lane): void {
    for (const { topic, window } of [lane.main, lane.retry]) this.#member.seek(topic, lane.partition, window.next);
    this.#regulate(lane);
  }

  #fenced(why: string): void {
    if (this.#lanes.size === 0) return;
    const { group, topics, log } = this.#parts;
    log.warn({ topic: topics.main, group, inWork: this.#inWork }, `work is given up: ${why}`);
    for (const lane of this.#lanes.values()) {
      lane.state = 'closed';
      lane.abort();
      for (const topic of [topics.main, topics.retry]) this.#member.pause(topic, lane.partition);
    }
    this.#lanes.clear();
  }

  async #handOver(lane: Lane): Promise<void> {
    const deadline = Date.now() + this.#parts.handoverTimeoutMs;
    while (lane.state === 'leaving' && lane.inWork.size > 0 && Date.now() < deadline) {
      await lane.waker.wait(deadline - Date.now());
    }
    if (lane.state !== 'leaving') return;
    lane.state = 'closed';
    lane.abort();
    if (this.#lanes.get(lane.partition) === lane) this.#lanes.delete(lane.partition);
    await this.#commit([lane], null);
    this.#waker.wake();
  }

  async #gain(): Promise<void> {
    const { cluster, groupId, topics, log } = this.#parts;
    for (;;) {
      const wanted = [...this.#lanes.values()].filter(({ state }) => state === 'gaining');
      if (wanted.length === 0 || this.#draining()) {
        this.#gaining = undefined;
        return;
      }
      try {
        const claim = (lanes: Lane[]) => this.#commit(lanes, this.#member.id());
        for (const lane of await takeOver({ cluster, groupId, topics, member: this.#member, wanted, claim })) {
          if (lane.state === 'gaining') {
            lane.state = 'open';
            this.#readOn(lane);
          } else if (!this.#lanes.has(lane.partition)) await this.#commit([lane], null);
        }
        this.#waker.wake();
      } catch (error) {
        if (kindOf(error) !== 'retry') return this.#fail(error);
        log.warn({ groupId, error: messageOf(error) }, 'taking over partitions failed; it is tried again');
      }
      if (wanted.some(({ state }) => state === 'gaining')) await pause(200, this.#parts.signal);
    }
  }

  async #meetPeers(onPeers: (tags: string[]) => void): Promise<void> {
    try {
      for (;;) {
        if (this.#draining()) return;
        const peers = await this.#member.peers();
        if (peers !== null) {
          onPeers([...peers.values()].flatMap((peer) => (peer?.tag == null ? [] : [peer.tag])));
          return;
        }
        await pause(200, this.#parts.signal);
      }
    } catch (error) {
      if (kindOf(error) === 'stop') this.#fail(error);
      else this.#parts.log.warn({ error: messageOf(error) }, 'asking who else is in the group failed');
    }
  }

  // What is read.

  async #received(topic: string, partition: number, messages: KafkaMessage[]): Promise<number> {
    const lane = this.#lanes.get(partition);
    if (lane?.state !== 'open') return this.#refuse(topic, partition);
    const backlog = lane.backlogOf(topic);
    let taken = 0;
    for (const message of messages) {
      const offset = Number(message.offset);
      if (offset > backlog.window.next && !(await this.#passGap(lane, backlog, offset))) break;
      if (!backlog.hasRoom) break;
      if (backlog.window.file(offset)) this.#file(lane, backlog, entryOf(topic, partition, message));
      taken++;
    }
    this.#regulate(lane);
    this.#waker.wake();
    return taken;
  }

  /** Nobody asked for it: it was on its way when the partition went. */
  #refuse(topic: string, partition: number): number {
    this.#member.pause(topic, partition);
    return 0;
  }

  #file(lane: Lane, backlog: Backlog, entry: Entry): void {
    if (backlog === lane.retry) lane.arrived(entry);
    const only = entry.headers[headerNames.only];
    if (only !== undefined && only !== this.#parts.group) {
      backlog.window.finish(entry.offset);
      this.#finished(lane);
    } else backlog.add(entry);
  }

  /**
   * Offsets are missing: expired, which is a loss; read under an earlier assignment, which a seek mends; or there never
   * was a message of ours, as after a transaction of another writer. False where the batch is not to be taken.
   */
  async #passGap(lane: Lane, backlog: Backlog, offset: number): Promise<boolean> {
    const { cluster, groupId } = this.#parts;
    const { topic, partition, window } = backlog;
    const from = window.next;
    const range = (await readRanges(cluster, topic)).get(partition);
    if (range === undefined || lane.state !== 'open') return false;
    try {
      startOf(from, range, { groupId, topic, partition });
    } catch (error) {
      this.#fail(error);
      return false;
    }
    if (backlog.soughtAt !== from) {
      backlog.soughtAt = from;
      this.#member.seek(topic, partition, from);
      return false;
    }
    window.skipTo(offset);
    this.#finished(lane);
    return true;
  }

  /** Pauses what is full, resumes what has room again. */
  #regulate(lane: Lane): void {
    if (lane.state !== 'open') return;
    for (const which of ['main', 'retry'] as const) {
      const { topic, hasRoom, hasMuchRoom } = lane[which];
      const mayRead = which === 'retry' || lane.retryIsRead;
      const pauseIt = !mayRead || (lane.paused[which] ? !hasMuchRoom : !hasRoom);
      if (pauseIt === lane.paused[which]) continue;
      lane.paused[which] = pauseIt;
      if (pauseIt) this.#member.pause(topic, lane.partition);
      else this.#member.resume(topic, lane.partition);
    }
  }

  // What is worked on.

  /** Milliseconds until something falls due that nothing else would tell of. */
  #startWhatIsDue(): number {
    const now = Date.now();
    let nextMs = farMs;
    for (const lane of this.#lanes.values()) {
      if (lane.state !== 'open') continue;
      for (const backlog of [lane.retry, lane.main]) {
        for (const entry of [...backlog.heads()]) {
          if (this.#inWork >= this.#parts.concurrency) return farMs;
          if (lane.inWork.has(entry.key)) continue;
          if (entry.notBefore > now) nextMs = Math.min(nextMs, entry.notBefore - now);
          else void this.#work(lane, entry);
        }
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
    this.#regulate(lane);
    lane.waker.wake();
    this.#waker.wake();
  }

  async #deliver(lane: Lane, work: Work): Promise<void> {
    const { entry, giveUp } = work;
    if (lane.settled.has(entry.identity)) {
      this.#parts.counts.duplicates++;
      return this.#settle(lane, entry);
    }
    const inMain = entry.topic === lane.main.topic;
    if (inMain && lane.retriesKey(entry.key)) return await this.#divert(lane, work);
    try {
      await this.#parts.handle(entry, giveUp.signal);
    } catch (error) {
      if (!giveUp.signal.aborted) await this.#decide(lane, work, error);
      return;
    }
    if (!giveUp.signal.aborted) this.#settle(lane, entry);
  }

  async #decide(lane: Lane, work: Work, thrown: unknown): Promise<void> {
    const { entry, giveUp } = work;
    const { rules, retryTopicAfterMs, bury } = this.#parts;
    const decision = decideFailure(thrown, entry.failures + 1, rules);
    this.#logDecision(entry, decision);
    if (decision.do === 'stop') return this.#fail(decision.error);
    entry.attempts++;
    entry.failures++;
    if (decision.do === 'park') {
      const { code, error } = decision;
      await this.#persist(() => bury(entry, code, error, giveUp.signal), giveUp.signal);
      if (!giveUp.signal.aborted) this.#settle(lane, entry);
      return;
    }
    entry.notBefore = Date.now() + decision.afterMs;
    if (entry.topic === lane.main.topic && decision.afterMs > retryTopicAfterMs) await this.#divert(lane, work);
  }

  /** To the retry topic, behind what waits there of its key. */
  async #divert(lane: Lane, { entry, giveUp }: Work): Promise<void> {
    const { key, value, partition } = entry;
    lane.sending(entry);
    const message = { topic: lane.retry.topic, partition, key, value, headers: retryHeaders(entry) };
    await this.#persist(() => send(this.#parts.cluster, message, giveUp.signal), giveUp.signal);
    if (giveUp.signal.aborted) return;
    lane.finish(entry);
    this.#finished(lane);
  }

  /** Brokers that are away for a while must not cost the work that was done. */
  async #persist(change: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        return await change();
      } catch (error) {
        if (kindOf(error) !== 'retry') throw error;
        await pause(backoffMs(attempt, { baseMs: 200, maxMs: 10_000 }), signal);
      }
    }
  }

  #settle(lane: Lane, entry: Entry): void {
    lane.settled.add(entry.identity);
    lane.finish(entry);
    this.#finished(lane);
  }

  // What is committed.

  #finished(lane: Lane): void {
    lane.dirty = true;
    this.#committing ??= setTimeout(() => void this.#commitAll(), commitEveryMs);
  }

  async #commitAll(): Promise<void> {
    const changed = this.held().filter(({ dirty }) => dirty);
    for (const lane of changed) lane.dirty = false;
    const done = await this.#commit(changed, this.#member.id());
    this.#committing = undefined;
    if (done) return;
    for (const lane of changed) this.#finished(lane);
  }

  async #commit(lanes: Lane[], holder: string | null): Promise<boolean> {
    return await this.#member.commit(
      lanes.flatMap((lane) =>
        [lane.main, lane.retry].map(({ topic, partition, window }) => ({
          topic,
          partition,
          offset: String(window.base),
          metadata: writeNote({ holder, finished: window.bits() }),
        })),
      ),
    );
  }

  #logDecision({ id, topic, attempts }: Entry, decision: Decision): void {
    const { group, log } = this.#parts;
    const about = { topic, group, id, attempts: attempts + 1 };
    if (decision.do === 'park') log.warn({ ...about, code: decision.code }, 'message parked');
    if (decision.do === 'retry') log.debug({ ...about, afterMs: decision.afterMs }, 'message retried');
  }
}
