/** The default topic: a SQLite file on this host, which several processes may share. */
import type { BackoffOptions } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { explainSqlite, openSqlite, type SqliteDatabase } from '../sqlite.ts';
import { Consumer } from './consumer.ts';
import { GroupCommit } from './group-commit.ts';
import { isGone, newOwner } from './owner.ts';
import { topicMigrations } from './schema.ts';
import { TopicStore } from './store.ts';
import type { Codec, ConsumeOptions, DeadLetter, Handler, Lag, Message, ShownDeadLetter, Topic } from './topic.ts';

export interface EmbeddedTopicOptions<T> {
  /** The file; topics of other names may lie in it too. */
  path: string;
  name: string;
  codec: Codec<T>;
  log: Logger;
  /**
   * Groups that get every message from now on, whether or not they consume yet. One that is not named here begins at its
   * first `consume`, with the oldest message that another has not finished.
   */
  groups?: readonly string[];
  /**
   * How long a consumer that stands still, or died on another host, keeps a message from the others; renewed while the
   * handler runs. Default 30 s.
   */
  leaseMs?: number;
  /** Failures after which a message is parked. Default 10. */
  maxAttempts?: number;
  /** Default: 1 s, doubling up to 5 minutes. */
  backoff?: BackoffOptions;
  /** Ids that every group has finished, dead letters excepted: what they refer to is no longer needed by this topic. */
  onFinished?: (ids: string[]) => void;
}

export interface EmbeddedTopic<T> extends Topic<T> {
  groups(): string[];
  /** Which of these every group has finished. For whoever was not there when `onFinished` was called. */
  finishedAmong(ids: readonly string[]): string[];
  /** Forgets a group, its lag and its dead letters: it holds back no message any longer. */
  dropGroup(group: string): Promise<void>;
}

const what = 'topics';
const onDisk = { durable: true };

/** @throws OperatorError as `openSqlite` does. */
export function openEmbeddedTopic<T>(options: EmbeddedTopicOptions<T>): EmbeddedTopic<T> {
  const db = openSqlite(options.path, { what, migrations: topicMigrations, synchronous: 'full' });
  try {
    return new Embedded(db, options);
  } catch (error) {
    db.close();
    throw explainSqlite(error, what, options.path);
  }
}

class Embedded<T> implements EmbeddedTopic<T> {
  readonly name: string;
  readonly #db: SqliteDatabase;
  readonly #options: EmbeddedTopicOptions<T>;
  readonly #store: TopicStore;
  readonly #commits: GroupCommit;
  readonly #closing = new AbortController();
  readonly #running = new Map<Consumer<T>, Promise<void>>();

  constructor(db: SqliteDatabase, options: EmbeddedTopicOptions<T>) {
    this.name = options.name;
    this.#db = db;
    this.#options = options;
    this.#store = new TopicStore(db, options.name);
    this.#commits = new GroupCommit(db, what, options.path);
    db.transaction(() => {
      for (const group of options.groups ?? []) this.#store.register(group);
    }).immediate();
  }

  async publish({ value, ...message }: Message<T>): Promise<void> {
    const bytes = this.#options.codec.encode(value);
    const stored = { ...message, value: bytes };
    const isNew = await this.#commits.submit(() => this.#store.publish(stored, Date.now()), onDisk);
    if (isNew) this.#wakeAll();
  }

  async consume(group: string, handler: Handler<T>, { concurrency, signal, abort }: ConsumeOptions): Promise<void> {
    const {
      codec,
      log,
      leaseMs = 30_000,
      maxAttempts = 10,
      backoff = { baseMs: 1_000, maxMs: 300_000 },
    } = this.#options;
    const groupNumber = await this.#commits.submit(() => {
      const number = this.#store.register(group);
      this.#store.releaseFrom(number, isGone);
      return number;
    }, onDisk);
    const consumer = new Consumer<T>({
      topic: this.name,
      group,
      groupNumber,
      owner: newOwner(),
      handler,
      codec,
      store: this.#store,
      commits: this.#commits,
      concurrency,
      signal: AbortSignal.any([signal, this.#closing.signal]),
      ...(abort === undefined ? {} : { abort }),
      leaseMs,
      rules: { maxAttempts, backoff },
      log,
      onFinished: (ids) => this.#options.onFinished?.(ids),
    });
    const run = consumer.run().finally(() => this.#running.delete(consumer));
    this.#running.set(consumer, run);
    await run;
  }

  async lag(group: string): Promise<Lag> {
    return this.#read(() => this.#store.lag(group, Date.now()));
  }

  async deadLetters(group: string): Promise<DeadLetter[]> {
    return this.#read(() => this.#store.deadLetters(group));
  }

  async showDeadLetter(group: string, id: string): Promise<ShownDeadLetter | null> {
    return this.#read(() => this.#store.deadLetter(group, id));
  }

  async requeue(group: string, id: string): Promise<boolean> {
    const found = await this.#commits.submit(() => this.#store.requeue(group, id), onDisk);
    if (found) this.#wakeAll();
    return found;
  }

  groups(): string[] {
    return this.#read(() => this.#store.groupNames());
  }

  finishedAmong(ids: readonly string[]): string[] {
    return this.#read(() => this.#store.finishedAmong(ids));
  }

  async dropGroup(group: string): Promise<void> {
    const finished = await this.#commits.submit(() => this.#store.drop(group), onDisk);
    if (finished.length > 0) this.#options.onFinished?.(finished);
  }

  /** Drains first: what is in work is finished. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#running.values());
    // A change that was submitted a moment ago is still to be committed.
    await this.#commits.submit(() => undefined, onDisk);
    this.#db.close();
  }

  #read<R>(query: () => R): R {
    try {
      return query();
    } catch (error) {
      throw this.#commits.explain(error);
    }
  }

  #wakeAll(): void {
    for (const consumer of this.#running.keys()) consumer.waker.wake();
  }
}
