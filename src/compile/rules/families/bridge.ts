/** Two turns joined by an id that the question does not say: one turn names the thing, the other tells about it. */

import type { Leaf } from '../../flatten.ts';
import { articled, inQuotes, spoken } from '../action.ts';
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, type Support, support } from '../candidate.ts';
import { holds } from '../text.ts';
import { flows, isIdKey, isNaming, kindOf, nameFor, type Sighting, type Things, tellable } from '../things.ts';
import { participle } from '../verbs.ts';
import { anyOf, passive, singular, spellKey, splitName } from '../words.ts';

export function bridge(calls: readonly Call[], things: Things): Candidate[] {
  return [...acted(calls, things), ...linked(things)];
}

/** "What is the phone number of the line for which the data was refuelled?" */
function acted(calls: readonly Call[], things: Things): Candidate[] {
  const done = doneIn(calls);
  return done.flatMap((call) => {
    if (passive(call.tool) === null) return [];
    const isRepeated = done.some((other) => other !== call && other.tool === call.tool);
    return call.args.flatMap((target) => {
      const twin = done.find((other) => other !== call && other.tool === call.tool && hasValue(other, target.value));
      const isListed = call.args.some((other) => other !== target && other.key === target.key);
      if (!flows(target.value) || twin !== undefined || isListed) return [];
      const seen = things.byId.get(target.value)?.find((one) => one.call.rank < call.rank && apart(one.call, call));
      if (seen === undefined) return [];
      const bridged = { calls, call, target, seen, things };
      if (isRole(target, seen)) return aboutRole(bridged);
      // "For which the items were returned" speaks of an order, not of the one item in the list.
      return /ids$/i.test(target.key) ? [] : aboutAction(bridged, isRepeated);
    });
  });
}

/** Actions that succeeded: what "was done" in a question. */
export function doneIn(calls: readonly Call[]): Call[] {
  return calls.filter((call) => call.effect === 'changes' && !call.failed && !call.tainted && !call.isMessage);
}

interface Bridged {
  calls: readonly Call[];
  call: Call;
  target: Leaf;
  seen: Sighting;
  things: Things;
}

/** "new item" for an item: the action gave the thing a part to play. */
function isRole(target: Leaf, seen: Sighting): boolean {
  const key = singular(spellKey(target.key));
  return /payment|method/.test(key) || (key !== kindOf(seen) && /^(new|old|previous|target)\b/.test(key));
}

function hasValue(call: Call, value: string): boolean {
  return call.args.some((leaf) => leaf.value === value);
}

function rivalsOf({ seen, things }: Bridged): Sighting[] {
  return things.all.filter(({ record }) => record.idKey === seen.record.idKey && record.id !== seen.record.id);
}

/** Attributes that belong to the thing alone among its kind and that the action does not say; the rarest first. */
function tellingOf(bridged: Bridged): Leaf[] {
  const { call, target, seen, things } = bridged;
  const rivals = rivalsOf(bridged);
  // Where only one of its kind was ever seen, everybody knows which one is meant.
  if (rivals.length === 0) return [];
  return tellable(seen.record)
    .filter(
      (leaf) =>
        !call.turn.text.includes(leaf.value) &&
        isSettled(leaf, things.byId.get(target.value) ?? []) &&
        rivals.every(({ record }) =>
          record.attributes.every((one) => one.key !== leaf.key || one.value !== leaf.value),
        ),
    )
    .filter(({ key }) => !/^last_.*date$|(^|_)(used|left|remaining|enabled|notes?)(_|$)/i.test(key))
    .toSorted((a, b) => rankOf(a) - rankOf(b));
}

/** What people tell things by comes first, dates come last. */
function rankOf({ key }: Leaf): number {
  if (isNaming(key)) return 0;
  return /date/i.test(key) ? 2 : 1;
}

