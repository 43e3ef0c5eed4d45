/** What a call did, in a sentence, with the values that the sentence rests on. */

import { type Leaf, looksLikeId } from '../flatten.ts';
import { firstSentence } from '../readings.ts';
import type { Call } from './call.ts';
import { type Support, support } from './candidate.ts';
import { fold, holds, shortened } from './text.ts';
import { participle } from './verbs.ts';
import { anyOf, isUnit, passive, singular, spell, spellKey, splitName } from './words.ts';

export interface Described {
  /** Without a capital and a full stop: "the VPN was disconnected". */
  sentence: string;
  /** Every value that the sentence tells. */
  supports: Support[];
}

export const pathKey = /^(path|file|file_?path|file_?name)$/i;
const oldKey = /^(old_?(str|text|string)|search|find|before)$/i;
const newKey = /^(new_?(str|text|string)|replace(ment)?|after)$/i;

/** Null where neither the tool's name nor its arguments say what was done. */
export function describe(call: Call): Described | null {
  return describeCommand(call) ?? describeEdit(call) ?? describeTool(call);
}

function describeCommand(call: Call): Described | null {
  const line =
    call.command ?? call.args.find((leaf) => leaf.key === 'action' && leaf.value.startsWith(call.tool))?.value;
  const leaf = call.args.find((one) => one.value === line);
  if (line === undefined || leaf === undefined) return null;
  const shown = firstLine(line);
  if (shown.length < 8) return null;
  const more = fold(line).length > shown.length ? ' …' : '';
  return {
    sentence: `\`${shown}${more}\` was run`,
    supports: [support(call, 'arguments', leaf.path, shown, leaf.key)],
  };
}

function firstLine(text: string): string {
  const line = text.split('\n').find((one) => one.trim().length >= 8) ?? text;
  const whole = line.trim();
  if (whole.length <= 140) return whole;
  const cut = whole.lastIndexOf(' ', 140);
  return whole.slice(0, cut > 60 ? cut : 140).trim();
}

export function fileOf(call: Call): string | null {
  const path = call.args.find((leaf) => pathKey.test(leaf.key))?.value;
  return path === undefined ? null : baseName(path);
}

export function baseName(path: string): string {
  return path.split('/').at(-1) ?? path;
}

export function editedText(call: Call): { old: Leaf | null; next: Leaf | null } {
  return {
    old: call.args.find((leaf) => oldKey.test(leaf.key)) ?? null,
    next: call.args.find((leaf) => newKey.test(leaf.key)) ?? null,
  };
}

function describeEdit(call: Call): Described | null {
  const file = fileOf(call);
  const { old, next } = editedText(call);
  if (file === null || old === null || next === null) return null;
  const [was, is] = firstDifference(old.value, next.value);
  if (is.length < 4) return null;
  const sentence = was === '' ? `\`${is}\` was added to ${file}` : `in ${file}, \`${was}\` was replaced by \`${is}\``;
  const gone = was === '' ? [] : [support(call, 'arguments', old.path, was, old.key)];
  return { sentence, supports: [...gone, support(call, 'arguments', next.path, is, next.key)] };
}

/** The first line that differs, before and after. */
function firstDifference(old: string, next: string): [string, string] {
  const before = old.split('\n').map((line) => line.trim());
  const after = next.split('\n').map((line) => line.trim());
  const isNew = after.find((line) => line !== '' && !before.includes(line)) ?? '';
  const gone = before.find((line) => line !== '' && !after.includes(line)) ?? '';
  return [gone.length <= 120 ? gone : '', isNew.length <= 120 ? isNew : ''];
}

function describeTool(call: Call): Described | null {
  const done = passive(call.tool);
  if (done === null) return describeUnknown(call);
  const switched = describeSwitch(call);
  if (switched !== null) return switched;
  const args = tellingArgs(call);
  const outcome = outcomeOf(call);
  if (args.length > 0) {
    const sentence = withDetails(call, done, args);
    const told = args.filter((leaf) => holds(sentence, leaf.value));
    const supports = (told.length === 0 ? args.slice(0, 1) : told).map((leaf) => argument(call, leaf));
    return { sentence, supports };
  }
  if (outcome === null) return null;
  return {
    sentence: `${done} (${call.tool})`,
    supports: [support(call, 'response', call.text?.path ?? null, outcome)],
  };
}

function argument(call: Call, { path, value, key }: Leaf): Support {
  return support(call, 'arguments', path, value, key);
}

export const created = /^(add|book|create|draft|file|issue|open|post|schedule|send|submit)$/;

/** "message M-1 was labelled bills-to-pay (folder new)" for `label_message`: what is named goes where it belongs. */
function withDetails(call: Call, done: string, args: readonly Leaf[]): string {
  const found = /^the (.+?) (was|were) (.+)$/.exec(done);
  const [verb = ''] = splitName(call.tool);
  if (found === null) return `${done} (${args.slice(0, 2).map(spoken).join(', ')})`;
  const [, object, was, deed] = found as unknown as [string, string, string, string];
  const isNamed = (leaf: Leaf) => object === spellKey(leaf.key) || object.endsWith(` ${spellKey(leaf.key)}`);
  const thing = args.find(isNamed) ?? args.find(({ key }) => spellKey(key) === `${singular(object)} count`);
  const given = args.find((leaf) => leaf !== thing && participle(spellKey(leaf.key)) === participle(verb));
  const rest = mostTelling(args.filter((leaf) => leaf !== thing && leaf !== given)).slice(
    0,
    given === undefined ? 2 : 1,
  );
  const isValue = thing !== undefined && /^(update|change|adjust|raise|lower)$/.test(verb) && !looksLikeId(thing.value);
  const isSet = isValue || (verb === 'set' && (thing !== undefined || (rest.length === 1 && given === undefined)));
  const value = isSet ? ` to ${(thing ?? rest[0])!.value}` : given === undefined ? '' : ` ${inQuotes(given.value)}`;
  const others = isSet && thing === undefined ? [] : rest;
  const subject = thing === undefined || isSet ? articled(object, was, verb) : named(object, thing.value);
  return `${subject} ${was} ${deed}${value}${others.length === 0 ? '' : ` (${others.map(spoken).join(', ')})`}`;
}

