/** The same check, first and last: what it reported then and in the end. */

import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { type Check, type Difference, differences } from '../check.ts';
import { segmentsOf } from '../readings.ts';
import { join } from '../words.ts';

const maxChanged = 4;

export function beforeAfter(checks: readonly Check[]): Candidate[] {
  return checks.flatMap((check) => {
    const first = check.calls[0]!;
    const last = check.calls.at(-1)!;
    if (!apart(first, last)) return [];
    const found = differences(first, last);
    const unlabelled = found.find((one) => one.before.label === null);
    if (unlabelled !== undefined) return [statements(check, first, last, unlabelled)];
    const told = found.filter((one) => isTellable(one));
    if (told.length === 0 || told.length > 8) return [];
    return told.length === 1
      ? [single(check, first, last, told[0]!)]
      : [several(check, first, last, told.slice(0, maxChanged), told.length)];
  });
}

function isTellable({ before, after }: Difference): boolean {
  return before.value.length <= 120 && after.value.length <= 120;
}

function lastTime(check: Check): string {
  return check.calls.length === 2 ? 'the second time' : 'the last time';
}

function statements(check: Check, first: Call, last: Call, found: Difference): Candidate {
  const answer = `At first "${found.before.value}", ${lastTime(check)} "${found.after.value}".`;
  const question = check.name.startsWith('`')
    ? `What did ${check.name} print the first time it was run, and what ${lastTime(check)}?`
    : `What was the outcome of ${check.name} the first time, and what was it ${lastTime(check)}?`;
  return build(first, last, [found], question, answer);
}

function single(check: Check, first: Call, last: Call, found: Difference): Candidate {
  const [label, before, after] = [found.before.label!, found.before.value, found.after.value];
  const [gone, come] = segmentDifference(before, after);
  if (gone !== null && come !== null) {
    const question = `How did the ${label.toLowerCase()} shown by ${check.name} differ between the first time and ${lastTime(check)}?`;
    const answer = `At first it showed ${gone}; ${lastTime(check)} it showed ${come}.`;
    return build(first, last, [found], question, answer);
  }
  const question = `What did ${check.name} report as ${quotedLabel(label)} the first time, and what ${lastTime(check)}?`;
  return build(first, last, [found], question, `${before} the first time, ${after} ${lastTime(check)}.`);
}

function quotedLabel(label: string): string {
  return `"${label}"`;
}

/** The parts of a status line that are only in one of the two, as text; nulls where the values are no status lines. */
function segmentDifference(before: string, after: string): [string | null, string | null] {
  const a = segmentsOf(before);
  const b = segmentsOf(after);
  if (a === null || b === null) return [null, null];
  const gone = a.filter((part) => !b.includes(part));
  const come = b.filter((part) => !a.includes(part));
  return gone.length === 0 || come.length === 0 ? [null, null] : [join(gone), join(come)];
}

function several(check: Check, first: Call, last: Call, found: Difference[], total: number): Candidate {
  const changes = found.map(({ before, after }) => `${before.label} went from ${before.value} to ${after.value}`);
  const some = total > found.length ? `Name ${found.length} of the values that` : 'Which values';
  if (total > found.length) return single(check, first, last, found[0]!);
  const question = `${some} had changed in ${check.name} between the first time it was made and ${lastTime(check)}?`;
  return build(first, last, found, question, `${join(changes)}.`);
}

function build(first: Call, last: Call, found: Difference[], question: string, answer: string): Candidate {
  const supports = found.flatMap(({ before, after }) => [
    support(first, 'response', before.path, before.value, before.hint),
    support(last, 'response', after.path, after.value, after.hint),
  ]);
  const result = found.map(({ before, after }) => `${before.value} → ${after.value}`).join('; ');
  return {
    family: 'before_after',
    qaType: 'temporal',
    question,
    answer,
    support: supports,
    derivation: derivation('change', supports, result, { kind: 'check', signature: first.signature }, 'session'),
    subject: first.signature,
    worth: 60 + (found.length > 1 ? 8 : 0) + (found[0]!.before.quantity === null ? 0 : 5),
    names: [],
    literals: found.flatMap(({ before, after }) => [before.value, after.value]),
  };
}
