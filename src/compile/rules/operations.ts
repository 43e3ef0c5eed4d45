/** The operations that only rules declare, run on the turns again. */
import type { Derivation, Operand } from '../../records.ts';
import type { SegmentView } from '../compiler.ts';
import { describe, eventName } from './action.ts';
import type { Call } from './call.ts';
import { observationsIn } from './check.ts';
import { stepsRound, toldAround } from './families/around-action.ts';
import { toldChange } from './families/before-after.ts';
import { doneIn } from './families/bridge.ts';
import { countOf, type Selection, selected } from './families/count.ts';
import { actionsOn, lookupsIn } from './families/exclusion.ts';
import { handoffsIn, taskOf, toldNext, toldTasks } from './families/handoff.ts';
import { actionsAmong, toldAs } from './families/intervention.ts';
import { deedsIn, isTold, toldDeeds } from './families/narrated.ts';
import { doneOnce, toldInOrder } from './families/order.ts';
import { changedIn, toldStates } from './families/record-change.ts';
import { settingsIn, toldSetting } from './families/record-set.ts';
import { mended } from './families/shell-recovery.ts';
import { thingsIn, within } from './things.ts';

/** An operand with the call that it was taken from. */
export type Resolved = Operand & { call: Call };

export interface Run {
  operands: Resolved[];
  params: Record<string, string>;
  calls: Call[];
  view: SegmentView;
}

type Operation = (run: Run) => string | null;

/** Operations that are not here are the shared ones. */
export const operations: Partial<Record<Derivation['op'], Operation>> = {
  change,
  intervention,
  recovery,
  bridge,
  count,
  exclusion,
  order,
};

function change(run: Run): string | null {
  const { operands, params, calls } = run;
  if (params.nextFor !== undefined) return nextTask(run);
  if (params.nextDeed !== undefined) return nextDeed(run);
  if (params.handedTo !== undefined) return tasks(run);
  if (params.around !== undefined) return around(run);
  if (params.deeds !== undefined) return deeds(run);
  if (params.set !== undefined) return setting(run);
  if (params.record !== undefined) return states(run);
  const same = calls.filter((call) => call.signature === params.signature);
  const [first, last] = [same[0], same.at(-1)];
  const labels = (params.labels ?? '').split('\n');
  const changes = [];
  for (let i = 0; i + 1 < operands.length; i += 2) {
    const [before, after] = [operands[i]!, operands[i + 1]!];
    if (before.call !== first || after.call !== last || before.value === after.value) return null;
    const label = labels[i / 2] === '' || labels[i / 2] === undefined ? null : labels[i / 2]!;
    if (!isObserved(before, label) || !isObserved(after, label)) return null;
    changes.push({ label, before: before.value, after: after.value });
  }
  return toldChange(changes, same.length === 2 ? 'the second time' : 'the last time');
}

function isObserved(operand: Resolved, label?: string | null): boolean {
  return observationsIn(operand.call).some(
    (one) => one.value === operand.value && one.path === operand.path && (label === undefined || one.label === label),
  );
}

function around({ operands, params, calls }: Run): string | null {
  const [before, action, after] = operands;
  if (before === undefined || action === undefined || after === undefined) return null;
  const label = params.label === '' ? null : params.label;
  if (!isObserved(before, label) || !isObserved(after, label)) return null;
  const runs = calls.filter((call) => call.signature === before.call.signature);
  const step = stepsRound(calls, { calls: runs }).find((one) => one.action === action.call);
  if (step?.before !== before.call || step.after !== after.call) return null;
  return toldAround(before.value, after.value);
}

function setting({ operands, params, calls }: Run): string | null {
  const found = settingsIn(calls, thingsIn(calls)).find(
    (one) =>
      one.after.key === params.set &&
      one.seen.record.id === params.record &&
      one.seen.call === operands[0]?.call &&
      one.call === operands[1]?.call,
  );
  return found === undefined ? null : toldSetting(found.before.value, found.after.value);
}

function tasks({ operands, params, calls }: Run): string | null {
  const handed = handoffsIn(calls).filter((one) => one.to.value === params.handedTo);
  const [first, last] = [handed[0], handed.at(-1)];
  if (first === undefined || last === undefined) return null;
  const [asked, lastAsked] = [taskOf(first), taskOf(last)];
  if (asked === null || lastAsked === null || asked !== operands[0]?.value || lastAsked !== operands[1]?.value)
    return null;
  return toldTasks(asked, lastAsked);
}

function nextTask({ operands, params, calls }: Run): string | null {
  const handed = handoffsIn(calls).filter((one) => one.to.value === params.nextFor);
  const asked = handed.filter((one) => taskOf(one) === operands[0]?.value);
  const next = handed[handed.indexOf(asked[0]!) + 1];
  if (asked.length !== 1 || next === undefined || asked[0]!.call !== operands[0]?.call) return null;
  const told = taskOf(next);
  return told !== null && told === operands[1]?.value && next.call === operands[1].call ? toldNext(told) : null;
}

