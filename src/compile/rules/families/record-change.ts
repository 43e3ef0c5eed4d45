/** A thing that was seen twice, by whichever calls, and was not the same: what it was first and what in the end. */

import type { Leaf } from '../../flatten.ts';
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { sameValue } from '../text.ts';
import { isIdKey, kindOf, type Sighting, type Things, within } from '../things.ts';
import { passive, spellKey } from '../words.ts';
import { subtract } from './difference.ts';

export function recordChange(calls: readonly Call[], things: Things): Candidate[] {
  const tainted = calls.filter((call) => call.tainted);
  return [...things.byId.values()].flatMap((sightings) => {
    const [first, last] = [sightings[0]!, sightings.at(-1)!];
    if (!first.hasPaths || !last.hasPaths || kindOf(first) !== kindOf(last) || !apart(first.call, last.call)) return [];
    // What may have been seen in a response that is not to be trusted has no first and last sighting.
    if (tainted.some((call) => call.turn.text.includes(first.record.id))) return [];
    // One check made twice is the before-and-after family's.
    if (first.call.signature === last.call.signature) return [];
    return changedIn(first, last).flatMap((change) => candidates(first, last, change));
  });
}

/** What changed: attributes, and those of named parts ("the price of the kettle"). */
export interface Change {
  before: Leaf;
  after: Leaf;
  /** In English: "status", "price of the kettle". */
  what: string;
}

export function changedIn(first: Sighting, last: Sighting): Change[] {
  if (!isOneThing(first, last)) return [];
  // What stands in a list is told by its name, below.
  const single = ({ record }: Sighting) => record.attributes.filter((leaf) => !within(record, leaf).includes('.0.'));
  const own = pairsOf(first, last, single(first), single(last));
  const parts = pairsOf(first, last, first.record.parts, last.record.parts);
  return [
    ...own.map(([before, after]) => ({ before, after, what: spellKey(before.key) })),
    ...parts
      .filter(([before, after]) => before.name === after.name)
      .map(([before, after]) => ({ before, after, what: `${spellKey(before.key)} of the ${before.name}` })),
  ];
}

/** Ids that differ tell of two things with one id between them: two items of one product, say. */
function isOneThing(first: Sighting, last: Sighting): boolean {
  const ids = (one: Sighting) =>
    one.record.attributes.filter((leaf) => isIdKey(leaf.key) && !within(one.record, leaf).includes('.'));
  // An id that only one of them has is the other's own, as where a ticket names the order that it is about.
  const [before, after] = [ids(first), ids(last)];
  const isKept = (leaf: Leaf) => after.some((other) => other.key === leaf.key && other.value === leaf.value);
  return before.length === after.length && before.every(isKept);
}

function pairsOf<T extends Leaf>(first: Sighting, last: Sighting, from: readonly T[], to: readonly T[]): [T, T][] {
  return from.flatMap((before): [T, T][] => {
    const path = within(first.record, before);
    const after = to.find((leaf) => within(last.record, leaf) === path);
    if (after === undefined || sameValue(after.value, before.value) || isIdKey(before.key)) return [];
    const told = [before, after].every((leaf) => leaf.value.length >= 1 && leaf.value.length <= 80);
    return told && !/(time|date|timestamp|updated|modified)/i.test(before.key) ? [[before, after]] : [];
  });
}

function candidates(first: Sighting, last: Sighting, { before, after, what }: Change): Candidate[] {
  const kind = kindOf(first);
  const done = passive(last.call.tool);
  const seen = last.call.effect === 'reads' ? 'when it was last looked up' : 'the last time it was seen';
  const when = last.call.effect === 'changes' && done !== null ? `after ${done}` : seen;
  const name = `${kind} ${first.record.id}`;
  const of = what.includes(' of the ') ? 'in' : 'of';
  const supports = [
    support(first.call, 'response', before.path, before.value, before.key),
    support(last.call, 'response', after.path, after.value, after.key),
  ];
  const told = toldStates(before.value, after.value);
  const params = { record: first.record.id, attribute: within(first.record, before) };
  const change: Candidate = {
    family: 'before_after',
    qaType: 'temporal',
    question: `What was the ${what} ${of} ${name} when it was first looked up, and what was it ${when}?`,
    answer: `${told}.`,
    support: supports,
    derivation: derivation('change', supports, told, params, 'session'),
    subject: first.record.id,
    worth: 68,
    needs: [before.value, after.value].map((value) => ({ value, near: null })),
  };
  const isMoney = /(price|amount|total|cost|balance|fee|charge|limit|budget)/i.test(before.key);
  if (!isMoney || ![before, after].every((leaf) => /^\d+(\.\d+)?$/.test(leaf.value))) return [change];
  const result = subtract(before.value, after.value);
  const way = Number(after.value) > Number(before.value) ? 'higher' : 'lower';
  return [
    {
      ...change,
      family: 'difference',
      qaType: 'composition',
      question: `How much ${way} was the ${what} ${of} ${name} ${when} than when it was first looked up?`,
      answer: `${result} ${way} (${after.value} against ${before.value}).`,
      derivation: derivation('difference', supports, result),
      worth: 76,
    },
  ];
}

export function toldStates(before: string, after: string): string {
  return `${before} at first, ${after} in the end`;
}
