/** The same check, first and last: what it reported then and in the end. */
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { type Check, type Difference, differences, saysTheSame } from '../check.ts';
import { segmentsOf } from '../readings.ts';
import { join } from '../words.ts';

const maxChanged = 4;

export function beforeAfter(checks: readonly Check[]): Candidate[] {
  return checks.flatMap((check) => {
    const [first, last] = [check.calls[0]!, check.calls.at(-1)!];
    if (!apart(first, last)) return [];
    const found = differences(first, last).filter(isTellable);
    const told = found.some((one) => one.before.label === null) ? found.slice(0, 1) : found;
    if (told.length === 0 || told.length > 8) return [];
    return [build(check, first, last, told.length > maxChanged ? told.slice(0, 1) : told)];
  });
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
    question: questionOf(check, found, again),
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

function questionOf(check: Check, found: Difference[], again: string): string {
  if (found.length > 1) {
    return `Which values had changed in ${check.name} between the first time it was run and ${again}?`;
  }
  const { before, after } = found[0]!;
  const bothFailed = check.calls[0]!.failed && check.calls.at(-1)!.failed;
  if (bothFailed && before.label === null)
    return `With what did ${check.name} fail the first time, and with what ${again}?`;
  if (check.name.startsWith('`')) return `What did ${check.name} print the first time it was run, and what ${again}?`;
  if (before.label === null) return `What was the outcome of ${check.name} the first time, and what was it ${again}?`;
  if (changedSegments(before.value, after.value) !== null) {
    const what = saysTheSame(before.label, check.name)
      ? check.name
      : `the ${before.label.toLowerCase()} in ${check.name}`;
    return `How did ${what} differ between the first time it was made and ${again}?`;
  }
  if (saysTheSame(before.label, check.name)) return `What did ${check.name} show the first time, and what ${again}?`;
  return `What did ${check.name} report as "${before.label}" the first time, and what ${again}?`;
}

export interface Told {
  label: string | null;
  before: string;
  after: string;
}

/** The change as a sentence without its full stop: what the answer says, and what is derived again. */
export function toldChange(changes: readonly Told[], again: string): string {
  const only = changes.length === 1 ? changes[0]! : null;
  if (only === null) return join(changes.map(({ label, before, after }) => `${label} went from ${before} to ${after}`));
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
