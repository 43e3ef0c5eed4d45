/**
 * Trajectory → segments, each with its view. What fits the window is one segment and is shown whole. What does not is
 * shortened step by step: responses that an earlier turn gave word for word, then the middle of very long responses,
 * never arguments; what still does not fit is cut into windows between turns. A turn that is larger than a window is a
 * window of its own: no pair can be made of it, so it is sent nowhere.
 */
import type { Segment, Trajectory } from '../records.ts';
import { clipMark } from './clip.ts';
import type { RenderedTurn, SegmentView } from './compiler.ts';
import { digestOf } from './digest.ts';
import { partsOf, renderClipped, renderRepeat, renderWhole, type TurnParts } from './render.ts';
import { metricsOf } from './score.ts';

export interface SegmentOptions {
  /** Tokens (four characters each) that one segment may have; null: the whole trajectory, nothing left out. */
  windowTokens: number | null;
  /** Longer responses are shortened where the trajectory does not fit the window. */
  maxResponseTokens?: number;
}

export const defaultWindowTokens = 24_000;
const defaultMaxResponseTokens = 2_000;
const charsPerToken = 4;

/** A response shorter than the mark that would stand for it is cheaper shown again. */
const minRepeatChars = 200;

/** The segments of a trajectory in order; together they hold each of its turns once. */
export function segmentTrajectory(trajectory: Trajectory, options: SegmentOptions): SegmentView[] {
  const parts = trajectory.turns.map(partsOf);
  const whole = parts.map(renderWhole);
  const fullChars = whole.map((turn) => turn.text.length);
  if (options.windowTokens === null) return viewsOf(trajectory, whole, fullChars, Number.POSITIVE_INFINITY);
  const windowChars = options.windowTokens * charsPerToken;
  const maxChars = (options.maxResponseTokens ?? defaultMaxResponseTokens) * charsPerToken;
  for (const shorten of [() => whole, () => collapse(parts), () => collapse(parts, maxChars)]) {
    const turns = shorten();
    if (charsOf(turns) <= windowChars) return viewsOf(trajectory, turns, fullChars, windowChars);
  }
  // Windows are sent apart from each other: "same response as #012" may point at a turn that the model does not see.
  const turns = parts.map((part) => renderClipped(part, { maxChars }));
  return viewsOf(trajectory, turns, fullChars, windowChars);
}

/** The view of a whole trajectory, nothing left out: what the rules compiler works on. */
export function createView(trajectory: Trajectory): SegmentView {
  const [view] = segmentTrajectory(trajectory, { windowTokens: null });
  return view!;
}

function collapse(parts: TurnParts[], maxChars = Number.POSITIVE_INFINITY): RenderedTurn[] {
  const seen = new Map<string, number>();
  return parts.map((part) => {
    const earlier = seen.get(part.answer);
    if (earlier !== undefined && part.answer.length >= minRepeatChars) return renderRepeat(part, earlier);
    seen.set(part.answer, part.index);
    return renderClipped(part, { maxChars });
  });
}

function charsOf(turns: readonly RenderedTurn[]): number {
  return turns.reduce((sum, turn) => sum + turn.text.length, 0);
}

function viewsOf(
  trajectory: Trajectory,
  turns: RenderedTurn[],
  fullChars: number[],
  windowChars: number,
): SegmentView[] {
  return windowsOf(turns, windowChars).map((window) => {
    const firstTurn = window[0]?.index ?? 0;
    const lastTurn = window.at(-1)?.index ?? -1;
    const full = fullChars.slice(firstTurn, lastTurn + 1).reduce((sum, chars) => sum + chars, 0);
    const segment: Segment = {
      id: digestOf('segment', trajectory.id, String(firstTurn), String(lastTurn)),
      trajectoryId: trajectory.id,
      sessionId: trajectory.sessionId,
      firstTurn,
      lastTurn,
      fingerprint: fingerprintOf(trajectory, firstTurn, lastTurn),
      topic: null,
      metrics: metricsOf(window),
      // A mark can be longer than the little it stands for.
      shareSeen: full === 0 ? 1 : Math.min(1, seenChars(window) / full),
    };
    return { trajectory, segment, turns: window };
  });
}

const markPattern = new RegExp(`\\n?${clipMark.source}\\n?`, 'g');

function seenChars(turns: readonly RenderedTurn[]): number {
  return turns.reduce(
    (sum, { text, clipped }) => sum + (clipped ? text.replace(markPattern, '').length : text.length),
    0,
  );
}

/** Windows of about equal size: a last window of two turns could hold no question. */
function windowsOf(turns: RenderedTurn[], windowChars: number): RenderedTurn[][] {
  const total = charsOf(turns);
  if (total <= windowChars) return [turns];
  const target = total / Math.ceil(total / windowChars);
  const windows: RenderedTurn[][] = [[]];
  let size = 0;
  for (const turn of turns) {
    const current = windows.at(-1)!;
    if (current.length > 0 && (size >= target || size + turn.text.length > windowChars)) {
      windows.push([turn]);
      size = turn.text.length;
    } else {
      current.push(turn);
      size += turn.text.length;
    }
  }
  return windows;
}

/** Over the rows' text alone, so that the same turns are known again in another trajectory of the session. */
function fingerprintOf(trajectory: Trajectory, firstTurn: number, lastTurn: number): string {
  const turns = trajectory.turns.slice(firstTurn, lastTurn + 1);
  return digestOf(
    'turns',
    ...turns.flatMap(({ agent, tool, arguments: args, response }) => [agent, tool, args, response]),
  );
}
