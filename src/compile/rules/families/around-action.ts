/** What a check showed before a named action, and what after it. */
import { eventName, isDoneOtherwise } from '../action.ts';
import type { Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { best, type Check, differences } from '../check.ts';
import { askedOfTwo, runOf, verbOf } from '../showing.ts';

export function aroundAction(calls: readonly Call[], checks: readonly Check[]): Candidate[] {
  return checks.flatMap((check) => stepsRound(calls, check).flatMap((step) => candidate(check, step)));
}

export interface Step {
  before: Call;
  action: Call;
  after: Call;
}

/** Actions that were done once in the session, with the check's last run before and its first run after. */
export function stepsRound(calls: readonly Call[], { calls: runs }: Pick<Check, 'calls'>): Step[] {
  const steps: Step[] = [];
  for (let i = 1; i < runs.length; i += 1) {
    const [before, after] = [runs[i - 1]!, runs[i]!];
    const between = calls
      .slice(before.rank + 1, after.rank)
      .filter((call) => !call.isMessage && call.effect !== 'reads');
    const [action] = between;
    if (between.length !== 1 || action === undefined || action.failed || action.tainted || eventName(action) === null)
      continue;
    const isOnce = calls.filter((call) => call.tool === action.tool).length === 1;
    if (isOnce && !isDoneOtherwise(action, calls)) steps.push({ before, action, after });
  }
  return steps;
}

function candidate(check: Check, { before, action, after }: Step): Candidate[] {
  const change = best(differences(before, after));
  if (change === null) return [];
  const [was, is] = [change.before, change.after];
  const supports = [
    support(before, 'response', was.path, was.value, was.hint),
    support(action, 'tool', null, action.tool),
    support(after, 'response', is.path, is.value, is.hint),
  ];
  const told = toldAround(was.value, is.value);
  const last = `${runOf(check, 'last')} before ${eventName(action)}`;
  const verb = verbOf(check, [before, after], was, true);
  return [
    {
      family: 'before_after',
      qaType: 'temporal',
      question: askedOfTwo(check, [was, is], [last, 'the first one after it'], verb),
      answer: `${told}.`,
      support: supports,
      derivation: derivation('change', supports, told, { around: action.tool, label: was.label ?? '' }, 'session'),
      subject: check.calls[0]!.signature,
      worth: 70,
      needs: [
        { value: was.value, near: was.label },
        { value: is.value, near: is.label },
      ],
    },
  ];
}

export function toldAround(before: string, after: string): string {
  const isPhrase = [before, after].some((value) => value.includes(' ') && !/^\d/.test(value));
  const quote = (value: string) => (isPhrase ? `"${value}"` : value);
  return `${quote(before)} before, ${quote(after)} after`;
}
