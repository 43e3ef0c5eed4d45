/** A model that reads what a verifier sends it, over the wire: what it makes of it is for the test to say. */
import { answer, type ReceivedCall, type Script } from './gemini-server.ts';

export interface ShownCase {
  name: string;
  complete: boolean;
  question: string;
  /** The text of each turn. */
  turns: string[];
}

export interface ShownPair {
  name: string;
  cites: string;
  question: string;
  answer: string;
  others: { name: string; text: string }[];
}

export interface Reading {
  quotes: string[];
  answerable: boolean;
  answer: string;
}

export interface Ruling {
  reasons: string;
  others: { name: string; same: boolean }[];
  supported: boolean;
  well_posed: boolean;
  time_valid: boolean;
}

export const promptOf = (call: ReceivedCall): string => call.body.contents[0]!.parts[0]!.text;
export const isBlind = (call: ReceivedCall): boolean =>
  /^The code of this request is [0-9a-f]{16}\. Its cases:/.test(promptOf(call));

export function casesIn(prompt: string): ShownCase[] {
  const code = codeIn(prompt);
  return elements(prompt, 'case', code).map(({ attributes, text }) => ({
    name: attributes.name!,
    complete: attributes.complete === 'yes',
    question: elements(text, 'question', code)[0]!.text,
    turns: elements(text, 'turn', code).map((turn) => turn.text),
  }));
}

export function pairsIn(prompt: string): ShownPair[] {
  const code = codeIn(prompt);
  return elements(prompt, 'pair', code).map(({ attributes, text }) => ({
    name: attributes.name!,
    cites: attributes.cites!,
    question: elements(text, 'question', code)[0]!.text,
    answer: elements(text, 'answer', code)[0]!.text,
    others: elements(text, 'other', code).map((other) => ({ name: other.attributes.name!, text: other.text })),
  }));
}

export function codeIn(prompt: string): string {
  return /^The code of this request is ([0-9a-f]{16})\./.exec(prompt)?.[1] ?? '';
}

function elements(text: string, name: string, code: string) {
  const found = text.matchAll(new RegExp(`<${name}-${code}([^>]*)>\n([\\s\\S]*?)\n</${name}-${code}>`, 'g'));
  return [...found].map(([, attributes = '', inner = '']) => ({
    attributes: Object.fromEntries([...attributes.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1]!, match[2]!])),
    text: inner,
  }));
}

export function answersTo(cases: readonly ShownCase[], read: (shown: ShownCase) => Reading): string {
  return JSON.stringify({ cases: cases.map((shown) => ({ case: shown.name, ...read(shown) })) });
}

export function rulingsOn(pairs: readonly ShownPair[], rule: (shown: ShownPair) => Ruling): string {
  return JSON.stringify({ pairs: pairs.map((shown) => ({ pair: shown.name, ...rule(shown) })) });
}

/** Finds nothing wrong, and no other answer the same. */
export const lets = ({ others }: ShownPair, more: Partial<Ruling> = {}): Ruling => ({
  reasons: 'Nothing is wrong with it.',
  others: others.map(({ name }) => ({ name, same: false })),
  supported: true,
  well_posed: true,
  time_valid: true,
  ...more,
});

/** Settled where all of these texts are shown. */
export const knows =
  (needed: readonly string[], told: string) =>
  (shown: ShownCase): Reading => {
    const all = shown.turns.join('\n');
    if (!needed.every((text) => all.includes(text))) return { quotes: [], answerable: false, answer: '' };
    return { quotes: [...needed], answerable: true, answer: told };
  };

/** One script for both questions. */
export function reader(read: (shown: ShownCase) => Reading, rule: (shown: ShownPair) => Ruling = lets): Script {
  return (response, call) => {
    const prompt = promptOf(call);
    const text = isBlind(call) ? answersTo(casesIn(prompt), read) : rulingsOn(pairsIn(prompt), rule);
    answer(text)(response, call);
  };
}