function aboutAction(bridged: Bridged, isRepeated: boolean): Candidate[] {
  const { call, target, seen } = bridged;
  const detail = detailOf(bridged);
  const [attribute] = tellingOf(bridged);
  if (attribute === undefined || (isRepeated && detail === undefined)) return [];
  const joint = [idOf(seen), support(call, 'arguments', target.path, target.value, target.key)] as const;
  const told = leafOf(seen, attribute);
  const kind = kindOf(seen);
  const what = spellKey(attribute.key);
  if (!isRepeated || detail === undefined) {
    // Which of them can be told only by both turns, the choice finds out.
    const kept = tellingOf(bridged).filter((leaf) => !isSaid(bridged, leaf));
    return kept.map((leaf) => {
      const question = `What is the ${spellKey(leaf.key)} of ${whichOf(call, kind, null)}?`;
      const supports = [support(call, 'tool', null, call.tool), joint[1], joint[0], leafOf(seen, leaf)];
      return buildOnce(question, leaf.value, supports, call.tool);
    });
  }
  const given = support(call, 'arguments', detail.path, detail.value, detail.key);
  const question = `What is the ${what} of ${whichOf(call, kind, detail)}?`;
  const pairs = [build(question, attribute.value, [given, joint[1], joint[0], told], call.tool, 72)];
  const naming = tellingOf(bridged).find((leaf) => isNaming(leaf.key));
  if (naming === undefined) return pairs;
  const named = `the ${kind} with the ${spellKey(naming.key)} ${inQuotes(naming.value)}`;
  const [, object, verb] = spokenAction(call);
  const done = object === kind ? `${named} was ${verb}` : `${passive(call.tool)} for ${named}`;
  const asked = `What was the ${spellKey(detail.key)} when ${done}?`;
  return [...pairs, build(asked, detail.value, [leafOf(seen, naming), ...joint, given], call.tool, 60)];
}

/** Somebody says both what was done and what is asked for, in a sentence that needs no other turn. */
function isSaid({ calls, call }: Bridged, leaf: Leaf): boolean {
  const [, object = '', verb = ''] = spokenAction(call);
  const words = [object.split(' ').at(-1)!, verb.slice(0, 5), leaf.value].map((word) => word.toLowerCase());
  return calls.some(({ isMessage, turn }) => {
    const text = turn.text.toLowerCase();
    return isMessage && words.every((word) => text.includes(word));
  });
}

/** A short argument that only this call of its tool was given and that the first turn does not say. */
function detailOf({ calls, call, target, seen }: Bridged): Leaf | undefined {
  return call.args.find(
    (leaf) =>
      leaf.path !== target.path &&
      isAskable(leaf) &&
      !isIdKey(leaf.key) &&
      !call.args.some((other) => other !== leaf && other.key === leaf.key) &&
      !doneIn(calls).some((other) => other !== call && other.tool === call.tool && hasValue(other, leaf.value)) &&
      // What the first turn says itself needs no second one.
      !holds(seen.call.turn.text, leaf.value),
  );
}

/** "When the order items were exchanged (order #W1), what was the price of the new item?" */
function aboutRole(bridged: Bridged): Candidate[] {
  const { call, target, seen } = bridged;
  const main = call.args.find((leaf) => isIdKey(leaf.key) && flows(leaf.value));
  const role = singular(spellKey(target.key));
  if (main === undefined || main === target || !isRole(target, seen)) return [];
  const joint = [idOf(seen), support(call, 'arguments', target.path, target.value, target.key)] as const;
  const given = support(call, 'arguments', main.path, main.value, main.key);
  return tellingOf(bridged)
    .slice(0, 1)
    .map((leaf) => {
      const about = `${spellKey(main.key)} ${main.value}`;
      const question = `When ${passive(call.tool)} (${about}), what was the ${spellKey(leaf.key)} of the ${role}?`;
      return build(question, leaf.value, [given, joint[1], joint[0], leafOf(seen, leaf)], call.tool, 73);
    });
}

function spokenAction(call: Call): string[] {
  return /^the (.*) (?:was|were) (.*)$/.exec(passive(call.tool) ?? '') ?? [];
}

