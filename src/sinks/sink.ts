import type { Compiled, CompiledTurns, Verified } from '../records.ts';

export type SinkMessage = Compiled | CompiledTurns | Verified;

/** Rows of one message, by what became of them. */
export interface WriteEffect {
  written: number;
  /** There already, as they are or newer. */
  unchanged: number;
  /** Of which the sink can't tell. */
  unknown: number;
}

/**
 * Where compiled trajectories, and later verdicts on their pairs, end up. Writing is idempotent: any message, any number
 * of times, in any order, leaves the same rows.
 */
export interface Sink {
  /** Also the name of its consumer group. */
  readonly name: string;
  /** Resolves when every row of the message is durable; rejects with a classified error. */
  write(message: SinkMessage, signal: AbortSignal): Promise<WriteEffect>;
  close(): Promise<void>;
}
