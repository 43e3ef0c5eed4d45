/** A segment known from one trajectory, met again in another of the same session: the same pairs under new indexes. */
import type { QaPair, RejectedPair } from '../records.ts';
import type { SegmentResult } from './calls.ts';
import type { SegmentView } from './compiler.ts';

/** The recorded result as a result of this segment. Where it is the very same segment, nothing changes. */
export function rebase(result: SegmentResult, view: SegmentView): SegmentResult {
  const known = result.outcome.segment;
  if (known.id === view.segment.id) return result;
  const shift = view.segment.firstTurn - known.firstTurn;
  return {
    ...result,
    outcome: { ...result.outcome, segment: { ...view.segment, shareSeen: known.shareSeen, metrics: known.metrics } },
    pairs: result.pairs.map((pair) => rebasePair(pair, view, shift)),
    rejected: result.rejected.map((pair): RejectedPair => ({ ...pair, segmentId: view.segment.id })),
  };
}

function rebasePair(pair: QaPair, { trajectory, segment }: SegmentView, shift: number): QaPair {
  const { derivation } = pair;
  return {
    ...pair,
    segmentId: segment.id,
    trajectoryId: trajectory.id,
    part: trajectory.part,
    turnCount: trajectory.turns.length,
    supportingTurns: pair.supportingTurns.map((turn) => turn + shift),
    evidence: pair.evidence.map((quote) => {
      const turn = quote.turn + shift;
      return { ...quote, turn, rowKey: trajectory.turns[turn]?.rowKey ?? quote.rowKey };
    }),
    derivation:
      derivation === null
        ? null
        : {
            ...derivation,
            operands: derivation.operands.map((operand) => ({ ...operand, turn: operand.turn + shift })),
          },
  };
}
