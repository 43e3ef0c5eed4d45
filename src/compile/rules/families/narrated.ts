/** Agents that say what they did ("I typed 'x' into …"): what they began with and what they did last, and how often. */
import type { SegmentView } from '../../compiler.ts';
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { toldNext } from './handoff.ts';

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
  return [...groups.values()].flatMap((group) => [...inSequence(group), ...repeated(group)]);
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

/** First and last are asked for in the same words in every session: only where nothing else can be. */
function inSequence(group: readonly Deed[]): Candidate[] {
  const next = following(group);
  return next.length > 0 ? next : firstAndLast(group);
}

/** Of one agent's deeds of one kind. */
const maxFollowing = 2;

/** "What did it type after …?": each thing done once, so that it has one successor; the longest, which say most. */
function following(group: readonly Deed[]): Candidate[] {
  const steps = group.slice(1).flatMap((next, i) => {
    const before = group[i]!;
    if (!isTold(before) || !isTold(next) || !apart(before.call, next.call)) return [];
    const isOnce = group.filter((one) => one.object === before.object).length === 1;
    const isQuotable = !/["“”]/.test(before.object + next.object) && before.object.length >= minAskedChars;
    return isOnce && isQuotable && before.object !== next.object ? [{ before, next }] : [];
  });
  const length = ({ before, next }: { before: Told; next: Told }) => before.object.length + next.object.length;
  return steps
    .toSorted((a, b) => length(b) - length(a))
    .slice(0, maxFollowing)
    .map(({ before, next }) => {
      const { agent } = next.call;
      const supports = [before, next].map((deed) =>
        support(deed.call, 'response', deed.call.text!.path, deed.object, deed.verb),
      );
      return {
        family: 'before_after',
        qaType: 'temporal',
        question: `After ${agent} had ${deeds[next.verb]!.replace('typed', `typed "${before.object}"`)}${next.verb === 'typed' ? '' : ` "${before.object}"`}, what did it ${acts[next.verb]} next?`,
        answer: `"${next.object}".`,
        support: supports,
        derivation: derivation('change', supports, toldNext(next.object), { nextDeed: next.verb, agent }, 'session'),
        subject: `deeds:${agent}`,
        worth: next.verb === 'typed' ? 56 : 48,
        needs: [before.object, next.object].map((value) => ({ value, near: null })),
      } satisfies Candidate;
    });
}

/** "Next" or "OK" is clicked on in any session. */
const minAskedChars = 8;

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
      worth: first.verb === 'typed' ? 41 : 39,
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
