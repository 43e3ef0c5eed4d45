/**
 * What the calls for one segment take in tokens, from what is assumed, or from what was measured. Every figure is a range:
 * the lower end of everything, and the upper end.
 */
import type { Capability } from '../compile/models/capabilities.ts';

export interface Range {
  low: number;
  high: number;
}

export interface SegmentSize {
  turns: number;
  /** Of its turns as a model is shown them. */
  chars: number;
  /** Of the whole request to compile it. */
  promptChars: number;
}

/** For all calls of one stage for one segment. */
export interface StageTokens {
  input: Range;
  /** Thoughts left out. */
  output: Range;
  thinking: Range;
}

/** Of one model at one stage, over calls that were recorded. */
export interface Measured {
  calls: number;
  /** Of the stage, for each character that the segment's request to compile it has. */
  inputPerChar: number;
  outputPerSegment: number;
  thinkingPerSegment: number;
}

/** Fewer calls say little about the next ones. */
export const measuredCalls = 50;

/** What holds as long as nothing is measured. */
export const assumed = {
  /** The more characters a token has, the fewer tokens. JSON has about 3, prose 4 to 5. */
  charsPerToken: { low: 4.2, high: 2.8 },
  /** One answer with up to five pairs, each with its quotes. */
  compileOutput: { low: 400, high: 1_400 },
  /** Of what the model may spend on thoughts. */
  thinkingShare: { low: 0.05, high: 0.3 },
  /** Calls beyond the first that are billed, as a share of all. */
  retries: { low: 0, high: 0.05 },
  /** Segments that have pairs for the verifier to look at. */
  verifiedShare: { low: 0.5, high: 0.95 },
  /** Turns that it is shown to answer blindly: of two pairs two turns each, of three pairs three, one left out at a time. */
  blindTurns: { low: 8, high: 27 },
  /** Its instructions, in both calls together. */
  verifyFixedChars: { low: 6_000, high: 8_000 },
  verifyOutput: { low: 400, high: 1_800 },
  verifyCalls: { low: 2, high: 2 },
  /** Round what was measured. */
  margin: { low: 0.9, high: 1.1 },
} as const satisfies Record<string, Range>;

const zero: Range = { low: 0, high: 0 };

const ends = (make: (end: 'low' | 'high') => number): Range => ({ low: make('low'), high: make('high') });

export function assumedCompile({ promptChars }: SegmentSize, { thinkingTokens }: Capability): StageTokens {
  const calls = withRetries(1);
  return {
    input: ends((end) => (calls[end] * promptChars) / assumed.charsPerToken[end]),
    output: ends((end) => calls[end] * assumed.compileOutput[end]),
    thinking: ends((end) => calls[end] * assumed.thinkingShare[end] * thinkingTokens),
  };
}

/** One call answers blindly from the cited turns, one judges over the whole segment. */
export function assumedVerify(
  { turns, chars }: SegmentSize,
  { thinkingTokens }: Capability,
  { windowChars, share = assumed.verifiedShare }: { windowChars: number; share?: Range },
): StageTokens {
  const calls = ends((end) => share[end] * withRetries(1)[end]);
  const turnChars = turns === 0 ? 0 : chars / turns;
  const shown = ends((end) => Math.min(assumed.blindTurns[end] * turnChars, windowChars) + chars);
  return {
    input: ends((end) => (calls[end] * (shown[end] + assumed.verifyFixedChars[end])) / assumed.charsPerToken[end]),
    output: ends((end) => calls[end] * assumed.verifyOutput[end]),
    thinking: ends((end) => calls[end] * assumed.verifyCalls[end] * assumed.thinkingShare[end] * thinkingTokens),
  };
}

export function measuredTokens({ promptChars }: SegmentSize, measured: Measured): StageTokens {
  const around = (mean: number) => ends((end) => mean * assumed.margin[end]);
  return {
    input: around(measured.inputPerChar * promptChars),
    output: around(measured.outputPerSegment),
    thinking: around(measured.thinkingPerSegment),
  };
}

function withRetries(calls: number): Range {
  return ends((end) => calls * (1 + assumed.retries[end]));
}

export function sumOf(ranges: Iterable<Range>): Range {
  let sum = zero;
  for (const { low, high } of ranges) sum = { low: sum.low + low, high: sum.high + high };
  return sum;
}

export function times({ low, high }: Range, factor: Range | number): Range {
  const by = typeof factor === 'number' ? { low: factor, high: factor } : factor;
  return { low: low * by.low, high: high * by.high };
}
