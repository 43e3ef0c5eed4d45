/** How long it took from one result of a check to another. */
import { microsOf } from '../../../records.ts';
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { best, type Check, differences, observationsIn } from '../check.ts';
import { runOf, told, verbOf } from '../showing.ts';

export function duration(checks: readonly Check[]): Candidate[] {
  return checks.flatMap((check) => {
    const [first, last] = [check.calls[0]!, check.calls.at(-1)!];
    const found = best(differences(first, last));
    if (found === null || !apart(first, last)) return [];
    const seconds = secondsBetween(first, last);
    if (seconds === null || seconds < 10) return [];
    const time = spoken(seconds);
    const shown = observationsIn(last).find((one) => one.path === found.after.path && one.label === found.after.label)!;
    const supports = [
      support(first, 'time', null, first.turn.turn.createdAt ?? ''),
      support(last, 'time', null, last.turn.turn.createdAt ?? ''),
    ];
    const again = check.calls.length === 2 ? 'second' : 'last';
    return [
      {
        family: 'duration' as const,
        qaType: 'temporal' as const,
        question: `How much time passed between ${runOf(check, 'first')} and the ${again} one, which ${verbOf(check, [last], shown, false)} ${told(check, shown)}?`,
        answer: `${time}.`,
        support: supports,
        derivation: derivation('duration', supports, time),
        subject: first.signature,
        worth: 38,
        needs: [],
      },
    ];
  });
}

export function secondsBetween(a: Call, b: Call): number | null {
  const [from, to] = [a, b].map((call) =>
    call.turn.turn.createdAt === null ? null : microsOf(call.turn.turn.createdAt),
  );
  if (from === null || to === null || from === undefined || to === undefined) return null;
  const seconds = (to - from) / 1e6;
  return Number.isFinite(seconds) && seconds > 0 ? seconds : null;
}

/** `95` → "1 minute 35 seconds". */
export function spoken(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [
    [Math.floor(whole / 3600), 'hour'],
    [Math.floor((whole % 3600) / 60), 'minute'],
    [whole % 60, 'second'],
  ] as const;
  return parts
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}${amount === 1 ? '' : 's'}`)
    .join(' ');
}
