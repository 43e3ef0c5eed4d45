/** The messages of one partition that were read and are not finished, a queue a key. */
import type { AckWindow } from './ack-window.ts';
import type { CommitNote } from './commit-note.ts';
import type { Entry } from './entry.ts';

/** Beyond either, reading the partition pauses until half is finished. */
const mostHeld = 2_000;
const mostHeldBytes = 8 * 1024 * 1024;

export class Backlog {
  readonly topic: string;
  readonly partition: number;
  readonly window: AckWindow;
  /** Where a gap was met last, to tell one that a seek mends from one that stays. */
  soughtAt: number | null = null;
  /** Deliveries without an outcome under earlier owners, of messages that were not read here yet. By offset. */
  readonly #begunBefore: Map<number, number>;
  readonly #queues = new Map<string, Entry[]>();
  #held = 0;
  #heldBytes = 0;

  constructor(topic: string, partition: number, window: AckWindow, begun: CommitNote['begun'] = []) {
    this.topic = topic;
    this.partition = partition;
    this.window = window;
    this.#begunBefore = new Map(begun.map(([beyond, deliveries]) => [window.base + beyond, deliveries]));
  }

  add(entry: Entry): void {
    entry.attempts = Math.max(entry.attempts, entry.failures + (this.#begunBefore.get(entry.offset) ?? 0));
    this.#begunBefore.delete(entry.offset);
    const queue = this.#queues.get(entry.key);
    if (queue === undefined) this.#queues.set(entry.key, [entry]);
    else queue.push(entry);
    this.#held++;
    this.#heldBytes += entry.value?.length ?? 0;
  }

  /** Of each key the first that is not finished. */
  *heads(): Generator<Entry> {
    for (const queue of this.#queues.values()) yield queue[0]!;
  }

  holds(key: string): boolean {
    return this.#queues.has(key);
  }

  finish(head: Entry): void {
    this.window.finish(head.offset);
    const queue = this.#queues.get(head.key);
    if (queue?.[0] !== head) return;
    queue.shift();
    if (queue.length === 0) this.#queues.delete(head.key);
    this.#held--;
    this.#heldBytes -= head.value?.length ?? 0;
  }

  get hasRoom(): boolean {
    return this.window.hasRoom && this.#held < mostHeld && this.#heldBytes < mostHeldBytes;
  }

  /** Room enough to read on after a pause. */
  get hasMuchRoom(): boolean {
    return this.window.hasRoom && this.#held <= mostHeld / 2 && this.#heldBytes <= mostHeldBytes / 2;
  }

  /** As a commit notes them. `inWork`: whether a delivery of the entry is going on that may end without an outcome. */
  begun(inWork: (entry: Entry) => boolean): CommitNote['begun'] {
    const known = [...this.#begunBefore];
    for (const entry of this.heads()) {
      const deliveries = entry.attempts - entry.failures + (inWork(entry) ? 1 : 0);
      if (deliveries > 0) known.push([entry.offset, deliveries]);
    }
    return known.map(([offset, deliveries]) => [offset - this.window.base, deliveries]);
  }

  /** Milliseconds since 1970; null where nothing is held. */
  oldestPublishedAt(): number | null {
    let oldest: number | null = null;
    for (const { publishedAt } of this.heads()) oldest = Math.min(oldest ?? publishedAt, publishedAt);
    return oldest;
  }
}
