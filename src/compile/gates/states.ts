/** What the turns of a segment say about things at their time: `status` of order `#W1` is `pending`, later `shipped`. */

import type { RenderedTurn, SegmentView } from '../compiler.ts';
import { isObject, leavesOf, looksLikeId, recordsOf } from '../flatten.ts';
import { fold } from '../fold.ts';
import { readingsOf } from '../readings.ts';
import { isError } from '../score.ts';

export interface State {
  turn: number;
  /** The thing: a record by its id, else whatever one call with the same arguments reports about. */
  thing: string;
  /** Dotted path within the record or the response, or the label of a line. */
  key: string;
  value: string;
}

const maxTextChars = 6_000;
const maxValueChars = 120;
const changingTool =
  /(^|[^a-z])(set|update|modify|change|edit|rename|move|assign|toggle|switch|adjust|correct|amend|replace)([^a-z]|$)/i;

const known = new WeakMap<SegmentView, State[]>();

/** In order of turns. */
export function statesIn(view: SegmentView): readonly State[] {
  let states = known.get(view);
  if (states === undefined) {
    states = view.turns.filter((turn) => turn.bearsEvidence && !isError(turn)).flatMap(statesOf);
    known.set(view, states);
  }
  return states;
}

function statesOf(turn: RenderedTurn): State[] {
  const found = [...reported(turn), ...put(turn)];
  return found
    .map(({ thing, key, value }) => ({ turn: turn.index, thing, key: key.toLowerCase(), value: fold(value) }))
    .filter(({ value }) => value !== '' && value.length <= maxValueChars);
}

type Told = Omit<State, 'turn'>;

/** What the response says. */
function reported({ turn, response }: RenderedTurn): Told[] {
  const call = `${turn.tool}\0${turn.arguments}`;
  const text = textOf(response);
  if (text !== null) {
    if (text.length > maxTextChars) return [];
    return readingsOf(text).flatMap(({ label, value }) => (label === null ? [] : [{ thing: call, key: label, value }]));
  }
  const records = recordsOf(response, { tool: turn.tool ?? '', asked: [] }).filter(({ id }) => looksLikeId(id));
  const ofRecords = records.flatMap(({ id, path, attributes }) =>
    attributes.map((leaf) => ({
      thing: id,
      key: path === '' ? leaf.path : leaf.path.slice(path.length + 1),
      value: leaf.value,
    })),
  );
  // What stands in a record is told as the record's, whichever call shows it.
  if (records.length > 0) return ofRecords;
  return leavesOf(response).map(({ path, value }) => ({ thing: call, key: path, value }));
}

/** What a call that changes a record puts into it. */
function put({ turn, arguments: args }: RenderedTurn): Told[] {
  if (!changingTool.test(turn.tool ?? '') || !isObject(args)) return [];
  const leaves = leavesOf(args);
  const ids = leaves.filter(({ key, value }) => /(^|_)id$|Id$/.test(key) && looksLikeId(value));
  const [only] = ids;
  if (only === undefined || ids.length > 1) return [];
  return leaves.filter((leaf) => leaf !== only).map(({ path, value }) => ({ thing: only.value, key: path, value }));
}

function textOf(response: unknown): string | null {
  if (typeof response === 'string') return response;
  if (!isObject(response)) return null;
  const only = Object.entries(response).filter(([, value]) => typeof value === 'string' && value.includes('\n'));
  return only.length === 1 ? (only[0]![1] as string) : null;
}

/** `address1` put into a record is its `address.address1`. */
export function isSameState(a: State, b: State): boolean {
  if (a.thing !== b.thing) return false;
  return a.key === b.key || a.key.endsWith(`.${b.key}`) || b.key.endsWith(`.${a.key}`);
}
