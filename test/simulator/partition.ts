/**
 * A partition of a Kafka topic without brokers: its log, the offset and note that were last committed, and owners that
 * come and go. The window and the backlog are the real ones; what is finished is remembered in a plain set.
 */
import { AckWindow } from '../../src/topic/kafka/ack-window.ts';
import { Backlog } from '../../src/topic/kafka/backlog.ts';
import { readNote, writeNote } from '../../src/topic/kafka/commit-note.ts';
import type { Entry } from '../../src/topic/kafka/entry.ts';
import { Choices } from './choices.ts';
import { demand } from './violation.ts';

const keys = ['a', 'b', 'c', 'd'];

class Partition {
  /** The key at each offset; null where there is no message, as after a transaction marker or compaction. */
  readonly log: (string | null)[] = [];
  /** Finished under any owner. */
  readonly finished = new Set<number>();
  /** What commits have told: finished, and so never to be delivered again. */
  finishedCommitted = new Set<number>();
  #committed: { base: number; note: string };
  #backlog: Backlog;
  #inWork = new Set<Entry>();
  /** Where the brokers read on. */
  #position: number;

  constructor(base: number) {
    for (let offset = 0; offset < base; offset++) this.log.push(null);
    this.#committed = { base, note: writeNote({ holder: null, finished: new Uint8Array(), begun: [] }) };
    this.#position = base;
    this.#backlog = this.#own();
  }

  publish(key: string | null, count: number): void {
    for (let i = 0; i < count; i++) this.log.push(key);
  }

  read(count: number): void {
    const { window } = this.#backlog;
    for (let i = 0; i < count && this.#position < this.log.length; this.#position++) {
      const offset = this.#position;
      const key = this.log[offset];
      // The brokers hand out messages alone; that there is none is known by the next one's offset.
      if (key == null) continue;
      i += 1;
      if (offset > window.next) window.skipTo(offset);
      if (!window.file(offset)) continue;
      demand(!this.finishedCommitted.has(offset), 'what was committed as finished is not delivered again');
      this.#backlog.add(entryAt(offset, key));
    }
  }

  /** A fetch that begins earlier, as after a connection was lost. */
  seekBack(by: number): void {
    this.#position = Math.max(this.#committed.base, this.#position - by);
  }

  begin(choose: Choices): void {
    const heads = [...this.#backlog.heads()].filter((entry) => !this.#inWork.has(entry));
    if (heads.length === 0) return;
    const entry = choose.of(heads);
    for (let offset = 0; offset < entry.offset; offset++) {
      const isBefore = this.log[offset] === entry.key && !this.finished.has(offset);
      demand(!isBefore, 'messages of one key are delivered in order');
    }
    this.#inWork.add(entry);
  }

  finish(choose: Choices): void {
    if (this.#inWork.size === 0) return;
    const entry = choose.of([...this.#inWork]);
    this.#inWork.delete(entry);
    this.finished.add(entry.offset);
    this.#backlog.finish(entry);
    this.check();
  }

  check(): void {
    const { base } = this.#backlog.window;
    for (let offset = 0; offset < base && offset < this.log.length; offset++) {
      demand(this.log[offset] == null || this.finished.has(offset), 'only a finished prefix is acknowledged');
    }
  }

  commit(): void {
    const { window } = this.#backlog;
    this.check();
    const begun = this.#backlog.begun((entry) => this.#inWork.has(entry));
    this.#committed = { base: window.base, note: writeNote({ holder: 'a', finished: window.bits(), begun }) };
    this.finishedCommitted = new Set(this.finished);
  }

  /** The owner is gone; the next one begins with what was committed. */
  handOver(): void {
    this.#inWork.clear();
    // What was not committed is delivered again, in its order.
    for (const offset of this.finished) if (!this.finishedCommitted.has(offset)) this.finished.delete(offset);
    this.#backlog = this.#own();
    this.#position = this.#committed.base;
  }

  /** Everything is read and finished. */
  drain(): void {
    const choose = new Choices(1);
    for (;;) {
      this.read(1_000);
      this.begin(choose);
      if (this.#inWork.size === 0) break;
      while (this.#inWork.size > 0) this.finish(choose);
    }
    this.log.forEach((key, offset) => {
      demand(key === null || this.finished.has(offset), `offset ${offset} is never delivered`);
    });
    const last = this.log.findLastIndex((key) => key !== null);
    demand(this.#backlog.window.base > last, 'once all is finished all can be acknowledged');
    demand(this.#backlog.window.finishedBeyond === 0, 'nothing is remembered for ever');
  }

  #own(): Backlog {
    const { base, note } = this.#committed;
    const { finished, begun } = readNote(note);
    return new Backlog('parcels', 0, new AckWindow(base, finished), begun);
  }
}

function entryAt(offset: number, key: string): Entry {
  const names = { topic: 'parcels', partition: 0, key, id: String(offset), identity: String(offset) };
  return { ...names, offset, value: null, headers: {}, publishedAt: 0, attempts: 0, failures: 0, notBefore: 0 };
}

const events: [name: string, event: (partition: Partition, choose: Choices) => unknown][] = [
  ['publish', (partition, choose) => partition.publish(choose.of(keys), 1 + choose.below(3))],
  ['publish', (partition, choose) => partition.publish(choose.of(keys), 1)],
  ['offsets without a message', (partition, choose) => partition.publish(null, 1 + choose.below(12))],
  ['read', (partition, choose) => partition.read(1 + choose.below(4))],
  ['read', (partition, choose) => partition.read(1 + choose.below(9))],
  ['seek back', (partition, choose) => partition.seekBack(1 + choose.below(5))],
  ['begin', (partition, choose) => partition.begin(choose)],
  ['begin', (partition, choose) => partition.begin(choose)],
  ['finish', (partition, choose) => partition.finish(choose)],
  ['finish', (partition, choose) => partition.finish(choose)],
  ['commit', (partition) => partition.commit()],
  ['another owner', (partition) => partition.handOver()],
];

/** @param told takes the history down, event by event */
export async function simulatePartition(numbers: readonly number[], told?: string[]): Promise<void> {
  const partition = new Partition((numbers[0] ?? 0) % 9);
  for (const number of numbers.slice(1)) {
    const choose = new Choices(number);
    const [name, event] = choose.of(events);
    told?.push(name);
    event(partition, choose);
  }
  told?.push('all is read and finished');
  partition.drain();
}
