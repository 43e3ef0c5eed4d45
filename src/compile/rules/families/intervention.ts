/** Two readings of one check differ: what was done in between. */
import { type Described, describe } from '../action.ts';
import type { Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { best, type Check, type Difference, differences } from '../check.ts';
import { runOf, told, toldAgain, verbOf } from '../showing.ts';
import { capitalise, join } from '../words.ts';

/** A longer list answers nothing: which of them was it? */
const maxActions = 2;

export function intervention(calls: readonly Call[], checks: readonly Check[]): Candidate[] {
  return checks.flatMap((check) => {
    const steps = stepsOf(check);
    return steps
      .filter((step) => steps.filter((other) => isSameStep(step, other)).length === 1)
      .flatMap((step) => candidate(calls, check, step));
  });
}

interface Step {
  from: Call;
  to: Call;
  change: Difference;
}

function stepsOf(check: Check): Step[] {
  const steps: Step[] = [];
  for (let i = 1; i < check.calls.length; i += 1) {
    const [from, to] = [check.calls[i - 1]!, check.calls[i]!];
    const change = best(differences(from, to));
    if (change !== null) steps.push({ from, to, change });
  }
  return steps;
}

/** Whether the values that the question names stand for the other step too, whatever that is asked for. */
function isSameStep({ change }: Step, { from, to }: Step): boolean {
  return differences(from, to).some(
    ({ before, after }) =>
      before.label === change.before.label &&
      before.value === change.before.value &&
      after.value === change.after.value,
  );
}

function candidate(calls: readonly Call[], check: Check, { from, to, change }: Step): Candidate[] {
  const between = calls.slice(from.rank + 1, to.rank);
  if (between.some((call) => call.tainted)) return [];
  const actions = actionsAmong(between);
  if (actions.length === 0 || actions.length > maxActions) return [];
  if (actions.some((action) => isElsewhere(action, from))) return [];
  const described = actions.map(describe);
  if (described.some((one) => one === null)) return [];
  const deeds = described.map((one) => one!);
  const supports = [
    support(from, 'response', change.before.path, change.before.value, change.before.hint),
    ...deeds.flatMap((one) => one.supports),
    support(to, 'response', change.after.path, change.after.value, change.after.hint),
  ];
  return [
    {
      family: 'intervention',
      qaType: 'reasoning',
      question: questionOf(check, { from, to, change }, actions.length),
      answer: `${toldAs(deeds)}.`,
      support: supports,
      derivation: derivation('intervention', supports, toldAs(deeds), { signature: from.signature }),
      subject: from.signature,
      worth: 90 - (actions.length - 1) * 8 + (change.before.quantity === null ? 0 : 6),
      needs: [],
    },
  ];
}

/** Done to another lead than the one that was looked at: true as an answer, and beside the question. */
function isElsewhere(action: Call, check: Call): boolean {
  if (check.command !== null) return false;
  return check.args.some(({ key, value }) => {
    const same = action.args.filter((leaf) => leaf.key === key);
    return same.length > 0 && same.every((leaf) => leaf.value !== value);
  });
}

/** The actions as one sentence without its full stop: what the answer says, and what is derived again. */
export function toldAs(described: readonly Described[]): string {
  return capitalise(join(described.map((one) => one.sentence)));
}

/** What changed something; or the one call that may have, where none surely did. Empty where that cannot be told. */
export function actionsAmong(between: readonly Call[]): Call[] {
  const done = between.filter((call) => !call.isMessage && call.effect !== 'reads');
  // A chain of commands that failed may have done its first half.
  if (done.some((call) => call.failed && call.command !== null)) return [];
  const changes = done.filter((call) => !call.failed && call.effect === 'changes');
  const unclear = done.filter((call) => !call.failed && call.effect === 'unclear');
  if (unclear.length === 0) return changes;
  return changes.length === 0 && unclear.length === 1 ? unclear : [];
}

function questionOf(check: Check, { from, to, change }: Step, actions: number): string {
  const asked = actions === 1 ? 'What was changed' : 'Which two changes were made, in order,';
  const verb = verbOf(check, [from, to], change.before, false);
  const [before, after] = [told(check, change.before), toldAgain(check, change.after)];
  return `${asked} between ${runOf(check, '')} that ${verb} ${before} and the next one, which ${verb} ${after}?`;
}
