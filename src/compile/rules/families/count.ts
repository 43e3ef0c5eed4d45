/** How often something was done over the whole session. */
import type { SegmentView } from '../../compiler.ts';
import { type Leaf, looksLikeId } from '../../flatten.ts';
import { created, editedText, fileOf, pathKey } from '../action.ts';
import type { Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { anyOf, attempted, inverted, plural, spellKey, splitName } from '../words.ts';

const minCount = 3;
const maxCount = 20;

export function count(calls: readonly Call[], view: SegmentView): Candidate[] {
  // A count over a window of the session is no count of the session.
  if (view.turns.length !== view.trajectory.turns.length) return [];
  return selections(calls).flatMap((selection) => candidate(selection, calls));
}

/** What is counted: kept in the derivation, so that the same calls can be chosen again. */
export type Selection = Record<string, string> & { tool: string };

interface Asked {
  selection: Selection;
  question: string;
  worth: number;
}

export function selected(
  calls: readonly Call[],
  { tool, agent, outcome, effect, path, value, starts }: Selection,
): Call[] {
  return calls.filter(
    (call) =>
      call.tool === tool &&
      (agent === undefined || call.agent === agent) &&
      (effect === undefined || call.effect === effect) &&
      (outcome === undefined || (outcome === 'failed') === call.failed) &&
      (value === undefined || call.args.some((leaf) => leaf.path === path && leaf.value === value)) &&
      (starts === undefined || (call.text?.value ?? '').startsWith(starts)),
  );
}

/** Distinct values of one argument, where `distinct` names it; else the number of calls. */
export function countOf(chosen: readonly Call[], { distinct }: Selection): number {
  if (distinct === undefined) return chosen.length;
  return new Set(chosen.flatMap((call) => call.args.filter((leaf) => leaf.path === distinct).map((leaf) => leaf.value)))
    .size;
}

function selections(calls: readonly Call[]): Asked[] {
  const tools = new Map<string, Call[]>();
  for (const call of calls) {
    if (!call.isMessage && call.tool !== '') tools.set(call.tool, [...(tools.get(call.tool) ?? []), call]);
  }
  return [...tools.values()].flatMap((group) => [
    ...done(group),
    ...looked(group),
    ...edited(group, calls),
    ...refused(group),
  ]);
}

function done(group: readonly Call[]): Asked[] {
  const { tool, command } = group[0]!;
  const asked = inverted(tool);
  if (command !== null || asked === null || group[0]!.effect !== 'changes' || fileOf(group[0]!) !== null) return [];
  // Of one and the same thing: "the device"; of several: "an email".
  const isNew = created.test(splitName(tool)[0] ?? '');
  const isOne = !isNew && group.every((call) => call.signature === group[0]!.signature);
  const what = isOne ? asked : asked.replace(/^was the (.+?)(?= \w+$)/, (_all, noun) => `was ${anyOf(noun)}`);
  return [{ selection: { tool, outcome: 'ok' }, question: `How many times ${what} in the whole session?`, worth: 56 }];
}

/** One argument with ids as values: so many things were looked up. */
function looked(group: readonly Call[]): Asked[] {
  const { tool, args, effect } = group[0]!;
  const leaf = args[0];
  if (
    effect !== 'reads' ||
    args.length !== 1 ||
    leaf === undefined ||
    !group.every((call) => looksLikeId(call.args[0]?.value ?? ''))
  )
    return [];
  const kind = spellKey(leaf.key);
  if (kind.toLowerCase() === 'id') return [];
  return [
    {
      selection: { tool, outcome: 'ok', distinct: leaf.path },
      question: `How many different ${plural(kind)} were looked up in the whole session?`,
      // A stopgap: nobody wonders.
      worth: 42,
    },
  ];
}

function edited(group: readonly Call[], calls: readonly Call[]): Asked[] {
  const files = new Map<string, Call[]>();
  for (const call of group) {
    const file = call.effect === 'changes' && call.command === null ? fileOf(call) : null;
    if (file !== null) files.set(file, [...(files.get(file) ?? []), call]);
  }
  return [...files].flatMap(([file, [first]]) => {
    const leaf = first?.args.find((one) => one.value.endsWith(file));
    if (first === undefined || leaf === undefined || isTouchedElsewhere(file, first, leaf, calls)) return [];
    const selection = { tool: first.tool, outcome: 'ok', effect: 'changes', path: leaf.path, value: leaf.value };
    return [
      {
        selection,
        question: `How many ${isPlainEdit(files.get(file)!) ? 'edits of' : `\`${first.tool}\` calls on`} ${file} succeeded in the whole session?`,
        worth: 54,
      },
    ];
  });
}

/** Creating a file, or writing it whole, is no edit. */
function isPlainEdit(calls: readonly Call[]): boolean {
  return calls.every((call) => editedText(call).old !== null && editedText(call).next !== null);
}

/** Another path that ends in the same name, or another tool or command that may have changed it, spoils the count. */
function isTouchedElsewhere(file: string, first: Call, leaf: Leaf, calls: readonly Call[]): boolean {
  return calls.some(
    (call) =>
      !call.isMessage &&
      call.effect !== 'reads' &&
      call.args.some((one) => one.value.includes(file) && (call.command !== null || pathKey.test(one.key))) &&
      (call.tool !== first.tool || !call.args.some((one) => one.path === leaf.path && one.value === leaf.value)),
  );
}

function refused(group: readonly Call[]): Asked[] {
  const { tool, command } = group[0]!;
  if (group.filter((call) => call.failed).length < 2 || (command !== null && !group.every(isClear))) return [];
  const tried = command === null ? attempted(tool) : null;
  const what = command === null ? `\`${tool}\` calls` : 'shell commands';
  return [
    {
      selection: { tool, outcome: 'failed' },
      question:
        tried === null
          ? `How many of the session's ${what} ended in an error?`
          : `How many attempts to ${tried} failed in the whole session?`,
      worth: 46,
    },
  ];
}

/** Output of a command without an exit code tells only by chance whether it failed. */
function isClear({ failed, turn, text }: Call): boolean {
  if (typeof turn.response === 'object' && turn.response !== null) return true;
  return !failed && !/traceback|error:|command not found|no such file/i.test(text?.value ?? '');
}

function candidate({ selection, question, worth }: Asked, calls: readonly Call[]): Candidate[] {
  const chosen = selected(calls, selection).filter((call) => !call.tainted);
  const number = countOf(chosen, selection);
  const least = selection.outcome === 'failed' ? 2 : minCount;
  if (number < least || number > maxCount || chosen.length !== selected(calls, selection).length) return [];
  const supports = chosen.slice(0, 50).map((call) => support(call, 'tool', null, call.tool));
  const times = question.startsWith('How many times') ? ' times' : '';
  return [
    {
      family: 'count',
      qaType: 'composition',
      question,
      answer: `${number}${times}.`,
      support: supports,
      derivation: derivation('count', supports, String(number), selection, 'session'),
      subject: selection.tool,
      worth: worth - Math.max(0, number - 6),
      needs: [],
    },
  ];
}
