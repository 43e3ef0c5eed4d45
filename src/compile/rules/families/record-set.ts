/** A value that a lookup showed and an action then set anew: what it was, and what it was set to. */

import type { Leaf } from '../../flatten.ts';
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { sameValue } from '../text.ts';
import { isIdKey, kindOf, type Sighting, type Things } from '../things.ts';
import { passive, spellKey, splitName } from '../words.ts';
import { subtract } from './difference.ts';

export function recordSet(calls: readonly Call[], things: Things): Candidate[] {
  return settingsIn(calls, things).flatMap(candidates);
}

export interface Setting {
  seen: Sighting;
  call: Call;
  before: Leaf;
  after: Leaf;
}

/** Arguments of actions that differ from what the record, named by its id in another argument, last had there. */
export function settingsIn(calls: readonly Call[], things: Things): Setting[] {
  return calls.flatMap((call) => {
    if (call.effect !== 'changes' || call.failed || call.tainted || call.isMessage) return [];
    const seen = things.all.findLast((one) => one.call.rank < call.rank && isTargetOf(one, call));
    if (seen === undefined || !apart(seen.call, call)) return [];
    return call.args.flatMap((after): Setting[] => {
      const before = seen.record.attributes.find((leaf) => leaf.key === after.key);
      if (before === undefined || isIdKey(after.key) || sameValue(before.value, after.value)) return [];
      // Of a value that was set twice, neither is the one before nor the one it was set to.
      const isAgain = calls.some((other) => other !== call && isSetting(other, after.key, seen));
      const isTold = !isAgain && [before, after].every((leaf) => leaf.value.trim() !== '' && leaf.value.length <= 80);
      return isTold ? [{ seen, call, before, after }] : [];
    });
  });
}

function isSetting(call: Call, key: string, seen: Sighting): boolean {
  if (call.effect !== 'changes' || call.failed || !call.args.some((leaf) => leaf.key === key)) return false;
  return isTargetOf(seen, call);
}

/** By its id; one that is only a number must also be of the kind that the tool's name speaks of. */
function isTargetOf(seen: Sighting, call: Call): boolean {
  const key = seen.record.idKey.replace(/_$/, '');
  const named = call.args.some((leaf) => leaf.key === key && leaf.value === seen.record.id);
  const noun = kindOf(seen).split(' ').at(-1) ?? '';
  return named && (key !== 'id' || splitName(call.tool).includes(noun));
}

function candidates({ seen, call, before, after }: Setting): Candidate[] {
  const supports = [
    support(seen.call, 'response', seen.hasPaths ? before.path : null, before.value, before.key),
    support(call, 'arguments', after.path, after.value, after.key),
  ];
  const name = `${kindOf(seen)} ${seen.record.id}`;
  const done = passive(call.tool);
  if (done === null) return [];
  const [, object, deed] = /^the (.+) (was .+)$/.exec(done) ?? [];
  const when = object === kindOf(seen) ? `it ${deed}` : done;
  const told = toldSetting(before.value, after.value);
  const change: Candidate = {
    family: 'before_after',
    qaType: 'temporal',
    question: `What was the ${spellKey(before.key)} of ${name} before ${when}, and what was it set to?`,
    answer: `${told}.`,
    support: supports,
    derivation: derivation('change', supports, told, { set: after.key, record: seen.record.id }, 'session'),
    subject: seen.record.id,
    worth: 69,
    needs: [before.value, after.value].map((value) => ({ value, near: null })),
  };
  const isMoney = /(price|amount|total|cost|balance|fee|limit|budget)/i.test(before.key);
  if (!isMoney || ![before, after].every((leaf) => /^\d+(\.\d+)?$/.test(leaf.value))) return [change];
  const way = Number(after.value) > Number(before.value) ? 'raised' : 'lowered';
  const result = subtract(before.value, after.value);
  return [
    {
      ...change,
      family: 'difference',
      qaType: 'composition',
      question: `By how much was the ${spellKey(before.key)} of ${name} ${way} when ${when}?`,
      answer: `By ${result} (from ${before.value} to ${after.value}).`,
      derivation: derivation('difference', supports, result),
      worth: 76,
    },
  ];
}

export function toldSetting(before: string, after: string): string {
  return `${before} before, set to ${after}`;
}
