/** Work that agents hand to each other: what one was asked after what, what first and what last, and how often. */
import type { SegmentView } from '../../compiler.ts';
import type { Leaf } from '../../flatten.ts';
import { contentWords } from '../../fold.ts';
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';

const handoffTool = /hand_?off|delegate|assign_task|dispatch_task|transfer_to_agent/i;
const maxTaskChars = 230;

export interface Handoff {
  call: Call;
  to: Leaf;
  task: Leaf;
}

export function handoffsIn(calls: readonly Call[]): Handoff[] {
  return calls.flatMap((call) => {
    if (!handoffTool.test(call.tool)) return [];
    const to = call.args.find((leaf) => /^(to|agent|recipient|target|assignee)$/i.test(leaf.key));
    const task = call.args.find((leaf) => /^(content|task|message|instruction|prompt|request)$/i.test(leaf.key));
    return to === undefined || task === undefined ? [] : [{ call, to, task }];
  });
}

export function handoff(calls: readonly Call[], view: SegmentView): Candidate[] {
  const byAgent = new Map<string, Handoff[]>();
  const all = handoffsIn(calls);
  // Left out of a count or of a first and a last, it would make them wrong.
  if (all.some((one) => one.call.tainted)) return [];
  for (const one of all) byAgent.set(one.to.value, [...(byAgent.get(one.to.value) ?? []), one]);
  const isWhole = view.turns.length === view.trajectory.turns.length;
  return [...byAgent.values()].flatMap((group) => [...inSequence(group), ...(isWhole ? howOften(group) : [])]);
}

/** First and last are asked for in the same words in every session: only where nothing else can be. */
function inSequence(group: readonly Handoff[]): Candidate[] {
  const next = following(group);
  return next.length > 0 ? next : firstAndLast(group);
}

/** Quoted in a question: longer ones nobody reads to their end. */
const maxAskedChars = 160;
/** Of one session's handoffs. */
const maxFollowing = 2;

/** "Which task came after …?", of the two that have least in common: a task that is only repeated answers nothing. */
function following(group: readonly Handoff[]): Candidate[] {
  const steps = group.slice(1).flatMap((next, i) => {
    const before = group[i]!;
    const [asked, told] = [taskOf(before), taskOf(next)];
    if (asked === null || told === null || asked.length > maxAskedChars || !apart(before.call, next.call)) return [];
    // Asked for twice, it would have two successors; nested quotation marks end a quote too early.
    if (group.filter((one) => taskOf(one) === asked).length > 1 || /["“”]/.test(asked + told)) return [];
    return before.call.agent === next.call.agent
      ? [{ before, next, asked, told, common: commonWords(asked, told) }]
      : [];
  });
  return steps
    .toSorted((a, b) => a.common - b.common)
    .slice(0, maxFollowing)
    .filter(({ common }) => common < mostCommonWords)
    .map(({ before, next, asked, told }) => {
      const supports = [
        support(before.call, 'arguments', before.task.path, asked, null),
        support(next.call, 'arguments', next.task.path, told, null),
      ];
      return {
        family: 'before_after',
        qaType: 'temporal',
        question: `What did ${next.call.agent} ask ${before.to.value} to do right after "${asked}"?`,
        answer: `"${told}".`,
        support: supports,
        derivation: derivation('change', supports, toldNext(told), { nextFor: next.to.value }, 'session'),
        subject: `handoff:${next.to.value}`,
        worth: 60,
        needs: [asked, told].map((value) => ({ value, near: null })),
      } satisfies Candidate;
    });
}

/** From this share of words on, the next task is the same one put differently. */
const mostCommonWords = 0.5;

function commonWords(a: string, b: string): number {
  const [left, right] = [contentWords(a), contentWords(b)];
  return left.filter((word) => right.includes(word)).length / Math.max(1, Math.min(left.length, right.length));
}

export function toldNext(next: string): string {
  return `"${next}"`;
}

function firstAndLast(group: readonly Handoff[]): Candidate[] {
  const [first, last] = [group[0]!, group.at(-1)!];
  const [asked, lastAsked] = [taskOf(first), taskOf(last)];
  if (!apart(first.call, last.call) || asked === lastAsked || asked === null || lastAsked === null) return [];
  const supports = [
    support(first.call, 'arguments', first.task.path, asked, null),
    support(last.call, 'arguments', last.task.path, lastAsked, null),
  ];
  const told = toldTasks(asked, lastAsked);
  return [
    {
      family: 'before_after',
      qaType: 'temporal',
      question: `What was the first task that ${first.call.agent} handed to ${first.to.value}, and what was the last one in the session?`,
      answer: `${told}.`,
      support: supports,
      derivation: derivation('change', supports, told, { handedTo: first.to.value }, 'session'),
      subject: `handoff:${first.to.value}`,
      // The same words for every session: where there is little else.
      worth: 40,
      needs: [asked, lastAsked].map((value) => ({ value, near: null })),
    },
  ];
}

/** The task's first sentences, as much as can be quoted. */
export function taskOf({ task }: Handoff): string | null {
  const line = task.value.trim().split('\n')[0]!.trim();
  if (line.length <= maxTaskChars) return line.length >= 8 ? line : null;
  // Where a sentence ends, not where the number of a list item does.
  const ends = [...line.slice(0, maxTaskChars).matchAll(/(?<=[a-z)\]'"”])\.(?= [A-Z])/g)].map((match) => match.index);
  const end = ends.at(-1) ?? -1;
  return end >= 20 ? line.slice(0, end + 1) : null;
}

export function toldTasks(first: string, last: string): string {
  return `The first was "${first}", the last was "${last}"`;
}

function howOften(group: readonly Handoff[]): Candidate[] {
  const { call, to } = group[0]!;
  if (group.length < 3 || group.length > 12) return [];
  if (group.some((one) => one.call.tool !== call.tool || one.call.agent !== call.agent)) return [];
  const selection = { tool: call.tool, path: to.path, value: to.value };
  const supports = group.map((one) => support(one.call, 'arguments', one.to.path, one.to.value, one.to.key));
  return [
    {
      family: 'count',
      qaType: 'composition',
      question: `How many tasks did ${call.agent} hand to ${to.value} in the whole session?`,
      answer: `${group.length} tasks.`,
      support: supports,
      derivation: derivation('count', supports, String(group.length), selection, 'session'),
      subject: `handoff:${to.value}`,
      worth: 36,
      needs: [],
    },
  ];
}
