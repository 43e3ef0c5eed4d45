/** One of several captures of one log: every session belongs to exactly one of them. */

export interface Shard {
  /** 0-based. */
  index: number;
  count: number;
}