const bare = /(^| )(roaming|saving|calling)$/;

/** What an action brings about is not known before: "a ticket was created", but "the VPN was disconnected". */
export function articled(object: string, was: string, verb: string): string {
  if (bare.test(object)) return object;
  return created.test(verb) && was === 'was' && anyOf(object) !== object ? anyOf(object) : `the ${object}`;
}

function named(object: string, value: string): string {
  return value.includes(' ') ? `the ${object} "${value}"` : `${object} ${value}`;
}

export function inQuotes(value: string): string {
  return value.includes(' ') ? `"${value}"` : value;
}

/** "amount 2 GB" for `gb_amount`, "app messaging" for `app_name`. */
export function spoken({ key, value }: Leaf): string {
  const words = splitName(key);
  const unit = words.find((word) => isUnit(word));
  if (unit !== undefined && words.length > 1 && /^\d/.test(value))
    return `${spell(words.filter((word) => word !== unit))} ${value} ${spell([unit])}`;
  const name = spellKey(key);
  return `${words.length === 2 ? name.replace(/ name$/, '') : name} ${inQuotes(value)}`;
}

/** A name that is no English verb is said as it is. */
function describeUnknown(call: Call): Described | null {
  if (call.effect !== 'unclear' || call.tool.length < 4) return null;
  const [leaf] = tellingArgs(call);
  const detail = leaf === undefined ? '' : ` with ${spoken(leaf)}`;
  return {
    sentence: `${call.tool} was called${detail}`,
    supports: [support(call, 'tool', null, call.tool), ...(leaf === undefined ? [] : [argument(call, leaf)])],
  };
}

const isNow = /^([A-Z][\w-]*(?: [\w-]+){0,4}) (?:is|are) now (\w+)$/;

/** "Airplane Mode is now OFF." says more than that it was toggled. */
function describeSwitch(call: Call): Described | null {
  const outcome = outcomeOf(call);
  const found = outcome === null ? null : isNow.exec(outcome);
  if (outcome === null || found === null || splitName(call.tool)[0] !== 'toggle') return null;
  const [, subject, state] = found;
  return {
    sentence: `${subject} was switched ${state} (${call.tool})`,
    supports: [support(call, 'response', call.text?.path ?? null, outcome)],
  };
}

/** One value and the thing that it was for, where there are both. */
function mostTelling(args: readonly Leaf[]): readonly Leaf[] {
  const [value] = args.filter((leaf) => !isId(leaf));
  const ids = args.filter(isId);
  // Whose it is says less than which it is.
  const thing = ids.find(({ key }) => !ownerKey.test(key)) ?? ids[0];
  return value === undefined || thing === undefined ? args : [value, thing];
}

const ownerKey = /^(customer|user|account|client|owner|tenant)/i;

function isId({ key, value }: Leaf): boolean {
  return /(^|_)ids?$|Ids?$/.test(key) || /^\d+$/.test(key) || (looksLikeId(value) && /[A-Z]+-?\d{3,}/.test(value));
}

/** Short arguments, those that are no bare ids first: "2.0 GB" says more than "L1002". */
function tellingArgs(call: Call): Leaf[] {
  const short = call.args.filter((leaf) => leaf.value !== '' && leaf.value.length <= 60);
  return [...short.filter((leaf) => !isId(leaf)), ...short.filter(isId)];
}

/** The first sentence of what the tool answered, if it is short. */
export function outcomeOf(call: Call): string | null {
  const line = call.text?.value.split('\n')[0]?.trim() ?? '';
  const outcome = firstSentence(line);
  return outcome.length >= 8 && outcome.length <= 120 ? outcome : null;
}

/** What an action is called when its place in the session is asked for: its passive, or its command. */
export function eventName(call: Call): string | null {
  if (call.command !== null) return null;
  const switched = describeSwitch(call);
  if (switched !== null) return switched.sentence.replace(/ \([^)]*\)$/, '');
  const done = passive(call.tool);
  if (done === null) return null;
  return shortened(done.replace(/^the (?=(\w+ )?(roaming|saving|calling) )/, ''), 80);
}

const switching = /^(toggle|switch|turn|enable|disable|activate|deactivate)$/;

/** Another tool switched the same thing: "roaming was enabled" may then mean the one or the other. */
export function isDoneOtherwise(call: Call, calls: readonly Call[]): boolean {
  const [verb = '', ...object] = splitName(call.tool);
  return (
    switching.test(verb) &&
    calls.some((other) => {
      const [otherVerb = '', ...otherObject] = splitName(other.tool);
      const isSame = object.at(-1) !== undefined && object.at(-1) === otherObject.at(-1);
      return other.tool !== call.tool && switching.test(otherVerb) && isSame;
    })
  );
}
