/** Gates on truth: what the answer names stands in the cited turns, or follows from them by a derivation run again. */
import type { Derivation } from '../../records.ts';
import type { DraftPair } from '../compiler.ts';
import { agrees, operandStands, smallNumbers } from '../derivation.ts';
import { contentWords, fold } from '../fold.ts';
import {
  factsOf,
  holdsDate,
  holdsLiteral,
  holdsNumber,
  mentionsOf,
  normalNumber,
  standsIn,
  textFacts,
} from '../mentions.ts';
import { type Candidate, excerpt, type GateContext, type Refusal, refuse } from './gate.ts';
import { callOf } from './support.ts';

/** Operations that say something about what is *not* there, or about how many: they need every turn. */
const wholeSessionOps: ReadonlySet<Derivation['op']> = new Set(['count', 'exclusion']);

/** Runs the derivation again, where there is one. */
export function checkDerivation({ draft, turns }: Candidate, { view, recompute }: GateContext): Refusal | null {
  const { derivation } = draft;
  if (derivation === null) return null;
  if (wholeSessionOps.has(derivation.op) && derivation.scope !== 'session')
    return refuse('derivation_scope', `${derivation.op} over ${derivation.scope}`);
  for (const operand of derivation.operands) {
    const cited = derivation.scope === 'session' || turns.some(({ index }) => index === operand.turn);
    if (!cited || !operandStands(operand, view))
      return refuse('operand_not_found', `turn ${operand.turn} ${operand.field}: ${excerpt(operand.value)}`);
  }
  const result = recompute(derivation, view);
  if (result === null || result === '')
    return refuse('derivation_mismatch', `${derivation.op} can't be run on its operands`);
  if (
    !says(draft.answer, derivation.result) ||
    !saysOperands(draft.answer, derivation) ||
    !agrees(derivation.op, result, derivation.result)
  )
    return refuse(
      'derivation_mismatch',
      `${derivation.op} gives ${excerpt(result)}, not ${excerpt(derivation.result)}`,
    );
  return null;
}

/** The answer holds the result: as text, or as the same numbers. */
function says(answer: string, result: string): boolean {
  const text = fold(answer).toLowerCase();
  if (standsIn(text, fold(result).toLowerCase())) return true;
  const { numbers } = mentionsOf(result);
  const said = numbersSaid(answer);
  return numbers.length > 0 && numbers.every((number) => said.has(number));
}

/** "0.55 more (12.95 against 12.40)": whoever tells one of the two numbers tells both. */
function saysOperands(answer: string, { op, operands, result }: Derivation): boolean {
  if (op !== 'difference') return true;
  const said = mentionsOf(answer).numbers;
  const worked = mentionsOf(result).numbers;
  const from = operands.flatMap(({ value }) => mentionsOf(value).numbers);
  return said.every((number) => worked.includes(number)) || from.every((number) => said.includes(number));
}

function numbersSaid(text: string): Set<string> {
  const words = smallNumbers.flatMap((word, value) => (standsIn(text.toLowerCase(), word) ? [String(value)] : []));
  return new Set([...mentionsOf(text).numbers, ...words]);
}

/**
 * What the answer names stands in its quotes, in the question, or in what was derived. Ids and names may be those of the
 * calls, which tell who did what; times may be those of the rows.
 */
export function checkGrounding({ draft, turns, evidence }: Candidate): Refusal | null {
  const told = [draft.question, ...evidence.map(({ quote }) => quote)].join('\n');
  const holders = [textFacts(`${told}\n${derivedText(draft.derivation)}`)];
  const answer = mentionsOf(draft.answer);
  const lacks = <T>(values: readonly T[], holds: (value: T) => boolean) => values.find((value) => !holds(value));
  const calls = turns.map(callOf);
  const called = [...holders, ...calls.map((call) => textFacts(call))];
  const literal = lacks(answer.literals, (value) => called.some((one) => holdsLiteral(one, value)));
  if (literal !== undefined) return refuse('ungrounded_literal', excerpt(literal));
  const numbers = [...answer.numbers, ...countsIn(draft)];
  const number = lacks(numbers, (value) => holders.some((one) => holdsNumber(one, value)));
  if (number !== undefined) return refuse('ungrounded_number', number);
  const mixed = mixedUp(draft);
  if (mixed !== null) return refuse('ungrounded_number', mixed);
  const timed = [...holders, ...turns.map(factsOf)];
  const date = lacks(answer.dates, (value) => timed.some((one) => holdsDate(one, value)));
  if (date !== undefined) return refuse('ungrounded_date', date);
  const name = lacks(namesOf(draft.answer, answer.names), (value) => called.some((one) => holdsLiteral(one, value)));
  if (name !== undefined) return refuse('ungrounded_name', excerpt(name));
  return draft.derivation === null ? checkWords(draft.answer, `${told} ${calls.join(' ')}`) : null;
}