/** "The parcel that was updated", not "the parcel for which the parcel was updated". */
function whichOf(call: Call, kind: string, detail: Leaf | null): string {
  const [, object = '', verb = ''] = spokenAction(call);
  const ask = detail === null ? '' : spellKey(detail.key);
  if (object === kind && detail !== null && verb.startsWith(participle(ask).slice(0, -2)))
    return `the ${kind} that was ${verb} ${inQuotes(detail.value)}`;
  if (object === kind) return `the ${kind} that was ${verb}${detail === null ? '' : ` with ${spoken(detail)}`}`;
  const isPerson = /^(customer|user|patient|client|member|person|contact|employee|lead|reader|agent)$/.test(kind);
  const which = `the ${kind} for ${isPerson ? 'whom' : 'which'}`;
  const was = passive(call.tool)!.startsWith(`the ${object} were`) ? 'were' : 'was';
  if (detail === null) return `${which} ${articled(object, was, splitName(call.tool)[0]!)} ${was} ${verb}`;
  if (object.endsWith(ask)) return `${which} ${object} ${inQuotes(detail.value)} ${was} ${verb}`;
  return `${which} ${anyOf(object)} with ${spoken(detail)} ${was} ${verb}`;
}

function isAskable(leaf: Leaf): boolean {
  return leaf.value.length >= 1 && leaf.value.length <= 80 && !/^\d+$/.test(leaf.key) && leaf.value.trim() !== '';
}

/** "What is the name of the plan of the line with the phone number …?": one record refers to another. */
function linked({ all, byId }: Things): Candidate[] {
  const things = { all, byId };
  const found: Candidate[] = [];
  const asked = new Set<string>();
  for (const from of all) {
    for (const ref of from.record.attributes) {
      if (!isIdKey(ref.key) || ref.value === from.record.id || !flows(ref.value)) continue;
      const key = `${from.record.id}\u0001${ref.value}`;
      const to = byId
        .get(ref.value)
        ?.find((one) => one.call !== from.call && apart(one.call, from.call) && kindOf(one) !== kindOf(from));
      if (to === undefined || asked.has(key)) continue;
      asked.add(key);
      found.push(...aboutLink(from, ref, to, things));
    }
  }
  return found;
}

function aboutLink(from: Sighting, ref: Leaf, to: Sighting, things: Things): Candidate[] {
  const name = nameFor(
    from,
    things,
    to.record.attributes.map((leaf) => leaf.value),
  );
  const seen = things.byId.get(to.record.id) ?? [];
  // The only plan that was ever seen is likely to be the one: such a question is a stopgap.
  const hasRivals = things.all.some(({ record }) => record.idKey === to.record.idKey && record.id !== to.record.id);
  const worth = hasRivals ? 64 : 40;
  return tellable(to.record)
    .filter((leaf) => !from.call.turn.text.includes(leaf.value) && isSettled(leaf, seen))
    .slice(0, 2)
    .map((leaf) => {
      const question = `What is the ${spellKey(leaf.key)} of the ${kindOf(to)} on record for ${name.text}?`;
      const named = name.leaf === null ? idOf(from) : leafOf(from, name.leaf);
      return build(
        question,
        leaf.value,
        [named, leafOf(from, ref), idOf(to), leafOf(to, leaf)],
        `link:${from.record.id}`,
        worth,
      );
    });
}

/** The attribute had the same value whenever the thing was seen. */
function isSettled(leaf: Leaf, seen: readonly Sighting[]): boolean {
  return seen.every(({ record }) => record.attributes.every((one) => one.key !== leaf.key || one.value === leaf.value));
}

function leafOf({ call, hasPaths }: Sighting, leaf: Leaf): Support {
  return support(call, 'response', hasPaths ? leaf.path : null, leaf.value, leaf.key);
}

function idOf(sighting: Sighting): Support {
  const { record } = sighting;
  const path = record.path === '' ? record.idKey : `${record.path}.${record.idKey}`;
  return leafOf(sighting, { path, key: record.idKey, value: record.id });
}

function build(question: string, answer: string, supports: Support[], subject: string, worth: number): Candidate {
  return {
    family: 'bridge',
    qaType: 'factoid',
    question,
    answer: `${answer}.`.replace(/\.\.$/, '.'),
    support: supports,
    derivation: derivation('bridge', supports, answer),
    subject,
    worth,
    needs: [],
  };
}

/** The question names the action by its being the only one of its kind: that takes the whole session to know. */
function buildOnce(question: string, answer: string, supports: Support[], tool: string): Candidate {
  return {
    ...build(question, answer, supports, tool, 71),
    derivation: derivation('bridge', supports, answer, { once: tool }, 'session'),
    needs: [tool, answer].map((value) => ({ value, near: null })),
  };
}
