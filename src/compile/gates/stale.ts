/** Gates on time: values that changed are told as of the time that is asked for, and come from turns that are cited. */
import type { Evidence } from '../../records.ts';
import { contentWords } from '../fold.ts';
import { mentionsOf, normalNumber, standsIn } from '../mentions.ts';
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
  for (const state of states) {
    if (!isQuoted(state, evidence) || !stands(answer, state.value) || !isTold(state, about)) continue;
    const latest = states.findLast((other) => isSameState(other, state))!;
    if (!isSameValue(latest.value, state.value) && !stands(answer, latest.value))
      return refuse('stale_value', `${excerpt(state.value)}, later ${excerpt(latest.value)} in turn ${latest.turn}`);
  }
  return null;
}

const asksForBoth =
  /\bhow (did|had|has|have|was|were|is|do|does)\b.*\b(chang|differ|compare)|\b(which|what)\b.*\b(chang|differ)|\bfrom\b.*\bto\b|\bbefore\b.*\bafter\b|\bfirst\b.*\b(second|third|next|later|then|last)\b/i;

const fromSameToSame =
  /\b(?:from ["“]?(.{1,60}?)["”]? to ["“]?\1|(?<first>[^\s"“”]+) and then \k<first>)["”]?(?![\p{L}\p{N}_.])/iu;

/** "From active to active": where both values are asked for and quoted, the answer tells both, or what lies between. */
export function checkBothTold({ draft, evidence }: Candidate, { view }: GateContext): Refusal | null {
  const { question, answer } = draft;
  const same = fromSameToSame.exec(answer);
  if (same !== null) return refuse('one_value', excerpt(same[0]));
  if (!asksForBoth.test(question) && !(asksForStart.test(question) && asksForEnd.test(question))) return null;
  const quoted = statesIn(view).filter((state) => isQuoted(state, evidence));
  const said = (state: State) => stands(`${answer} ${question}`.toLowerCase(), state.value);
  for (const [at, state] of quoted.entries()) {
    const other = quoted.find((one, i) => i > at && isSameState(one, state) && !isSameValue(one.value, state.value));
    if (other !== undefined && said(state) !== said(other))
      return refuse('one_value', `${excerpt(state.value)}, ${excerpt(other.value)}`);
  }
  return null;
}

/** "Was poor, and then excellent": of the value that is quoted, the question names no other state that is not quoted. */
export function checkAskedStates({ draft, evidence }: Candidate, { view }: GateContext): Refusal | null {
  if (draft.derivation?.scope === 'session') return null;
  const states = statesIn(view);
  const quoted = states.filter((state) => isQuoted(state, evidence));
  const question = draft.question.toLowerCase();
  const asked = contentWords(draft.question);
  const lost = states.find((state) => {
    const own = quoted.filter((one) => isSameState(one, state));
    const isAsked = own.length > 0 && isTold(state, asked) && stands(question, state.value);
    return isAsked && !own.some((one) => isSameValue(one.value, state.value));
  });
  return lost === undefined ? null : refuse('ungrounded_question', excerpt(lost.value));
}

/** Values that the thing had at a time that nothing is quoted of: the answer took them from elsewhere. */
export function checkOtherStates({ draft, evidence }: Candidate, { view }: GateContext): Refusal | null {
  const states = statesIn(view);
  const quoted = states.filter((state) => isQuoted(state, evidence));
  const answer = draft.answer.toLowerCase();
  const told = [draft.question, ...evidence.map(({ quote }) => quote)].join('\n').toLowerCase();
  const about = contentWords(`${draft.question} ${draft.answer}`);
  const other = states.find(
    (state) =>
      quoted.some((one) => isSameState(one, state)) &&
      isTold(state, about) &&
      stands(answer, state.value) &&
      !stands(told, state.value),
  );
  if (other !== undefined) return refuse('stale_value', `${excerpt(other.value)} of turn ${other.turn}, not quoted`);
  return checkEnds(draft.question, quoted, states);
}

/** "The first check" and "the last one" are the first and the last of the segment, unless an event is named. */
function checkEnds(question: string, quoted: readonly State[], states: readonly State[]): Refusal | null {
  if (namesMoment.test(question)) return null;
  for (const state of quoted) {
    const all = states.filter((one) => isSameState(one, state));
    const own = quoted.filter((one) => isSameState(one, state));
    const lacks = (end: State | undefined) =>
      end !== undefined && !own.some((one) => isSameValue(one.value, end.value));
    if (/\bfirst\b/i.test(question) && own.length > 1 && lacks(all[0]))
      return refuse('stale_value', `first was ${excerpt(all[0]!.value)}`);
    if (/\b(last|final(ly)?)\b/i.test(question) && lacks(all.at(-1)))
      return refuse('stale_value', `last was ${excerpt(all.at(-1)!.value)}`);
  }
  return null;
}

function isQuoted({ turn, value }: State, evidence: readonly Evidence[]): boolean {
  return evidence.some((one) => one.turn === turn && standsIn(one.quote, value));
}

/** As it is written, or its words with its numbers written otherwise. */
function stands(text: string, value: string): boolean {
  const wanted = value.toLowerCase();
  if (standsIn(text, wanted)) return true;
  const { numbers } = mentionsOf(value);
  if (numbers.length === 0 || !contentWords(value).every((word) => text.includes(word))) return false;
  const said = mentionsOf(text).numbers;
  return numbers.every((number) => said.includes(number));
}

function isTold({ key, value }: State, about: readonly string[]): boolean {
  if (value.length >= minTellingChars) return true;
  return contentWords(key.replace(/[_.]/g, ' ')).some((word) => about.includes(word));
}

function isSameValue(a: string, b: string): boolean {
  const number = /^-?\d+(\.\d+)?$/;
  if (number.test(a) && number.test(b)) return normalNumber(a) === normalNumber(b);
  return a.toLowerCase() === b.toLowerCase();
}
