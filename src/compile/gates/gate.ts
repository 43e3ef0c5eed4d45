/** What a gate is: it looks at one proposed pair and may only refuse it. */
import type { Evidence } from '../../records.ts';
import type { DraftPair, RenderedTurn, SegmentView } from '../compiler.ts';
import type { Recompute } from '../derivation.ts';
import type { Reason } from '../reasons.ts';

export interface Refusal {
  reason: Reason;
  /** What exactly offended. May hold text of the pair: it goes to the dataset, never to a log. */
  detail: string;
}

export interface GateContext {
  view: SegmentView;
  recompute: Recompute;
  leaks: (text: string) => string[];
}

/** A pair on its way through the gates. */
export interface Candidate {
  draft: DraftPair;
  /** The cited turns, ascending, each once; after trimming only those that are needed. */
  turns: RenderedTurn[];
  /** Quotes found in the cited turns. */
  evidence: Evidence[];
  /** The derivation was run again and gave the answer. */
  recomputed: boolean;
}

export function refuse(reason: Reason, detail: string): Refusal {
  return { reason, detail };
}

/** Text cut to what a detail needs. */
export function excerpt(text: string, maxChars = 80): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars - 1).toWellFormed()}…`;
}
