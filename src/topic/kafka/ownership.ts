/**
 * Which partitions are ours, and how they change hands without anything being done twice.
 *
 * The group assigns at once, whatever is in work. So the owner's name stands beside each commit: who gains a partition
 * waits until that place is empty, its holder has left the group, or the time for handing over has passed; who loses one
 * finishes what is in work there, commits, and empties the place.
 */
import { kindOf, messageOf } from '../../errors.ts';
import { pause, within } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import type { PeerData } from './assigner.ts';
import type { KafkaCluster } from './client.ts';
import { writeNote } from './commit-note.ts';
import { takeOver } from './handover.ts';
import { Lane } from './lane.ts';
import type { Member } from './member.ts';

export interface OwnershipParts {
  cluster: KafkaCluster;
  group: string;
  groupId: string;
  topics: { main: string; retry: string };
  member: Member;
  handoverTimeoutMs: number;
  tag: string | null;
  onPeers?: (tags: string[]) => void;
  /** Ends waiting: nothing is gained any more. */
  signal: AbortSignal;
  /** There may be more to start. */
  onChange: () => void;
  onFailure: (error: unknown) => void;
  log: Logger;
}

const commitEveryMs = 100;
const lookEveryMs = 200;
/** At the end, for the last commit, and for a gain that is under way. */
const freeWithinMs = 10_000;
/** Another member may be as late as this to give up what we wait for. */
const marginMs = 2_000;

export class Ownership {
  readonly #parts: OwnershipParts;
  readonly #lanes = new Map<number, Lane>();
  #committing: NodeJS.Timeout | undefined;
  #gaining: Promise<void> | undefined;
  /** Apart from the promise, which is settled a moment after the last look at what is wanted. */
  #isGaining = false;

  constructor(parts: OwnershipParts) {
    this.#parts = parts;
  }

  lane(partition: number): Lane | undefined {
    return this.#lanes.get(partition);
  }

