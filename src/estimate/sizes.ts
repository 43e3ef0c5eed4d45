/** How large the segments of sessions are, and which of them would be compiled. */
import type { Coverage } from '../compile/coverage/coverage.ts';
import { requestFor } from '../compile/prompt.ts';
import { createView, segmentTrajectory } from '../compile/segment.ts';
import type { Trajectory } from '../records.ts';
import type { SegmentSize } from './tokens.ts';

export interface MeasuredSegment extends SegmentSize {
  /** By its shape; true where coverage is not asked. */
  admitted: boolean;
}

/** As many as a model is asked for. */
const maxPairs = 5;

/** The segments of trajectories, which are to come in the order of their ends. */
export async function segmentSizes(
  trajectories: AsyncIterable<Trajectory> | Iterable<Trajectory>,
  { windowTokens, coverage }: { windowTokens: number; coverage: Coverage | null },
): Promise<MeasuredSegment[]> {
  const sizes: MeasuredSegment[] = [];
  for await (const trajectory of trajectories) {
    for (const view of segmentTrajectory(trajectory, { windowTokens })) {
      const { system, prompt, schema } = requestFor(view, maxPairs);
      sizes.push({
        turns: view.turns.length,
        chars: view.turns.reduce((sum, { text }) => sum + text.length, 0),
        promptChars: system.length + prompt.length + JSON.stringify(schema).length,
        admitted: coverage === null || (await coverage.admits(view)),
      });
    }
  }
  return sizes;
}

/** Between two turns: tags, the turn's number and time. */
const charsRoundTurn = 92;

/** Of a segment of which no more than this is known. */
export function sizeOf(turns: number, chars: number): SegmentSize {
  return { turns, chars, promptChars: chars + turns * charsRoundTurn + fixedChars() };
}

let fixed: number | undefined;

function fixedChars(): number {
  if (fixed === undefined) {
    const { system, prompt, schema } = requestFor(createView(nothing), maxPairs);
    fixed = system.length + prompt.length + JSON.stringify(schema).length;
  }
  return fixed;
}

const nothing: Trajectory = {
  spec: 'trajectory/1',
  id: '',
  source: '',
  sessionId: '',
  part: 0,
  agents: [],
  turns: [],
  startedAt: 0,
  endedAt: 0,
  closedBy: 'history',
  contentHash: '',
};
