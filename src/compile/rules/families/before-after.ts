/** The same check, first and last: what it reported then and in the end. */

import { segmentsOf } from '../../readings.ts';
import { inQuotes } from '../action.ts';
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { type Check, type Difference, differences, keyOf, observationsIn } from '../check.ts';
import { askedOfTwo, runOf, verbOf } from '../showing.ts';
import { join, spokenLabel } from '../words.ts';

const maxChanged = 4;

export function beforeAfter(checks: readonly Check[]): Candidate[] {
  return checks.flatMap((check) => {
    const [first, last] = [check.calls[0]!, check.calls.at(-1)!];
    if (!apart(first, last)) return [];
    const found = differences(first, last).filter(isTellable);
    const told = found.some((one) => one.before.label === null) ? found.slice(0, 1) : found;
    if (told.length === 0 || told.length > 8) return [];
    const isAll = told.length <= maxChanged && tellsAll(first, last);
    return [build(check, first, last, isAll ? told : told.slice(0, 1))];
  });
}

/** "Which values had changed" asks for every one: also for those with no counterpart, or too long to be told. */
function tellsAll(first: Call, last: Call): boolean {
  const [before, after] = [observationsIn(first), observationsIn(last)].map((all) => all.map(keyOf));
  const isSame = before!.length === after!.length && before!.every((key, i) => key === after![i]);
  const isWhole = leavesThatDiffer(first, last) <= differences(first, last).length;
  return isSame && isWhole && new Set(before).size === before!.length && differences(first, last).every(isTellable);
}

/** Of structured responses: values that are too long, or too far down, to be observed count too. */
function leavesThatDiffer(first: Call, last: Call): number {
  if (first.readings.length > 0) return 0;
  const before = new Map(first.leaves.map((leaf) => [leaf.path, leaf.value]));
  return last.leaves.filter((leaf) => before.get(leaf.path) !== leaf.value).length;
}

function isTellable({ before, after }: Difference): boolean {
  return before.value.length <= 120 && after.value.length <= 120;
}

function build(check: Check, first: Call, last: Call, found: Difference[]): Candidate {
  const supports = found.flatMap(({ before, after }) => [
    support(first, 'response', before.path, before.value, before.hint),
    support(last, 'response', after.path, after.value, after.hint),
  ]);
  const again = check.calls.length === 2 ? 'the second time' : 'the last time';
  const told = toldChange(
    found.map(({ before, after }) => ({ label: before.label, before: before.value, after: after.value })),
    again,
  );
  const labels = found.map(({ before }) => before.label ?? '').join('\n');
  return {
    family: 'before_after',
    qaType: 'temporal',
    question: questionOf(check, found),
    answer: `${told}.`,
    support: supports,
    derivation: derivation('change', supports, told, { signature: first.signature, labels }, 'session'),
    subject: first.signature,
    worth: 60 + (found.length > 1 ? 8 : 0) + (found[0]!.before.quantity === null ? 0 : 5),
    needs: found.flatMap(({ before, after }) => [
      { value: before.value, near: before.label },
      { value: after.value, near: after.label },
    ]),
  };
}

function questionOf(check: Check, found: Difference[]): string {
  const again = check.calls.length === 2 ? 'the second one' : 'the last one';
  const first = runOf(check, 'first');
  if (found.length > 1) return `Which values had changed from ${first} to ${again}?`;
  const { before, after } = found[0]!;
  const verb = verbOf(check, [check.calls[0]!, check.calls.at(-1)!], before, true);
  if (changedSegments(before.value, after.value) !== null)
    return `What did ${first} ${verb} that ${again} did not, and what did ${again} ${verb} instead?`;
  return askedOfTwo(check, [before, after], [first, again], verb);
}

export interface Told {
  label: string | null;
  before: string;
  after: string;
}

/** The change as a sentence without its full stop: what the answer says, and what is derived again. */
export function toldChange(changes: readonly Told[], again: string): string {
  const only = changes.length === 1 ? changes[0]! : null;
  if (only === null)
    return join(
      changes.map(
        ({ label, before, after }) => `${spokenLabel(label ?? '')} went from ${inQuotes(before)} to ${inQuotes(after)}`,
      ),
    );
  if (only.label === null) return `The first time "${only.before}", ${again} "${only.after}"`;
  const segments = changedSegments(only.before, only.after);
  if (segments !== null) return `The first time it showed ${segments[0]}; ${again} ${segments[1]}`;
  return `${only.before} the first time, ${only.after} ${again}`;
}

/** The parts of a status line that stand in only one of the two; null where the values are no status lines. */
function changedSegments(before: string, after: string): [string, string] | null {
  const [a, b] = [segmentsOf(before), segmentsOf(after)];
  if (a === null || b === null) return null;
  const gone = a.filter((part) => !b.includes(part));
  const come = b.filter((part) => !a.includes(part));
  return gone.length === 0 || come.length === 0 ? null : [join(gone), join(come)];
}
