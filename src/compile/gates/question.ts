/** Gates on the question: what it starts from stands in turns that are cited. */
import type { SegmentView } from '../compiler.ts';
import { factsOf, holdsDate, holdsLiteral, holdsNumber, mentionsOf, type TurnFacts, textFacts } from '../mentions.ts';
import { type Candidate, excerpt, type GateContext, type Refusal, refuse } from './gate.ts';
import { derivedText } from './grounding.ts';
import { callOf } from './support.ts';

/** Shorter numbers of a question count things (`the 3 orders`), or stand anywhere. */
const minTellingDigits = 3;

/**
 * What the question names stands in a turn that is cited: else the evidence leaves out what the question starts from.
 * Names that no turn holds are the asker's own words (`British`, `Friday`).
 */
export function checkQuestion({ draft, turns, evidence }: Candidate, { view }: GateContext): Refusal | null {
  const cited = (draft.derivation?.scope === 'session' ? view.turns : turns).map(factsOf);
  const derived = textFacts(derivedText(draft.derivation));
  const { literals, numbers, dates, names } = mentionsOf(draft.question);
  const stands = (holds: (facts: TurnFacts) => boolean) => cited.some(holds) || holds(derived);
  const literal = literals.find((value) => !stands((facts) => holdsLiteral(facts, value)));
  if (literal !== undefined) return refuse('ungrounded_question', excerpt(literal));
  const telling = numbers.filter((value) => value.length >= minTellingDigits && !/^(19|20)\d\d$/.test(value));
  const number = telling.find((value) => !stands((facts) => holdsNumber(facts, value)));
  if (number !== undefined) return refuse('ungrounded_question', number);
  const date = dates.find((value) => !stands((facts) => holdsDate(facts, value)));
  if (date !== undefined) return refuse('ungrounded_question', date);
  const event = uncitedEvent(draft.question, [...turns.map(callOf), ...evidence.map(({ quote }) => quote)], view);
  if (event !== null) return refuse('ungrounded_question', excerpt(event));
  const elsewhere = (name: string) => view.turns.some((turn) => holdsLiteral(factsOf(turn), name));
  const name = names.find((value) => !stands((facts) => holdsLiteral(facts, value)) && elsewhere(value));
  return name === undefined ? null : refuse('ungrounded_question', excerpt(name));
}

/** Verbs and nouns of half the tools there are. */
const commonToolWord =
  /^(get|set|list|find|search|check|read|run|do|send|show|view|user|customer|agent|assistant|message|details?|info|status|tool|call|by|id|all|of|for|to|and|the|in|on)$/;

/** A tool that the question speaks of ("the network mode preference was set") and that no cited turn called; or null. */
function uncitedEvent(question: string, cited: readonly string[], { turns }: SegmentView): string | null {
  const asked: string[] = question.toLowerCase().match(/\p{L}+/gu) ?? [];
  const texts = cited.map((text) => text.toLowerCase());
  for (const tool of new Set(turns.map(({ turn }) => turn.tool ?? ''))) {
    const words = tool.split(/[^\p{L}]+|(?<=\p{Ll})(?=\p{Lu})/u).map((word) => word.toLowerCase());
    const telling = words.filter((word) => word.length > 2 && !commonToolWord.test(word));
    const spoken = together(telling, asked);
    const isCited = texts.some((text) => spoken.every((word) => text.includes(word)));
    if (spoken.length >= 2 && !isCited) return spoken.join(' ');
  }
  return null;
}

/** Words of a tool that stand next to each other in the question, or with one word in between (`the VPN was disconnected`). */
function together(words: readonly string[], asked: readonly string[]): string[] {
  const places = words.map((word) => asked.flatMap((other, at) => (isForm(other, word) ? [at] : [])));
  return words.filter((word, i) =>
    places[i]!.some((at) => places.some((others, j) => words[j] !== word && others.some((one) => near(one, at)))),
  );
}

function near(a: number, b: number): boolean {
  return a !== b && Math.abs(a - b) <= 2;
}

/** "Enabled" of `enable`, "refuelled" of `refuel`. */
function isForm(word: string, verb: string): boolean {
  if (word === verb) return true;
  const root = verb.replace(/e$/, '');
  return root.length >= 4 && word.startsWith(root) && word.length <= verb.length + 4;
}
