/**
 * The contract of a topic, whichever transport is behind it. One suite of tests decides whether an implementation
 * keeps it.
 */
export interface Message<T> {
  /** What orders messages: those of one key are handled one after another, in the order of publishing. */
  key: string;
  /**
   * Names the message for ever: publishing an id again changes nothing. On Kafka that holds while one member keeps the
   * key's partition; once it goes to another, an id published again is delivered again.
   */
  id: string;
  value: T;
  /**
   * Messages of different lanes take turns, so that who publishes much holds up nobody else; within a lane they go by age.
   * Of use on the embedded topic. On Kafka the order in which the partitions lie is the order in which they are read.
   */
  lane?: string;
  /**
   * Set where an id that may be finished is to be delivered once more, and different each time. Of use on Kafka, whose
   * members remember what they have finished; the embedded topic's memory is cleared instead.
   */
  again?: string;
}

export interface Delivery<T> {
  message: Message<T>;
  /** 1 for the first. */
  attempt: number;
  /** Fires when the work must be given up: ownership was lost, or the consumer is stopped for good. */
  signal: AbortSignal;
}

/** Resolving acknowledges. Throwing an OperatorError decides by its kind: retry later, park as dead letter, stop. */
export type Handler<T> = (delivery: Delivery<T>) => Promise<void>;

export interface ConsumeOptions {
  /** Messages of different keys in work at once. */
  concurrency: number;
  /** First signal: take nothing new, finish what is in work, then resolve. */
  signal: AbortSignal;
  /** Second signal: give up what is in work. What was not acknowledged is delivered again to the next consumer. */
  abort?: AbortSignal;
}

export interface Lag {
  /** Published and not finished by this group, in work included, dead letters not. */
  messages: number;
  /** Of them, delivered and neither finished nor parked. */
  inWork: number;
  /**
   * Milliseconds since the oldest unfinished one was published; null when there is none. On Kafka, of what another process
   * is to handle: since it was written, up to a tenth less than that, and a second at least.
   */
  oldestAgeMs: number | null;
  /** Parked for a person to look at. */
  deadLetters: number;
  /** The messages by partition, where the transport has partitions: all of them, in order. Together they are `messages`. */
  partitions?: readonly { partition: number; messages: number }[];
}

export interface DeadLetter {
  group: string;
  id: string;
  key: string;
  attempts: number;
  /** Code of the error that parked it. */
  code: string;
  error: string;
  parkedAt: string;
}

export interface ShownDeadLetter {
  letter: DeadLetter;
  /** The value as its codec encoded it. Row contents: for whoever asked, never for a log. */
  bytes: Uint8Array;
}

export interface Topic<T> {
  readonly name: string;
  /** Resolves when the message is durable. */
  publish(message: Message<T>): Promise<void>;
  /**
   * Runs until `signal` fires, or rejects with the error that stopped it. Messages of one key are handled in order; a
   * message is acknowledged only when its handler resolved; each group gets every message.
   */
  consume(group: string, handler: Handler<T>, options: ConsumeOptions): Promise<void>;
  lag(group: string): Promise<Lag>;
  deadLetters(group: string): Promise<DeadLetter[]>;
  /** One of them with its value. Null where there is none of that id. */
  showDeadLetter(group: string, id: string): Promise<ShownDeadLetter | null>;
  /** Puts a dead letter back at the end of its key. False where there is none of that id. */
  requeue(group: string, id: string): Promise<boolean>;
  close(): Promise<void>;
}

/** How a message's value becomes bytes. The trajectories of the embedded topic are references into the journal. */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  /** Throws a parking OperatorError where the bytes are not a value of this kind or of another major version. */
  decode(bytes: Uint8Array): T | Promise<T>;
}