/** "Amount 90.12" where the quote says `amount: 2.75`: a number that stands behind the label of another one; or null. */
function mixedUp({ answer, evidence }: DraftPair): string | null {
  const quoted = new Map<string, string[]>();
  for (const [, label = '', number = ''] of evidence.flatMap(({ quote }) => [...fold(quote).matchAll(labelled)])) {
    const name = label.toLowerCase().replaceAll('_', ' ');
    quoted.set(name, [...(quoted.get(name) ?? []), normalNumber(number)]);
  }
  const told = fold(answer).toLowerCase();
  for (const [name, numbers] of quoted) {
    const said = new RegExp(`(?<![\\p{L}\\p{N}])${name} (?:(?:is|was|of|to|set to) )?(\\d[\\d,.]*\\d|\\d)`, 'u').exec(
      told,
    )?.[1];
    if (said !== undefined && !numbers.includes(normalNumber(said))) return `${name} ${said}`;
  }
  return null;
}

const labelled = /(?<![\p{L}\p{N}])(\p{L}[\p{L}_]{2,40}): (\d[\d,]*(?:\.\d+)?)(?![\p{L}\p{N}:/-])/gu;

/** From this share on, the words of a clause are the writer's own. */
const ownWordsShare = 0.5;

/** Months, numbers and units, which are checked with their digits; and verbs that lead from one value to another. */
const ownWord =
  /^(went|became|becom|chang|increas|decreas|rose|fell|grew|drop|turn|mov|remain|stay|fail|succeed|work|result|show|said)[a-z]{0,3}$|^(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?)$|^(second|minute|hour|day|week|month|year|percent|total|time|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twice|once)s?$/;

/** An answer is put in words of its own; a clause of which most stand nowhere rests on something that is not cited. */
function checkWords(answer: string, told: string): Refusal | null {
  const text = fold(told).toLowerCase();
  for (const clause of [answer, ...answer.split(/;|\band\b|\bthen\b/i)]) {
    const words = contentWords(clause).filter((word) => !ownWord.test(word));
    const own = words.filter((word) => !text.includes(word));
    // One word of its own is no claim, unless it is the whole answer.
    const isClaim = words.length > 1 || clause === answer;
    if (isClaim && own.length > 0 && own.length >= words.length * ownWordsShare)
      return refuse('ungrounded_words', excerpt(own.join(', ')));
  }
  return null;
}

const timesSaid: Record<string, string> = { once: '1', twice: '2', thrice: '3' };

/** "Three of them": asked how many, words are numbers. */
function countsIn({ question, answer }: DraftPair): string[] {
  if (!/\bhow (many|often|much)\b/i.test(question)) return [];
  const words = answer.toLowerCase().match(/\p{L}+/gu) ?? [];
  return words.flatMap((word) => {
    const value = smallNumbers.indexOf(word);
    return value > 1 ? [String(value)] : (timesSaid[word] ?? []);
  });
}

/** Openers of sentences, and adverbs that are whole answers. */
const noName =
  /^(I|The|A|An|First|Then|Last|Only|Both|Neither|None|No|Not|Yes|Never|Always|Once|Twice|Because|After|Before|From|In|On|At|By|It|They|He|She|There|All|Each|Every|About|Around|Over|Under|Between)$/;

/** As mentions have them, and the first word where the answer is nothing but names. */
function namesOf(answer: string, names: readonly string[]): string[] {
  const opening = /^(\p{Lu}[\p{L}'’-]*\p{L})(?: \p{Lu}[\p{L}\p{N}'’.-]*)*[.!]?$/u.exec(answer.trim())?.[1];
  const all = opening === undefined ? names : [opening, ...names];
  return all.filter((name) => !noName.test(name));
}

/** Results that stand in no turn since they were worked out; what others give was read off turns, and is quoted. */
const computedOps: ReadonlySet<Derivation['op']> = new Set(['count', 'difference', 'duration', 'order', 'exclusion']);

export function derivedText(derivation: Derivation | null): string {
  if (derivation === null) return '';
  const values = derivation.operands.map(({ value }) => value);
  return [...(computedOps.has(derivation.op) ? [derivation.result] : []), ...values].join('\n');
}
