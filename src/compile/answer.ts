/** The form that a model's answer is asked in, and what is made of what comes back: pairs, or counted reasons why not. */
import { z } from 'zod';
import { type Derivation, qaTypeSchema } from '../records.ts';
import type { DraftPair, Proposal } from './compiler.ts';
import { plainSchema } from './plain-schema.ts';
import type { SegmentReason } from './reasons.ts';

const wireOperand = z.object({
  turn: z.int(),
  field: z.enum(['arguments', 'response', 'tool', 'agent', 'time']),
  value: z.string(),
});

const wireDerivation = z.object({
  op: z.enum(['count', 'difference', 'duration', 'order', 'exclusion']),
  operands: z.array(wireOperand),
  select_tool: z.string().optional(),
  select_text: z.string().optional(),
  pick: z.enum(['first', 'last']).optional(),
  result: z.string(),
});

// Evidence before question before answer: a model writes in this order, so the answer rests on what it quoted.
const wirePair = z.object({
  evidence: z.array(z.object({ turn: z.int(), quote: z.string() })),
  question: z.string(),
  answer: z.string(),
  qa_type: qaTypeSchema,
  derivation: wireDerivation.optional(),
});
type WirePair = z.infer<typeof wirePair>;

/** JSON Schema of the answer, in keywords that providers know. */
export const wireSchema: Record<string, unknown> = plainSchema(z.object({ pairs: z.array(wirePair) }));

export interface ReadAnswer {
  drafts: DraftPair[];
  malformed: Proposal['malformed'];
  emptyReason: SegmentReason | null;
  /** How the JSON was found: `json`, `unwrapped`, `extracted`; null where there is none. */
  parseMode: string | null;
}

/** Larger answers than the output limit allows are no answers. */
const maxAnswerChars = 200_000;
const maxRawChars = 20_000;

/** Reads a finished answer. Never throws: what is no pair is malformed, and says why. */
export function readAnswer(text: string, maxPairs: number): ReadAnswer {
  if (text.trim() === '') return { drafts: [], malformed: [], emptyReason: 'empty', parseMode: null };
  const parsed = text.length > maxAnswerChars ? null : parseLoosely(text);
  const list = parsed === null ? null : pairList(parsed.value);
  if (list === null) {
    const malformed = [{ detail: 'the answer is no list of pairs', raw: rawOf(text) }];
    return { drafts: [], malformed, emptyReason: 'unparsable', parseMode: parsed?.mode ?? null };
  }
  const result: ReadAnswer = { drafts: [], malformed: [], emptyReason: null, parseMode: parsed?.mode ?? null };
  for (const item of list) {
    const checked = wirePair.safeParse(item);
    const raw = rawOf(item);
    if (!checked.success) result.malformed.push({ detail: issueOf(checked.error), raw });
    else if (result.drafts.length >= maxPairs) result.malformed.push({ detail: `more than ${maxPairs} pairs`, raw });
    else result.drafts.push(draftOf(checked.data, raw));
  }
  if (list.length === 0) result.emptyReason = 'no_structure';
  return result;
}

function pairList(value: unknown): unknown[] | null {
  if (Array.isArray(value)) return value;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'pairs')) return null;
  const { pairs } = value as { pairs: unknown };
  return Array.isArray(pairs) ? pairs : null;
}

function issueOf(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue === undefined ? 'not a pair' : `${issue.path.join('.') || 'pair'}: ${issue.message}`.slice(0, 300);
}

/** JSON text of what was proposed; cut where it is absurdly long, and told where it can't be written. */
function rawOf(value: unknown): string {
  try {
    const text = JSON.stringify(value);
    return text.length <= maxRawChars ? text : JSON.stringify(text.slice(0, maxRawChars).toWellFormed());
  } catch {
    // Nested too deeply for the stack.
    return JSON.stringify('nested too deeply to be kept');
  }
}

function draftOf(pair: WirePair, raw: string): DraftPair {
  const derivation = pair.derivation === undefined ? null : derivationOf(pair.derivation);
  const turns = [...pair.evidence, ...(derivation?.operands ?? [])].map(({ turn }) => turn);
  return {
    question: pair.question,
    answer: pair.answer,
    qaType: pair.qa_type,
    supportingTurns: [...new Set(turns)].sort((a, b) => a - b),
    evidence: pair.evidence,
    derivation,
    raw,
  };
}

function derivationOf(wire: NonNullable<WirePair['derivation']>): Derivation {
  const params = Object.entries({ tool: wire.select_tool, contains: wire.select_text, pick: wire.pick });
  return {
    op: wire.op,
    operands: wire.operands.map((operand) => ({ ...operand, path: null })),
    // The gates look at every turn for these two, whatever was said.
    scope: wire.op === 'count' || wire.op === 'exclusion' ? 'session' : 'operands',
    result: wire.result,
    params: Object.fromEntries(params.filter((entry): entry is [string, string] => Boolean(entry[1]))),
  };
}

/**
 * As it stands; without byte order mark, thoughts and code fences; then the first balanced object or list that parses.
 * Nothing is repaired: a closed bracket too many could be an answer that was cut.
 */
function parseLoosely(text: string): { mode: string; value: unknown } | null {
  const whole = parseJson(text);
  if (whole !== undefined) return { mode: 'json', value: whole };
  const bare = text
    .replace(/^\uFEFF/, '')
    .replace(/<think>[\s\S]*?<\/think>/gi, '')
    .trim();
  const unwrapped = parseJson(bare) ?? parseJson(/^```\w*\s*\n([\s\S]*?)\n?```\s*$/.exec(bare)?.[1] ?? '');
  if (unwrapped !== undefined) return { mode: 'unwrapped', value: unwrapped };
  for (const part of balancedParts(bare)) {
    const value = parseJson(part);
    if (looksLikePairs(value)) return { mode: 'extracted', value };
  }
  return null;
}

/** Of an answer that was cut, a list within a pair may be whole: it is not the list of pairs. */
function looksLikePairs(value: unknown): boolean {
  const list = pairList(value);
  return list?.every((item) => typeof item === 'object' && item !== null && Object.hasOwn(item, 'question')) ?? false;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Each start costs a pass over the text: an answer made of brackets must not cost the square of its length. */
const maxStarts = 20;

/** Texts from an opening bracket to the one that closes it, brackets in strings not counted. */
function* balancedParts(text: string): Generator<string> {
  let at = 0;
  for (let starts = 0; starts < maxStarts; starts++) {
    const offset = text.slice(at).search(/[{[]/);
    if (offset === -1) return;
    const start = at + offset;
    const end = closingBracket(text, start);
    if (end !== -1) yield text.slice(start, end + 1);
    at = start + 1;
  }
}

function closingBracket(text: string, start: number): number {
  let depth = 0;
  let inString = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth === 0) return at;
  }
  return -1;
}
