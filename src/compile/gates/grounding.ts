/** Gates on truth: what the answer names stands in the cited turns, or follows from them by a derivation run again. */
import type { Derivation } from '../../records.ts';
import { agrees, operandStands, smallNumbers } from '../derivation.ts';
import { fold } from '../fold.ts';
import { factsOf, holdsDate, holdsLiteral, holdsNumber, mentionsOf, standsIn, textFacts } from '../mentions.ts';
import { type Candidate, excerpt, type GateContext, type Refusal, refuse } from './gate.ts';

/** Operations that say something about what is *not* there, or about how many: they need every turn. */
const wholeSessionOps: ReadonlySet<Derivation['op']> = new Set(['count', 'exclusion']);

/** Operations whose result is the answer itself; of the others it is its structure, which the answer puts in words. */
const statedOps: ReadonlySet<Derivation['op']> = new Set(['count', 'difference', 'duration', 'order', 'exclusion']);

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
  const said = !statedOps.has(derivation.op) || says(draft.answer, derivation.result);
  if (!said || !agrees(derivation.op, result, derivation.result))
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

function numbersSaid(text: string): Set<string> {
  const words = smallNumbers.flatMap((word, value) => (standsIn(text.toLowerCase(), word) ? [String(value)] : []));
  return new Set([...mentionsOf(text).numbers, ...words]);
}

export function checkGrounding({ draft, turns }: Candidate): Refusal | null {
  const facts = turns.map(factsOf);
  const derived = derivedFacts(draft.derivation);
  const answer = mentionsOf(draft.answer);
  for (const literal of answer.literals) {
    // What was recomputed is checked; all else must be read off the turns.
    if (!facts.some((turn) => holdsLiteral(turn, literal)) && !holdsLiteral(derived, literal))
      return refuse('ungrounded_literal', excerpt(literal));
  }
  const holders = [...facts, derived];
  for (const number of answer.numbers)
    if (!holders.some((holder) => holdsNumber(holder, number))) return refuse('ungrounded_number', number);
  for (const date of answer.dates)
    if (!holders.some((holder) => holdsDate(holder, date))) return refuse('ungrounded_date', date);
  return null;
}

function derivedFacts(derivation: Derivation | null) {
  if (derivation === null) return textFacts('');
  return textFacts([derivation.result, ...derivation.operands.map(({ value }) => value)].join(' '));
}
