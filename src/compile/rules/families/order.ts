/** Three things that were each done once: in which order. */
import { eventName, isDoneOtherwise } from '../action.ts';
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { capitalise } from '../words.ts';

export function order(calls: readonly Call[]): Candidate[] {
  const once = doneOnce(calls);
  if (once.length < 3) return [];
  const events = [once[0]!, once[Math.floor(once.length / 2)]!, once.at(-1)!];
  if (!apart(events[0]!, events[1]!) || !apart(events[1]!, events[2]!)) return [];
  const supports = events.map((call) => support(call, 'tool', null, call.tool));
  const named = events.map((call) => eventName(call)!);
  const told = toldInOrder(named);
  const listed = named.toSorted((a, b) => a.localeCompare(b, 'en'));
  return [
    {
      family: 'order',
      qaType: 'temporal',
      question: `In which order did these happen: ${listed[0]}, ${listed[1]}, and ${listed[2]}?`,
      answer: `${told}.`,
      support: supports,
      derivation: derivation('order', supports, told),
      subject: 'order',
      worth: 44,
      needs: named.map((name) => ({ value: name.replace(/^the /, '').replace(/ (was|were) .*$/, ''), near: null })),
    },
  ];
}

/** Changes by tools that were called only once, that did not fail and have a name in English. */
export function doneOnce(calls: readonly Call[]): Call[] {
  const times = new Map<string, number>();
  for (const call of calls) times.set(call.tool, (times.get(call.tool) ?? 0) + 1);
  return calls.filter(
    (call) =>
      times.get(call.tool) === 1 &&
      call.effect === 'changes' &&
      !call.isMessage &&
      !call.failed &&
      !call.tainted &&
      eventName(call) !== null &&
      !isDoneOtherwise(call, calls),
  );
}

/** What the answer says, without its full stop. */
export function toldInOrder(names: readonly string[]): string {
  return capitalise(`first ${names[0]}, then ${names.slice(1, -1).join(', then ')}, and last ${names.at(-1)}`);
}
