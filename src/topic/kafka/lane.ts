/** One partition number of the group in our hands: that of the topic and that of its retry topic belong together. */

import { Waker } from '../waker.ts';
import { AckWindow } from './ack-window.ts';
import { Backlog } from './backlog.ts';
import type { Entry } from './entry.ts';
import { Recent } from './recent.ts';

/**
 * gaining ─▶ open ─▶ leaving ─▶ closed     others worked on it; we do; what is in work ends; it is free
 *    │        ▲         │
 *    │        └─────────┘                  given back before it was freed
 *    └───────▶ closed                      taken away before it was ours; or ownership was lost
 */
export type LaneState = 'gaining' | 'open' | 'leaving' | 'closed';

export interface Work {
  entry: Entry;
  /** Fires when the delivery is no longer ours; from then on nothing is recorded for it. */
  giveUp: AbortController;
}

const rememberedIds = 10_000;

export class Lane {
  readonly partition: number;
  state: LaneState = 'gaining';
  /** Of `performance.now()`, since a clock that is set anew must not end a wait: from then on it is taken, whoever holds it. */
  readonly gainBy: number;
  /** Of `performance.now()`: since then the brokers have said that it ends before where the group is. */
  beyondEndSince: number | null = null;
  main: Backlog;
  retry: Backlog;
  /** The retry partition is read up to here before the main one: by then it is known which keys wait in it. */
  retryEnd = 0;
  /** Tells whoever waits for work to end. */
  readonly waker = new Waker();
  /** By key. */
  readonly inWork = new Map<string, Work>();
  /** Deliveries on their way to the retry topic, by key. */
  readonly #underway = new Map<string, Set<string>>();
  /** Deliveries that need no other. */
  readonly settled = new Recent(rememberedIds);
  /** Something was finished since the last commit. */
  dirty = false;
  /** Whether the member reads no further. */
  readonly paused = { main: true, retry: true };

  constructor(partition: number, topics: { main: string; retry: string }, gainBy: number) {
    this.partition = partition;
    this.gainBy = gainBy;
    this.main = new Backlog(topics.main, partition, new AckWindow(0));
    this.retry = new Backlog(topics.retry, partition, new AckWindow(0));
  }

  backlogOf(topic: string): Backlog {
    return topic === this.retry.topic ? this.retry : this.main;
  }

  /** Whether messages of the key are to be handled before those of the main topic. */
  retriesKey(key: string): boolean {
    return this.retry.holds(key) || this.#underway.has(key);
  }

  /** It is being sent to the retry topic. */
  sending({ key, identity }: Entry): void {
    const underway = this.#underway.get(key);
    if (underway === undefined) this.#underway.set(key, new Set([identity]));
    else underway.add(identity);
  }

  /** It was read there. */
  arrived({ key, identity }: Entry): void {
    const underway = this.#underway.get(key);
    if (underway?.delete(identity) && underway.size === 0) this.#underway.delete(key);
  }

  get retryIsRead(): boolean {
    return this.retry.window.next >= this.retryEnd;
  }

  /** Of each key the first, those of the retry topic before the others. */
  *heads(): Generator<Entry> {
    yield* this.retry.heads();
    yield* this.main.heads();
  }

  isInMain({ topic }: Entry): boolean {
    return topic === this.main.topic;
  }

  finish(entry: Entry): void {
    this.backlogOf(entry.topic).finish(entry);
  }

  abort(): void {
    for (const { giveUp } of this.inWork.values()) giveUp.abort();
  }
}
