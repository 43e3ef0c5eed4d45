/** Which segments are worth a model's time: of one shape the first ones, then one in so many. */
import type { Micros } from '../../records.ts';
import type { SegmentView } from '../compiler.ts';

export interface Coverage {
  /** True where the segment is to be compiled. The same segment gets the same answer again. */
  admits(view: SegmentView): Promise<boolean>;
  close(): Promise<void>;
}

export interface CoverageRules {
  /** Segments of one shape that are compiled whatever else there is, within the window. */
  first: number;
  /** Of the further ones one in so many. 1: all, those too that other rules once passed over. */
  oneIn: number;
  /** By the ends of the trajectories, in commit time; no clock of this machine is asked. */
  windowMs: number;
}

/** A shape that is known and shares some shingles with the segment that is asked about. */
export interface KnownShape {
  id: number;
  /** Shingles that it has, and those of them that the segment has too. */
  size: number;
  shared: number;
  /** Segments of it that were passed over since the last one that was compiled beyond the first ones. */
  passedOver: number;
}

/** What a segment is decided by. */
export interface Standing {
  /** Of its shape, within the window. */
  compiled: number;
  passedOver: number;
  /** It calls a tool that its agent never called before. */
  newTool: boolean;
  /** For each kind of failure in it, how many segments with such a one were compiled within the window. */
  failures: readonly number[];
}

export interface Decision {
  admitted: boolean;
  why: 'new_tool' | 'failure' | 'first' | 'sample' | 'passed_over';
}

/** Half of what either of them does is done by both: the runs of one routine differ by what they meet. */
const leastAlike = 0.5;

/** The known shape that the segment belongs to: of those that are alike enough the likest, then the oldest. */
export function shapeAmong(known: readonly KnownShape[], shingles: number): KnownShape | null {
  const likeness = ({ size, shared }: KnownShape) => shared / (size + shingles - shared);
  const alike = known.filter((shape) => likeness(shape) >= leastAlike);
  return alike.sort((a, b) => likeness(b) - likeness(a) || a.id - b.id)[0] ?? null;
}

/**
 * Failures are what people ask about, so they are compiled as long as their kind is rare; of an agent that fails in every
 * session they would be everything, so that their kind counts as a shape does.
 */
export function decide({ compiled, passedOver, newTool, failures }: Standing, rules: CoverageRules): Decision {
  if (newTool) return { admitted: true, why: 'new_tool' };
  if (compiled < rules.first) return { admitted: true, why: 'first' };
  if (failures.some((seen) => seen < rules.first)) return { admitted: true, why: 'failure' };
  if (passedOver + 1 >= rules.oneIn) return { admitted: true, why: 'sample' };
  return { admitted: false, why: 'passed_over' };
}

/** Before and after: existing sessions are compiled longest first, not in the order of their time. */
export function windowRound(at: Micros, { windowMs }: CoverageRules): { from: Micros; to: Micros } {
  return { from: at - windowMs * 1000, to: at + windowMs * 1000 };
}
