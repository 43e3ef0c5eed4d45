/** Of several things that were looked up: the one that nothing was done to, or the only one that something was. */
import type { SegmentView } from '../../compiler.ts';
import { looksLikeId } from '../../flatten.ts';
import type { Call } from '../call.ts';
import { type Candidate, derivation, type Support, support } from '../candidate.ts';
import { join, plural, spellKey } from '../words.ts';

const maxThings = 6;

export function exclusion(calls: readonly Call[], view: SegmentView): Candidate[] {
  if (view.turns.length !== view.trajectory.turns.length) return [];
  return lookupsIn(calls).flatMap((lookup) => {
    const actions = lookup.ids.map((id) => actionsOn(calls, id));
    // What was tried and failed is neither left alone nor acted on.
    if (lookup.ids.some((id, i) => actions[i]!.length === 0 && calls.some((call) => isFailedOn(call, id)))) return [];
    const never = lookup.ids.filter((_, i) => actions[i]!.length === 0);
    const acted = lookup.ids.filter((_, i) => actions[i]!.length > 0);
    if (never.length === 1 && acted.length > 0) return [candidate(lookup, calls, never[0]!, 'never')];
    if (acted.length === 1 && never.length >= 2) return [candidate(lookup, calls, acted[0]!, 'only')];
    return [];
  });
}

export interface Lookup {
  tool: string;
  path: string;
  key: string;
  /** In order of their first lookup. */
  ids: string[];
  calls: Call[];
}

/** Reading tools that were called with different ids in their one argument. */
export function lookupsIn(calls: readonly Call[]): Lookup[] {
  const lookups = new Map<string, Lookup>();
  for (const call of calls) {
    const leaf = call.args[0];
    if (call.isMessage || call.tainted || call.effect !== 'reads' || call.failed || call.command !== null) continue;
    if (leaf === undefined || call.args.length !== 1 || !looksLikeId(leaf.value)) continue;
    const lookup = lookups.get(call.tool) ?? { tool: call.tool, path: leaf.path, key: leaf.key, ids: [], calls: [] };
    lookups.set(call.tool, lookup);
    if (lookup.ids.includes(leaf.value)) continue;
    lookup.ids.push(leaf.value);
    lookup.calls.push(call);
  }
  return [...lookups.values()].filter(
    ({ ids, key }) => ids.length >= 2 && ids.length <= maxThings && spellKey(key).toLowerCase() !== 'id',
  );
}

/** Changes that named the id in an argument and did not fail. */
export function actionsOn(calls: readonly Call[], id: string): Call[] {
  return calls.filter(
    (call) => !call.isMessage && call.effect !== 'reads' && !call.failed && call.args.some((leaf) => leaf.value === id),
  );
}

function isFailedOn(call: Call, id: string): boolean {
  return call.failed && call.effect !== 'reads' && call.args.some((leaf) => leaf.value === id);
}

function candidate(lookup: Lookup, calls: readonly Call[], answer: string, mode: 'never' | 'only'): Candidate {
  const kind = spellKey(lookup.key);
  const acted = mode === 'only' ? [answer] : lookup.ids.filter((id) => id !== answer);
  const supports: Support[] = [
    ...lookup.calls.map((call) => support(call, 'arguments', lookup.path, call.args[0]!.value, lookup.key)),
    ...acted.flatMap((id) =>
      actionsOn(calls, id)
        .slice(0, 1)
        .map((call) => {
          const leaf = call.args.find((one) => one.value === id)!;
          return support(call, 'arguments', leaf.path, id, leaf.key);
        }),
    ),
  ];
  const listed = join(lookup.ids).replace(' and ', ' or ');
  const question =
    mode === 'never'
      ? `Of the ${plural(kind)} that were looked up (${listed}), which one was left alone?`
      : `Of the ${plural(kind)} that were looked up (${listed}), which was the only one acted on?`;
  return {
    family: 'exclusion',
    // Which one was changed is looked up; that one was not takes a look at all the others.
    qaType: mode === 'never' ? 'reasoning' : 'factoid',
    question,
    answer: `${answer}.`,
    support: supports,
    derivation: derivation('exclusion', supports, answer, { tool: lookup.tool, mode }, 'session'),
    subject: lookup.tool,
    worth: mode === 'never' ? 70 : 62,
    needs: [],
  };
}
