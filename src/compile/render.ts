/** One turn as a compiler and a gate see it: a decoded rendering of the row. The row's own text is never changed. */
import type { Turn } from '../records.ts';
import { type ClipOptions, clipText } from './clip.ts';
import type { RenderedTurn } from './compiler.ts';
import { decode, readable } from './decode.ts';

const thoughtPattern = /(^|[^a-z])(thought|thoughts|think|thinking|reasoning)([^a-z]|$)/i;

/** What stands between a turn's arguments and its response. */
export const responseLine = 'response:';

/** The parts of a rendering, kept apart since only the response may be shortened. */
export interface TurnParts {
  index: number;
  turn: Turn;
  /** Agent and tool on one line, then a line per argument. */
  call: string;
  /** The response as text; empty where there is none. */
  answer: string;
  arguments: unknown;
  response: unknown;
}

/** Decodes a row. Its index in the trajectory is not part of the text: labels belong to the prompt, not to the row. */
export function partsOf(turn: Turn, index: number): TurnParts {
  const args = decode(turn.arguments);
  const response = decode(turn.response);
  const header = [turn.agent, turn.tool].filter((part) => part !== null && part !== '').join(' ');
  const call = [header, isEmpty(args) ? '' : readable(args)].filter((part) => part !== '').join('\n');
  return {
    index,
    turn,
    call: call.toWellFormed(),
    answer: isEmpty(response) ? '' : readable(response),
    arguments: args,
    response,
  };
}

/** The rendering of a turn, whole. */
export function renderWhole(parts: TurnParts): RenderedTurn {
  return rendered(parts, parts.answer, false);
}

/** The rendering of a turn with its response shortened to `maxChars`, head and tail kept, at a visible mark. */
export function renderClipped(parts: TurnParts, options: ClipOptions): RenderedTurn {
  const answer = clipText(parts.answer, options);
  return rendered(parts, answer, answer !== parts.answer);
}

/** The rendering of a turn whose response stands, word for word, in an earlier turn of the same segment. */
export function renderRepeat(parts: TurnParts, earlier: number): RenderedTurn {
  return rendered(parts, `[… same response as ${turnLabel(earlier)} …]`, true);
}

/** How a turn is named to a reader: `#002`. */
export function turnLabel(index: number): string {
  return `#${String(index).padStart(3, '0')}`;
}

function rendered(parts: TurnParts, answer: string, clipped: boolean): RenderedTurn {
  return {
    index: parts.index,
    turn: parts.turn,
    text: answer === '' ? parts.call : `${parts.call}\n${responseLine}\n${answer}`,
    clipped,
    bearsEvidence: bearsEvidence(parts),
    arguments: parts.arguments,
    response: parts.response,
  };
}

/** Thoughts and rows without arguments and response make no gap between two supporting turns. */
function bearsEvidence({ turn, arguments: args, response }: TurnParts): boolean {
  if (isEmpty(args) && isEmpty(response)) return false;
  const kind = turn.metadata?.kind ?? '';
  return !thoughtPattern.test(turn.tool ?? '') && !thoughtPattern.test(kind);
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
