/** Gates on what the answer is: it tells something that a coin could not. */
import type { DraftPair } from '../compiler.ts';
import { contentWords, fold } from '../fold.ts';
import { isEmpty, mentionsOf } from '../mentions.ts';
import { excerpt, type Refusal, refuse } from './gate.ts';

const yesOrNo = /^(yes|no|true|false|correct|incorrect|indeed|not at all)\b[\s\p{P}]*/iu;

/** "Unknown", "N/A", "The record does not say": true of any question. */
const nothing = new RegExp(
  [
    String.raw`^(n\/?a|unknown|unclear|none|nothing|not? (known|given|applicable|available)|tbd|\?+|-+)[.\s]*$`,
    String.raw`\b(is|are|was|were) (not|never) (stated|mentioned|specified|given|said|recorded|provided|known|shown|disclosed|clear)\b`,
    String.raw`\b(does|do|did) not (say|state|mention|specify|tell|show|provide|indicate|disclose)\b`,
    String.raw`\b(cannot|can't|could not|can not) be (determined|inferred|known|told|answered)\b`,
    String.raw`\b(no|not enough|insufficient) (information|evidence|details?)\b`,
    String.raw`\b(unspecified|undisclosed|unknowable)\b`,
  ].join('|'),
  'i',
);

export function checkAnswer({ question, answer, evidence }: DraftPair): Refusal | null {
  const told = fold(answer);
  // A tool may well print `none` or "not available": then it is what the turns say.
  const said = (text: string) => evidence.some(({ quote }) => fold(quote).toLowerCase().includes(text));
  const empty = nothing
    .exec(told)?.[0]
    .replace(/[.\s]+$/, '')
    .toLowerCase();
  if (empty !== undefined && !said(empty)) return refuse('states_nothing', excerpt(told));
  if (!/[\p{L}\p{N}⟦]/u.test(told)) return refuse('states_nothing', excerpt(told));
  if (yesOrNo.test(told) && addsNothing(told.replace(yesOrNo, ''), question)) return refuse('yes_no', excerpt(told));
  return null;
}

/** "Yes, it was moved" of "Was it moved?" */
function addsNothing(rest: string, question: string): boolean {
  const asked = contentWords(question);
  return isEmpty(mentionsOf(rest)) && contentWords(rest).every((word) => asked.includes(word));
}
