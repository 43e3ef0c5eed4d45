/** Gate on time: an answer that gives a value as it was, where the question asks how things are. */
import { contentWords } from '../fold.ts';
import { normalNumber, standsIn } from '../mentions.ts';
import { type Candidate, excerpt, type GateContext, type Refusal, refuse } from './gate.ts';
import { isSameState, type State, statesIn } from './states.ts';

/** Names a moment by something that happened: what held then is asked for. */
const namesMoment =
  /\b(before|after|when|while|during|until|till|between|once|as of|at the time|at that time|ago|attempt(s|ed)?|tried|fail(s|ed)?|refused|rejected|went|ha(d|s) been|which showed|that showed)\b|\b\d{1,2}:\d{2}\b|\b\d{4}-\d{2}-\d{2}\b/i;
const asksForStart =
  /\b(first|second|third|initial(ly)?|original(ly)?|earl(y|ier|iest)|previous(ly)?|prior|former(ly)?|beg(i|a|u)n(s|ning)?|start(s|ed|ing)?|old)\b/i;
const asksForEnd =
  /\b(at the end|in the end|end(s|ed)? up|final(ly)?|last|latest|now|current(ly)?|eventual(ly)?|most recent(ly)?|by the end)\b/i;

/** Words and digits that stand in many a text: they are the state's value only where its key is named too. */
const minTellingChars = 4;

export function checkStale({ draft, evidence }: Candidate, { view }: GateContext): Refusal | null {
  const { question } = draft;
  // "First …, and in the end?" wants the end too.
  if (namesMoment.test(question) || (asksForStart.test(question) && !asksForEnd.test(question))) return null;
  const states = statesIn(view);
  const answer = draft.answer.toLowerCase();
  const about = contentWords(`${draft.question} ${draft.answer}`);
  const isQuoted = ({ turn, value }: State) => evidence.some((one) => one.turn === turn && standsIn(one.quote, value));
  for (const state of states) {
    if (!isQuoted(state) || !stands(answer, state.value) || !isMeant(state, about)) continue;
    const latest = states.findLast((other) => isSameState(other, state))!;
    if (!isSameValue(latest.value, state.value) && !stands(answer, latest.value))
      return refuse('stale_value', `${excerpt(state.value)}, later ${excerpt(latest.value)} in turn ${latest.turn}`);
  }
  return null;
}

function stands(answer: string, value: string): boolean {
  return standsIn(answer, value.toLowerCase());
}

function isMeant({ key, value }: State, about: readonly string[]): boolean {
  if (value.length >= minTellingChars) return true;
  return contentWords(key.replace(/[_.]/g, ' ')).some((word) => about.includes(word));
}

function isSameValue(a: string, b: string): boolean {
  const number = /^-?\d+(\.\d+)?$/;
  if (number.test(a) && number.test(b)) return normalNumber(a) === normalNumber(b);
  return a.toLowerCase() === b.toLowerCase();
}
