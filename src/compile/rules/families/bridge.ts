/** Two turns joined by an id that the question does not say: one turn names the thing, the other tells about it. */
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, type Support, support } from '../candidate.ts';
import type { Leaf } from '../flatten.ts';
import { holds } from '../text.ts';
import { flows, isIdKey, isNaming, kindOf, nameFor, type Sighting, type Things, tellable } from '../things.ts';
import { passive, spellKey } from '../words.ts';

export function bridge(calls: readonly Call[], things: Things): Candidate[] {
  return [...acted(calls, things), ...linked(things)];
}

/** "Which GB amount was given when the data was refuelled for the line with the phone number …?" */
function acted(calls: readonly Call[], things: Things): Candidate[] {
  const done = calls.filter((call) => call.effect === 'changes' && !call.failed && !call.tainted && !call.isMessage);
  return done.flatMap((call) => {
    if (passive(call.tool) === null) return [];
    const isRepeated = done.some((other) => other !== call && other.tool === call.tool);
    return call.args.flatMap((target) => {
      const twin = done.find((other) => other !== call && other.tool === call.tool && hasValue(other, target.value));
      if (!flows(target.value) || twin !== undefined) return [];
      const seen = things.byId.get(target.value)?.find((one) => one.call.rank < call.rank && apart(one.call, call));
      return seen === undefined ? [] : aboutAction(call, target, seen, things, isRepeated);
    });
  });
}

function hasValue(call: Call, value: string): boolean {
  return call.args.some((leaf) => leaf.value === value);
}

function aboutAction(call: Call, target: Leaf, seen: Sighting, things: Things, isRepeated: boolean): Candidate[] {
  const rivals = things.all.filter(({ record }) => record.idKey === seen.record.idKey && record.id !== seen.record.id);
  // Where only one of its kind was ever seen, everybody knows which one is meant.
  if (rivals.length === 0) return [];
  const detail = call.args.find(
    (leaf) =>
      leaf.path !== target.path &&
      isAskable(leaf) &&
      !isIdKey(leaf.key) &&
      !call.args.some((other) => other !== leaf && other.key === leaf.key) &&
      // What the first turn says itself needs no second one.
      !holds(seen.call.turn.text, leaf.value),
  );
  if (detail === undefined) return [];
  const joint = [idOf(seen), support(call, 'arguments', target.path, target.value, target.key)] as const;
  const given = support(call, 'arguments', detail.path, detail.value, detail.key);
  const attribute = tellable(seen.record).find(
    (leaf) =>
      !call.turn.text.includes(leaf.value) &&
      isSettled(leaf, things.byId.get(target.value) ?? []) &&
      rivals.every(({ record }) => record.attributes.every((one) => one.key !== leaf.key || one.value !== leaf.value)),
  );
  if (attribute === undefined) return [];
  const told = leafOf(seen, attribute);
  const kind = kindOf(seen);
  const [what, ask] = [spellKey(attribute.key), spellKey(detail.key)];
  const byDetail = `What is the ${what} of ${whichOf(call, kind)} (${ask} ${detail.value})?`;
  const pairs = [build(byDetail, attribute.value, [given, joint[1], joint[0], told], call.tool, 72)];
  // What was done only once is found without knowing which thing it was done to.
  if (!isNaming(attribute.key) || !isRepeated) return pairs;
  const named = `the ${kind} with the ${what} ${attribute.value}`;
  const [, object, verb] = spokenAction(call);
  const done = object === kind ? `${named} was ${verb}` : `${passive(call.tool)} for ${named}`;
  return [...pairs, build(`What was the ${ask} when ${done}?`, detail.value, [told, ...joint, given], call.tool, 60)];
}

function spokenAction(call: Call): string[] {
  return /^the (.*) (?:was|were) (.*)$/.exec(passive(call.tool) ?? '') ?? [];
}

/** "The parcel that was updated", not "the parcel for which the parcel was updated". */
function whichOf(call: Call, kind: string): string {
  const done = passive(call.tool)!;
  const [, object, verb] = spokenAction(call);
  if (object === kind) return `the ${kind} that was ${verb}`;
  const whom = /^(customer|user|patient|client|member|person|contact|employee)$/.test(kind) ? 'whom' : 'which';
  return `the ${kind} for ${whom} ${done}`;
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
