/** Checks: the same question put to the world several times, and what each time was observed. */

import { type Quantity, quantityIn, type Reading } from '../readings.ts';
import type { Call } from './call.ts';
import { sameValue, shortened } from './text.ts';
import { checkNoun, spellKey } from './words.ts';

export interface Observation {
  /** What the value is of; null where the response is one unlabelled statement. */
  label: string | null;
  /** The key or label as it stands in the rendering. */
  hint: string | null;
  value: string;
  path: string | null;
  quantity: Quantity | null;
}

/** Calls with one signature, in order; only checks that were made at least twice. */
export interface Check {
  name: string;
  calls: Call[];
}

export function checksIn(calls: readonly Call[]): Check[] {
  const groups = new Map<string, Call[]>();
  for (const call of calls) {
    if (call.isMessage || call.tainted || call.effect === 'changes') continue;
    if (call.effect === 'unclear' && call.command === null) continue;
    groups.set(call.signature, [...(groups.get(call.signature) ?? []), call]);
  }
  return [...groups.values()]
    .filter((group) => group.length >= 2)
    .map((group) => ({ name: nameOf(group[0]!), calls: group }));
}

/** "the speed test", "the app permissions check for messaging", "`python reproduce.py`". */
export function nameOf(call: Call): string {
  if (call.command !== null) return `\`${shortened(call.command, 90)}\``;
  const values = call.args.map((leaf) => leaf.value).filter((value) => value !== '');
  const named = values.length > 0 && values.length <= 2 && values.every((value) => value.length <= 40);
  const noun = /^get_?details_?by_?id$/i.test(call.tool) ? 'the details lookup' : checkNoun(call.tool);
  if (values.length > 0 && !named) return `${noun} (${call.args.map((leaf) => spellKey(leaf.key)).join(', ')})`;
  return values.length === 0 ? noun : `${noun} for ${values.join(' and ')}`;
}

export function observationsIn(call: Call): Observation[] {
  if (call.command !== null) return printed(call);
  if (call.readings.length > 0) return call.readings.map((one) => fromReading(one, call));
  return call.leaves
    .slice(0, 80)
    .filter((leaf) => leaf.value.length > 0 && leaf.value.length <= 80 && leaf.path !== '')
    .map((leaf) => ({
      label: leaf.key,
      hint: leaf.key,
      value: leaf.value,
      path: leaf.path,
      quantity: quantityIn(leaf.value),
    }));
}

/** Of a command: why it failed, or its output where that is one line. Lines of a listing are no readings. */
function printed(call: Call): Observation[] {
  const lines = (call.text?.value ?? '').split('\n').filter((line) => line.trim() !== '');
  const value = call.failure ?? (lines.length === 1 && lines[0]!.length <= 140 ? lines[0]!.trim() : null);
  if (value === null || value === '') return [];
  return [
    { label: null, hint: null, value, path: call.failure === null ? (call.text?.path ?? null) : null, quantity: null },
  ];
}

function fromReading(one: Reading, call: Call): Observation {
  return { label: one.label, hint: one.label, value: one.value, path: call.text?.path ?? null, quantity: one.quantity };
}

/** What identifies an observation among the others of its call. */
export function keyOf(one: Observation): string {
  return `${one.path ?? ''}\u0001${one.label ?? ''}`;
}

export interface Difference {
  before: Observation;
  after: Observation;
}

/** Observations with one key in both calls that differ; labels that occur twice in a call are left out. */
export function differences(a: Call, b: Call): Difference[] {
  const before = single(observationsIn(a));
  const after = single(observationsIn(b));
  const found: Difference[] = [];
  for (const [key, one] of before) {
    const other = after.get(key);
    if (other !== undefined && !sameValue(other.value, one.value) && !isVolatile(one.label))
      found.push({ before: one, after: other });
  }
  return found;
}

function single(observations: readonly Observation[]): Map<string, Observation> {
  const map = new Map<string, Observation>();
  const twice = new Set<string>();
  for (const one of observations) {
    const key = keyOf(one);
    if (map.has(key)) twice.add(key);
    map.set(key, one);
  }
  for (const key of twice) map.delete(key);
  return map;
}

/** Clocks and batteries differ each time without anything having been done. */
function isVolatile(label: string | null): boolean {
  return label !== null && /\b(time|timestamp|date|elapsed|duration|uptime|battery|pid|took|request id)\b/i.test(label);
}

/** A label that only repeats the check's name ("Speed Test Result" of "the speed test") need not be said. */
export function saysTheSame(label: string, name: string): boolean {
  const words = (text: string) =>
    text
      .toLowerCase()
      .split(/[^a-z0-9]+/)
      .filter((word) => !fillers.has(word));
  const known = words(name);
  const wanted = words(label);
  return wanted.length > 0 && wanted.every((word) => known.includes(word));
}

const fillers = new Set([
  '',
  'the',
  'result',
  'results',
  'status',
  'check',
  'current',
  'lookup',
  'value',
  'reading',
  'measurement',
  'output',
]);

/** The difference that says most: numbers first, then the longer values (`poor` says more than `ON`). */
export function best(found: readonly Difference[]): Difference | null {
  const short = found.filter(({ before, after }) => before.value.length <= 140 && after.value.length <= 140);
  const score = ({ before, after }: Difference) =>
    (before.quantity !== null && after.quantity !== null ? 20 : 0) +
    Math.min(before.value.length + after.value.length, 18);
  return short.toSorted((a, b) => score(b) - score(a))[0] ?? null;
}