  /** Those whose windows are known. */
  held(): Lane[] {
    return [...this.#lanes.values()].filter(({ state }) => state === 'open' || state === 'leaving');
  }

  /** Those that may be worked on. */
  open(): Lane[] {
    return [...this.#lanes.values()].filter(({ state }) => state === 'open');
  }

  /** What the group is told at each join. */
  ownData(): PeerData {
    const owned = [...this.#lanes.values()].filter(({ state }) => state === 'open' || state === 'gaining');
    return { owned: owned.map(({ partition }) => partition), tag: this.#parts.tag };
  }

  assigned(partitions: number[]): void {
    for (const lane of this.#lanes.values()) if (!partitions.includes(lane.partition)) this.#lose(lane);
    for (const partition of partitions) this.#keepOrGain(partition);
    if (this.#parts.signal.aborted) return;
    if (!this.#isGaining) this.#gaining = this.#gain();
    if (this.#parts.onPeers !== undefined) void this.#meetPeers(this.#parts.onPeers);
    this.#parts.onChange();
  }

  /** Others may have everything: work is given up, nothing is recorded for it. */
  fenced(why: string): void {
    const { group, topics, log, member } = this.#parts;
    if (this.#lanes.size === 0) return;
    log.warn({ topic: topics.main, group, partitions: this.#lanes.size }, `work is given up: ${why}`);
    for (const lane of this.#lanes.values()) {
      lane.state = 'closed';
      lane.abort();
      for (const topic of [topics.main, topics.retry]) member.pause(topic, lane.partition);
    }
    this.#lanes.clear();
  }

  /** Something was begun or finished: committed soon, together with what else is by then. */
  changed(lane: Lane): void {
    lane.dirty = true;
    this.#committing ??= setTimeout(() => void this.#commitChanged(), commitEveryMs);
  }

  /** Pauses what is full, resumes what has room again. */
  regulate(lane: Lane): void {
    if (lane.state !== 'open') return;
    for (const which of ['main', 'retry'] as const) {
      const { topic, hasRoom, hasMuchRoom } = lane[which];
      const mayRead = which === 'retry' || lane.retryIsRead;
      const pauseIt = !mayRead || (lane.paused[which] ? !hasMuchRoom : !hasRoom);
      if (pauseIt === lane.paused[which]) continue;
      lane.paused[which] = pauseIt;
      if (pauseIt) this.#parts.member.pause(topic, lane.partition);
      else this.#parts.member.resume(topic, lane.partition);
    }
  }

  /** Gives up what is in work still, and frees all, so that the next owner need not wait. */
  async leave(): Promise<void> {
    clearTimeout(this.#committing);
    const held = this.held();
    for (const lane of this.#lanes.values()) {
      lane.state = 'closed';
      lane.abort();
    }
    this.#lanes.clear();
    const freed = await within(freeWithinMs, this.#commit(held, null));
    if (!freed) this.#parts.log.warn({ group: this.#parts.group }, 'what was finished last may be delivered again');
    await within(freeWithinMs, this.#gaining);
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
    const { topics, handoverTimeoutMs, member } = this.#parts;
    let lane = this.#lanes.get(partition);
    if (lane === undefined || lane.state === 'closed') {
      lane = new Lane(partition, topics, performance.now() + handoverTimeoutMs + marginMs);
      this.#lanes.set(partition, lane);
    }
    if (lane.state === 'leaving') {
      lane.state = 'open';
      lane.waker.wake();
    }
    for (const which of ['main', 'retry'] as const) {
      lane.paused[which] = true;
      member.pause(topics[which], partition);
    }
    if (lane.state === 'open') this.#readOn(lane);
  }

  /** kafkajs begins every assignment at the committed offsets: what was read beyond need not be read again. */
  #readOn(lane: Lane): void {
    for (const { topic, window } of [lane.main, lane.retry])
      this.#parts.member.seek(topic, lane.partition, window.next);
    this.regulate(lane);
  }

  async #handOver(lane: Lane): Promise<void> {
    const deadline = performance.now() + this.#parts.handoverTimeoutMs;
    while (lane.state === 'leaving' && lane.inWork.size > 0 && performance.now() < deadline) {
      await lane.waker.wait(deadline - performance.now());
    }
    if (lane.state !== 'leaving') return;
    lane.state = 'closed';
    lane.abort();
    if (this.#lanes.get(lane.partition) === lane) this.#lanes.delete(lane.partition);
    await this.#commit([lane], null);
  }

  async #gain(): Promise<void> {
    const { groupId, signal, onFailure, log } = this.#parts;
    this.#isGaining = true;
    for (;;) {
      const wanted = [...this.#lanes.values()].filter(({ state }) => state === 'gaining');
      if (wanted.length === 0 || signal.aborted) break;
      try {
        await this.#tryToGain(wanted);
      } catch (error) {
        if (kindOf(error) !== 'retry') {
          onFailure(error);
          break;
        }
        log.warn({ groupId, error: messageOf(error) }, 'taking over partitions failed; it is tried again');
      }
      if (wanted.some(({ state }) => state === 'gaining')) await pause(lookEveryMs, signal);
    }
    this.#isGaining = false;
  }

  async #tryToGain(wanted: Lane[]): Promise<void> {
    const { cluster, groupId, topics, member, onChange } = this.#parts;
    const claim = (lanes: Lane[]) => this.#commit(lanes, member.id());
    for (const lane of await takeOver({ cluster, groupId, topics, member, wanted, claim })) {
      if (lane.state === 'gaining') {
        lane.state = 'open';
        this.#readOn(lane);
      } else if (!this.#lanes.has(lane.partition)) {
        // It was taken from us while we claimed it.
        await this.#commit([lane], null);
      }
    }
    onChange();
  }

  async #meetPeers(onPeers: (tags: string[]) => void): Promise<void> {
    const { member, signal, onFailure, log } = this.#parts;
    try {
      for (;;) {
        const peers = await member.peers();
        if (signal.aborted) return;
        if (peers !== null)
          return onPeers([...peers.values()].flatMap((peer) => (peer?.tag == null ? [] : [peer.tag])));
        await pause(lookEveryMs, signal);
      }
    } catch (error) {
      if (kindOf(error) === 'stop') onFailure(error);
      else log.warn({ error: messageOf(error) }, 'asking who else is in the group failed');
    }
  }

  async #commitChanged(): Promise<void> {
    const changed = this.held().filter(({ dirty }) => dirty);
    for (const lane of changed) lane.dirty = false;
    const done = await this.#commit(changed, this.#parts.member.id());
    this.#committing = undefined;
    // Those that changed meanwhile are dirty already.
    for (const lane of this.held()) if (lane.dirty || (!done && changed.includes(lane))) this.changed(lane);
  }

  async #commit(lanes: Lane[], holder: string | null): Promise<boolean> {
    return await this.#parts.member.commit(
      lanes.flatMap((lane) =>
        [lane.main, lane.retry].map((backlog) => {
          const { topic, partition, window } = backlog;
          // Who frees a partition ends its deliveries: they died of nothing.
          const begun = backlog.begun((entry) => holder !== null && lane.inWork.get(entry.key)?.entry === entry);
          const metadata = writeNote({ holder, finished: window.bits(), begun });
          return { topic, partition, offset: String(window.base), metadata };
        }),
      ),
    );
  }
}
