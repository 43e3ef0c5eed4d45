/** A call failed, and the same tool on the same target later worked with something changed: why, and with what. */

import type { Leaf } from '../../flatten.ts';
import { editedText, fileOf, inQuotes } from '../action.ts';
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { holds, shortened } from '../text.ts';
import { spell, spellKey, splitName } from '../words.ts';

export function recovery(calls: readonly Call[]): Candidate[] {
  const seen = new Set<string>();
  const found: Candidate[] = [];
  for (const failed of calls) {
    if (failed.failure === null || failed.tainted || failed.command !== null) continue;
    const key = `${failed.tool}\u0001${targetOf(failed)?.value ?? ''}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const candidate = recoveryOf(calls, failed);
    if (candidate !== null) found.push(candidate);
  }
  return found;
}

/** The argument that says what the call is about: a file, an id, else the first. */
function targetOf(call: Call): Leaf | null {
  return call.args.find((leaf) => /(^|_)(path|file|filename|id)$|Id$/.test(leaf.key)) ?? null;
}

function recoveryOf(calls: readonly Call[], failed: Call): Candidate | null {
  const target = targetOf(failed);
  const later = calls
    .slice(failed.rank + 1)
    .filter((call) => call.tool === failed.tool && call.effect === failed.effect && !call.tainted);
  const worked = later.find(
    (call) => !call.failed && sharesTarget(call, target) && changedArgs(failed, call).length > 0,
  );
  if (worked === undefined || !apart(failed, worked) || failed.failure === null) return null;
  const changed = changedArgs(failed, worked);
  if (changed.length > 4) return null;
  const leaf = editedText(failed).old === null ? acceptedIn(failed, worked, changed) : editedText(worked).old;
  if (leaf === null || (editedText(failed).old === null && !isFirst(calls, failed, target))) return null;
  const shown = shownValue(leaf.value);
  if (shown === null || !changed.some((one) => one.path === leaf.path)) return null;
  return candidateOf(failed, worked, leaf, shown, target);
}

/** What was wrong, where the refusal names it; else what alone was changed, but for lists, which have no one value. */
function acceptedIn(failed: Call, worked: Call, changed: readonly Leaf[]): Leaf | null {
  const named = changed.filter((leaf) => {
    const before = failed.args.find((one) => one.path === leaf.path)?.value;
    return before !== undefined && holds(failed.failure!, before);
  });
  if (named.length === 1) return named[0]!;
  const single = changed.filter((leaf) => worked.args.filter((one) => one.key === leaf.key).length === 1);
  return single[0] ?? null;
}

/** "The first attempt" was no other than the one that failed. */
function isFirst(calls: readonly Call[], failed: Call, target: Leaf | null): boolean {
  return !calls.slice(0, failed.rank).some((call) => call.tool === failed.tool && sharesTarget(call, target));
}

function sharesTarget(call: Call, target: Leaf | null): boolean {
  return target === null || call.args.some((leaf) => leaf.path === target.path && leaf.value === target.value);
}

function changedArgs(failed: Call, worked: Call): Leaf[] {
  return worked.args.filter((leaf) => failed.args.find((one) => one.path === leaf.path)?.value !== leaf.value);
}

/** The first line of an argument that can be quoted. */
function shownValue(value: string): string | null {
  const line =
    value
      .split('\n')
      .find((one) => one.trim().length >= 4)
      ?.trim() ?? value.trim();
  if (line.length === 0) return null;
  return line.length <= 160 ? line : line.slice(0, line.lastIndexOf(' ', 160) > 80 ? line.lastIndexOf(' ', 160) : 160);
}

function candidateOf(failed: Call, worked: Call, leaf: Leaf, shown: string, target: Leaf | null): Candidate {
  const supports = [
    support(failed, 'response', null, failed.failure!),
    support(worked, 'arguments', leaf.path, shown, leaf.key),
  ];
  const reason = shortened(failed.failure!, 200).replace(/^error:? */i, '');
  const { question, answer } = wordsFor(failed, leaf, shown, target, reason);
  return {
    family: 'recovery',
    qaType: 'reasoning',
    question,
    answer,
    support: supports,
    derivation: derivation('recovery', supports, shown),
    subject: `${failed.tool}:${target?.value ?? ''}`,
    worth: 88,
    needs: [],
  };
}

function wordsFor(failed: Call, leaf: Leaf, shown: string, target: Leaf | null, reason: string) {
  const file = fileOf(failed);
  const { old } = editedText(failed);
  if (file !== null && old !== null) {
    return {
      question: `Why did the first edit of ${file} that was refused fail, and which text did the next one that worked replace?`,
      answer: `It failed with "${reason}"; the one that worked replaced text beginning with \`${shown}\`.`,
    };
  }
  const [verb = '', ...object] = splitName(failed.tool);
  const action = object.length === 0 ? verb : `${verb} the ${spell(object)}`;
  const where = target === null || target.path === leaf.path ? '' : ` for ${target.value}`;
  const what = spellKey(leaf.key);
  return {
    question: `Why did the first attempt to ${action}${where} fail, and which ${what} was accepted later?`,
    answer: `It failed with "${reason}"; ${what} ${inQuotes(shown)} was accepted.`,
  };
}
