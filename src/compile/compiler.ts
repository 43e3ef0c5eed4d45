/** The contract of the two compilers, and the view of a segment that both of them and every gate work on. */
import type { CompilerVersion, Derivation, ModelCall, QaType, Segment, Trajectory, Turn } from '../records.ts';

/** One turn as a compiler sees it. */
export interface RenderedTurn {
  /** Index in the trajectory: what supporting turns and evidence name. */
  index: number;
  turn: Turn;
  /** Decoded rendering: agent, tool, arguments, response, with JSON escapes resolved. Row text itself stays JSON. */
  text: string;
  /** Part of the row's text was cut from `text`, at a visible mark. */
  clipped: boolean;
  /** False for thoughts and empty rows: they do not make a gap between two supporting turns. */
  bearsEvidence: boolean;
  /** `arguments` and `response` parsed where they are JSON, else the text itself; null where there is none. */
  arguments: unknown;
  response: unknown;
}

/** A segment with everything that is asked of it. Built once a segment, read by compilers and gates alike. */
export interface SegmentView {
  trajectory: Trajectory;
  segment: Segment;
  /** The segment's turns in order; `turns[0].index` is `segment.firstTurn`. */
  turns: RenderedTurn[];
}

/** A pair as proposed, before gates. */
export interface DraftPair {
  question: string;
  answer: string;
  qaType: QaType;
  /** Indexes in the trajectory. */
  supportingTurns: number[];
  /** Quotes as proposed; the gate finds them in the rendering and fixes offset and row key. */
  evidence: { turn: number; quote: string }[];
  derivation: Derivation | null;
  /** JSON text of the proposal. */
  raw: string;
}

export interface Proposal {
  drafts: DraftPair[];
  calls: ModelCall[];
  /** Proposals that are not even of a draft's form, with the gate's reason code `schema`. */
  malformed: { detail: string; raw: string }[];
  /** Why there are no drafts, where there are none: `no_structure`, `blocked`, `truncated`, … */
  emptyReason: string | null;
}

export interface Compiler {
  readonly version: CompilerVersion;
  /** `fresh` asks a model again although its answer is known. */
  propose(view: SegmentView, signal: AbortSignal, options?: { fresh?: boolean }): Promise<Proposal>;
}
