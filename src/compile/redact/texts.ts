/** Where text stands in a trajectory: all of it but the names by which rows and sessions are known, and times. */
import type { Trajectory, Turn } from '../../records.ts';

/** What becomes of a text; `column`: the name of the column where it may say something about what stands there. */
export type Rewrite = (text: string, column: string | null) => string;

const timestamp =
  /^(?:-?infinity|\d{4,6}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d(?::?\d\d)?)?(?: BC)?)$/;
const decimal = /^-?\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?$/;

/** The trajectory with each of its texts rewritten, in the order of its turns. */
export function rewriteTexts(trajectory: Trajectory, rewrite: Rewrite): Trajectory {
  const text = (value: string | null) => (value === null ? null : rewrite(value, null));
  // Any column may be mapped to these: what is no number and no time is text.
  const unless = (form: RegExp, value: string | null) =>
    value === null || form.test(value) ? value : rewrite(value, null);
  const turns = trajectory.turns.map((turn) => ({
    ...turn,
    agent: text(turn.agent),
    tool: text(turn.tool),
    arguments: text(turn.arguments),
    response: text(turn.response),
    costUsd: unless(decimal, turn.costUsd),
    durationMs: unless(decimal, turn.durationMs),
    createdAt: unless(timestamp, turn.createdAt),
    ...(turn.metadata === undefined ? {} : { metadata: rewriteMetadata(turn.metadata, rewrite) }),
  }));
  return { ...trajectory, agents: trajectory.agents.map((agent) => rewrite(agent, null)), turns };
}

function rewriteMetadata(metadata: NonNullable<Turn['metadata']>, rewrite: Rewrite): NonNullable<Turn['metadata']> {
  const entries = Object.entries(metadata).map(([column, value]) => [
    column,
    value === null ? null : rewrite(value, column),
  ]);
  return Object.fromEntries(entries);
}
