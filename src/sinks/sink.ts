import type { Compiled, CompiledTurns } from '../records.ts';

/**
 * Where compiled trajectories end up. Writing is idempotent: any message, any number of times, in any order, leaves the
 * same rows.
 */
export interface Sink {
  /** Also the name of its consumer group. */
  readonly name: string;
  /** Resolves when every row of the message is durable; rejects with a classified error. */
  write(message: Compiled | CompiledTurns, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
