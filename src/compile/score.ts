/** What there is to ask about in a segment, as numbers. They describe; nothing is left out because of them here. */
import { microsOf } from '../records.ts';
import type { RenderedTurn } from './compiler.ts';

const errorPattern = /\b(error|exception|traceback|failed|failure|denied|refused|not found|invalid)\b/i;
/** How far into a response an error announces itself; further in, the word is usually part of some content. */
const errorHeadChars = 200;
const valuePattern = /[\p{L}\p{N}_@./#-]+/gu;
const minValueChars = 4;
/** Longer runs are encoded data, which nobody asks about. */
const maxValueChars = 200;

export function metricsOf(turns: readonly RenderedTurn[]): Record<string, number> {
  const calls = new Map<string, Set<string>>();
  for (const { turn, bearsEvidence } of turns) {
    if (!bearsEvidence || turn.arguments === null) continue;
    const key = `${turn.tool}\0${turn.arguments}`;
    calls.set(key, (calls.get(key) ?? new Set()).add(turn.response ?? ''));
  }
  const bearing = turns.filter((turn) => turn.bearsEvidence);
  return {
    turns: turns.length,
    evidence_turns: bearing.length,
    chars: turns.reduce((sum, turn) => sum + turn.text.length, 0),
    clipped_turns: turns.filter((turn) => turn.clipped).length,
    agents: new Set(turns.map(({ turn }) => turn.agent)).size,
    tools: new Set(turns.map(({ turn }) => turn.tool)).size,
    errors: bearing.filter(isError).length,
    distinct_calls: calls.size,
    changed_answers: [...calls.values()].filter((answers) => answers.size > 1).length,
    shared_values: sharedValues(bearing),
    seconds: secondsOf(turns),
  };
}

/** Whether a turn's response announces a failure. */
export function isError({ turn }: RenderedTurn): boolean {
  return errorPattern.test((turn.response ?? '').slice(0, errorHeadChars));
}

/** Values that stand in two evidence-bearing turns which are not neighbours: what a question can lead across. */
function sharedValues(bearing: readonly RenderedTurn[]): number {
  const first = new Map<string, number>();
  const shared = new Set<string>();
  for (const [rank, turn] of bearing.entries()) {
    for (const [value] of turn.text.matchAll(valuePattern)) {
      if (value.length < minValueChars || value.length > maxValueChars || !/\d/.test(value)) continue;
      const earlier = first.get(value);
      if (earlier === undefined) first.set(value, rank);
      else if (rank - earlier > 1) shared.add(value);
    }
  }
  return shared.size;
}

function secondsOf(turns: readonly RenderedTurn[]): number {
  const times = turns
    .map(({ turn }) => (turn.createdAt === null ? turn.committedAt : microsOf(turn.createdAt)))
    .filter((at): at is number => at !== null && Number.isFinite(at));
  if (times.length < 2) return 0;
  return (times.reduce((a, b) => Math.max(a, b)) - times.reduce((a, b) => Math.min(a, b))) / 1e6;
}
