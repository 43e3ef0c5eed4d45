/** What the rules make of a file of sessions, in numbers. */
import type { DraftPair } from '../../src/compile/compiler.ts';
import { runGates } from '../../src/compile/gates/run.ts';
import { draftOf } from '../../src/compile/rules/candidate.ts';
import { recompute } from '../../src/compile/rules/recompute.ts';
import { candidatesOf } from '../../src/compile/rules/rules.ts';
import { maskedQuestion } from '../../src/dataset/masked-question.ts';
import type { SheetEntry } from '../rules-sheet.ts';

/** Lines of text, one figure each. */
export function figuresOf(entries: readonly SheetEntry[]): string[] {
  const drafts = entries.flatMap((entry) => entry.drafts);
  const withPairs = entries.filter((entry) => entry.drafts.length > 0);
  const questions = tally(drafts.map(({ question }) => maskedQuestion(question)));
  const most = [...questions].sort((a, b) => b[1] - a[1]).slice(0, 5);
  const judged = judgedOf(entries);
  const refused = [...judged].filter(([reason]) => reason !== passed).reduce((sum, [, n]) => sum + n, 0);
  const all = refused + (judged.get(passed) ?? 0);
  return [
    `${withPairs.length} of ${entries.length} sessions with pairs, ${drafts.length} pairs, ${ratio(drafts.length, entries.length)} a session`,
    `types: ${told(tally(drafts.map((draft) => draft.qaType)))}`,
    `families: ${told(tally(drafts.map(familyOf)))}`,
    `hops: ${told(tally(drafts.map(({ supportingTurns }) => String(supportingTurns.length))))}`,
    `span: median ${median(drafts.map(spanOf))}, at most ${Math.max(0, ...drafts.map(spanOf))} turns`,
    `distinct masked questions: ${questions.size} of ${drafts.length}; most often ${most.map(([text, n]) => `${n}× ${text}`).join(' | ')}`,
    `candidates: ${all}, of which gates refuse ${ratio(100 * refused, all)} %: ${told(judged)}`,
    `slowest session: ${Math.round(Math.max(0, ...entries.map(({ took }) => took)))} ms`,
  ];
}

const passed = 'passed';

/** Every candidate by itself, before the choice: by the reason of its refusal. */
function judgedOf(entries: readonly SheetEntry[]): Map<string, number> {
  const verdicts = entries.flatMap(({ view }) =>
    candidatesOf(view).map((candidate) => {
      const draft = draftOf(candidate);
      if (draft === null) return 'not quotable';
      return runGates([draft], view, { recompute }).refused[0]?.reason ?? passed;
    }),
  );
  return tally(verdicts);
}

export function familyOf({ raw }: DraftPair): string {
  return (JSON.parse(raw) as { family: string }).family;
}

function spanOf({ supportingTurns }: DraftPair): number {
  return Math.max(...supportingTurns) - Math.min(...supportingTurns);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function ratio(part: number, whole: number): string {
  return whole === 0 ? '0' : (part / whole).toFixed(1);
}

function tally(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function told(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
