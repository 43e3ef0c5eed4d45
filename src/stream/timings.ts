/** How often what is done, unless the options say otherwise. */
import type { SourceTimings } from './contract.ts';

export const defaultTimings: SourceTimings = {
  probeMs: 1_000,
  pollMs: 10_000,
  publicationMs: 60_000,
  idleAdvanceMs: 10_000,
  confirmMs: 200,
  slotWaitMs: 20_000,
  backoff: { baseMs: 200, maxMs: 15_000 },
};
