/** From all candidates to the few that are asked: the worthiest that hold up, spread over families and subjects. */
import type { QaType } from '../../records.ts';
import type { DraftPair, SegmentView } from '../compiler.ts';
import { holdsPlaceholder } from '../gates/form.ts';
import { runGates } from '../gates/run.ts';
import { type Candidate, draftOf, type Family } from './candidate.ts';
import { guard } from './guard.ts';
import { recompute } from './recompute.ts';

const maxOfFamily = 2;
const maxOfSubject = 2;
const maxOfType = 2;
/** What is worth less is only asked where there is little else. */
const goodWorth = 45;
const enough = 2;

export function choose(candidates: readonly Candidate[], view: SegmentView, maxPairs: number): DraftPair[] {
  const families = new Map<Family, number>();
  const subjects = new Map<string, number>();
  const types = new Map<QaType, number>();
  const asked = new Set<string>();
  const drafts: DraftPair[] = [];
  const check = guard(view);
  const ordered = candidates.toSorted((a, b) => worthOf(b) - worthOf(a));
  for (const candidate of ordered) {
    if (drafts.length >= maxPairs) break;
    if (worthOf(candidate) < goodWorth && drafts.length >= enough) break;
    if (drafts.some((draft) => givesAway(draft, candidate))) continue;
    const ofFamily = families.get(candidate.family) ?? 0;
    if ((types.get(candidate.qaType) ?? 0) >= maxOfType) continue;
    const ofSubject = subjects.get(candidate.subject) ?? 0;
    if (
      ofFamily >= maxOfFamily ||
      ofSubject >= (candidate.family === 'bridge' ? 1 : maxOfSubject) ||
      asked.has(candidate.question)
    )
      continue;
    if (asked.has(candidate.answer)) continue;
    const draft = check(candidate) ? draftOf(candidate) : null;
    // The gates judge again; asking them here lets the next best question take the place of one they would refuse.
    if (draft === null || runGates([...drafts, draft], view, { recompute }).passed.at(-1)?.draft !== draft) continue;
    drafts.push(draft);
    asked.add(candidate.question);
    asked.add(candidate.answer);
    types.set(candidate.qaType, (types.get(candidate.qaType) ?? 0) + 1);
    families.set(candidate.family, ofFamily + 1);
    subjects.set(candidate.subject, ofSubject + 1);
  }
  return drafts;
}

/** What redaction replaced means nothing outside its session: as an answer it is a stopgap, in a question a blemish. */
function worthOf({ worth, answer, question }: Candidate): number {
  if (holdsPlaceholder(answer)) return worth - 40;
  return holdsPlaceholder(question) ? worth - 10 : worth;
}

/** An earlier question that names both states tells what changed; one that names the answer tells that. */
function givesAway({ question }: DraftPair, { derivation, answer, family }: Candidate): boolean {
  if (family === 'exclusion') return false;
  if (answer.length > 5 && question.includes(answer.slice(0, -1))) return true;
  return (
    derivation.op === 'change' &&
    derivation.operands.every(({ field, value }) => field === 'tool' || question.includes(value))
  );
}