function nextDeed({ operands, params, calls }: Run): string | null {
  const done = deedsIn(calls).filter((deed) => deed.verb === params.nextDeed && deed.call.agent === params.agent);
  const before = done.filter((deed) => deed.object === operands[0]?.value);
  const next = done[done.indexOf(before[0]!) + 1];
  if (before.length !== 1 || before[0]!.call !== operands[0]?.call) return null;
  return isTold(next) && next.object === operands[1]?.value && next.call === operands[1].call
    ? toldNext(next.object)
    : null;
}

function deeds({ operands, params, calls }: Run): string | null {
  const done = deedsIn(calls).filter((deed) => deed.verb === params.deeds && deed.call.agent === params.agent);
  const [first, last] = [done[0], done.at(-1)];
  if (!isTold(first) || !isTold(last)) return null;
  if (first.object !== operands[0]?.value || last.object !== operands[1]?.value) return null;
  return toldDeeds(first.object, last.object);
}

function states({ params, calls }: Run): string | null {
  const seen = thingsIn(calls).byId.get(params.record ?? '');
  const [first, last] = [seen?.[0], seen?.at(-1)];
  if (first === undefined || last === undefined) return null;
  const changed = changedIn(first, last).find(({ before }) => within(first.record, before) === params.attribute);
  return changed === undefined ? null : toldStates(changed.before.value, changed.after.value);
}

function intervention({ operands, params, calls }: Run): string | null {
  const [before, after] = [operands[0]!, operands.at(-1)!];
  const [from, to] = [before.call, after.call];
  if (from.signature !== params.signature || to.signature !== params.signature) return null;
  if (!isObserved(before) || !isObserved(after)) return null;
  const between = calls.slice(from.rank + 1, to.rank);
  if (between.some((call) => call.signature === params.signature)) return null;
  const done = actionsAmong(between);
  // What was done is told by turns of its own.
  if (!done.every((call) => operands.some((operand) => operand.call === call))) return null;
  const described = done.map(describe);
  return described.length > 0 && described.every((one) => one !== null) ? toldAs(described) : null;
}

function recovery({ operands, params, calls }: Run): string | null {
  const [failed, worked] = operands;
  if (failed === undefined || worked === undefined) return null;
  if (params.shell !== undefined) {
    const later = calls.slice(failed.call.rank + 1).filter((call) => call.command !== null && !call.tainted);
    const asked = failed.call.failure === failed.value && failed.call.command?.trim() === params.shell;
    return asked && mended(failed.call, later) === worked.call ? (worked.call.command?.trim() ?? null) : null;
  }
  const isFirst = calls.find((call) => call.tool === failed.call.tool && call.failure === failed.call.failure);
  if (failed.call.failure !== failed.value || worked.call.failed || isFirst === undefined) return null;
  if (worked.call.tool !== failed.call.tool || worked.call.rank <= failed.call.rank) return null;
  const before = failed.call.args.find((leaf) => leaf.path === worked.path)?.value;
  const after = worked.call.args.find((leaf) => leaf.path === worked.path)?.value;
  return before === after ? null : worked.value;
}

/** name · id | id · answer, or the other way round: the two in the middle are one value in two turns. */
function bridge({ operands, params, calls }: Run): string | null {
  const [, left, right, answer] = operands;
  if (left === undefined || right === undefined || answer === undefined) return null;
  const isOnly = doneIn(calls).filter((call) => call.tool === params.once).length === 1;
  if (params.once !== undefined && (!isOnly || left.call.tool !== params.once)) return null;
  return left.value === right.value && left.turn !== right.turn ? answer.value : null;
}

function count({ params, calls, view }: Run): string | null {
  if (view.turns.length !== view.trajectory.turns.length || params.tool === undefined) return null;
  const selection: Selection = { ...params, tool: params.tool };
  return String(countOf(selected(calls, selection), selection));
}

function exclusion({ params, calls }: Run): string | null {
  const lookup = lookupsIn(calls).find((one) => one.tool === params.tool);
  if (lookup === undefined) return null;
  const wanted = params.mode === 'only';
  const left = lookup.ids.filter((id) => actionsOn(calls, id).length > 0 === wanted);
  return left.length === 1 ? left[0]! : null;
}

function order({ operands, calls }: Run): string | null {
  const once = doneOnce(calls);
  const events = operands.map((operand) => operand.call).toSorted((a, b) => a.rank - b.rank);
  if (!events.every((call) => once.includes(call))) return null;
  return toldInOrder(events.map((call) => eventName(call) ?? call.tool));
}
