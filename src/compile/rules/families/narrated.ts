/** Agents that say what they did ("I typed 'x' into …"): what they began with and what they did last, and how often. */
import type { SegmentView } from '../../compiler.ts';
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';

const opening = /^I (typed|searched for|clicked|opened|visited|queried) /;
/** The closing quotation mark is the one that something ends or goes on behind: `'Mariano's salads' into …`. */
const told = /^['"“](.+?)['"”](?= into |\.\s*(?:\n|$)|\n|$)/s;

export interface Deed {
  call: Call;
  verb: string;
  /** Null where it is too long, or of several lines, to be asked for. */
  object: string | null;
}

export type Told = Deed & { object: string };

export function deedsIn(calls: readonly Call[]): Deed[] {
  return calls.flatMap((call): Deed[] => {
    const text = (call.text?.value ?? '').slice(0, 600);
    const found = call.isMessage ? null : opening.exec(text);
    if (found === null) return [];
    const object = call.tainted ? null : (told.exec(text.slice(found[0].length))?.[1] ?? null);
    const isShort = object !== null && object.length >= 3 && object.length <= 160 && !object.includes('\n');
    return [{ call, verb: found[1]!, object: isShort ? object : null }];
  });
}

export function isTold(deed: Deed | undefined): deed is Told {
  return deed !== undefined && deed.object !== null;
}

export function narrated(calls: readonly Call[], view: SegmentView): Candidate[] {
  if (view.turns.length !== view.trajectory.turns.length) return [];
  const groups = new Map<string, Deed[]>();
  for (const deed of deedsIn(calls)) {
    const key = `${deed.call.agent}\u0001${deed.verb}`;
    groups.set(key, [...(groups.get(key) ?? []), deed]);
  }
  return [...groups.values()].flatMap((group) => [...firstAndLast(group), ...repeated(group)]);
}

const deeds: Record<string, string> = {
  typed: 'typed into a field',
  'searched for': 'searched for',
  clicked: 'clicked on',
  opened: 'opened',
  visited: 'visited',
  queried: 'queried',
};

const acts: Record<string, string> = {
  typed: 'type',
  'searched for': 'search for',
  clicked: 'click on',
  opened: 'open',
  visited: 'visit',
  queried: 'query',
};

function firstAndLast(group: readonly Deed[]): Candidate[] {
  const [first, last] = [group[0], group.at(-1)];
  if (!isTold(first) || !isTold(last)) return [];
  if (!apart(first.call, last.call) || first.object === last.object) return [];
  const supports = [first, last].map((deed) =>
    support(deed.call, 'response', deed.call.text!.path, deed.object, deed.verb),
  );
  const answer = toldDeeds(first.object, last.object);
  return [
    {
      family: 'before_after',
      qaType: 'temporal',
      question: `What was the first thing that ${first.call.agent} ${deeds[first.verb]}, and what was the last in the session?`,
      answer: `${answer}.`,
      support: supports,
      derivation: derivation('change', supports, answer, { deeds: first.verb, agent: first.call.agent }, 'session'),
      subject: `deeds:${first.call.agent}`,
      worth: first.verb === 'typed' ? 54 : 47,
      needs: [first.object, last.object].map((value) => ({ value, near: null })),
    },
  ];
}

export function toldDeeds(first: string, last: string): string {
  return `First "${first}", last "${last}"`;
}

/** The one thing that was done three times or more: a loop, which is what people look for in such a session. */
function repeated(group: readonly Deed[]): Candidate[] {
  const times = new Map<string, Told[]>();
  for (const deed of group.filter(isTold)) times.set(deed.object, [...(times.get(deed.object) ?? []), deed]);
  return [...times.values()]
    .filter((same) => same.length >= 3 && same.length <= 20)
    .map((same) => {
      const { call, verb, object } = same[0]!;
      const starts = call.text!.value.slice(0, call.text!.value.indexOf(object) + object.length + 1);
      const supports = same.map((deed) => support(deed.call, 'response', deed.call.text!.path, object, verb));
      const number = String(same.length);
      return {
        family: 'count' as const,
        qaType: 'composition' as const,
        question: `How many times did ${call.agent} ${acts[verb]} "${object}" in the whole session?`,
        answer: `${number} times.`,
        support: supports,
        derivation: derivation('count', supports, number, { tool: call.tool, agent: call.agent, starts }, 'session'),
        subject: `deeds:${call.agent}`,
        worth: 57,
        needs: [],
      };
    });
}
