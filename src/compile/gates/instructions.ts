/**
 * Text in a tool's answer that tells its reader what to do: someone wrote it for an agent, or for the compiler, to obey.
 * What it says is not a fact of the session.
 */
import type { RenderedTurn } from '../compiler.ts';
import { fold } from '../fold.ts';
import { responseLine } from '../render.ts';

/** In UTF-16 units of the folded rendering, `to` not included. */
export interface Span {
  from: number;
  to: number;
}

const phrases = [
  String.raw`\b(ignore|disregard|forget|override|bypass)\b.{0,40}\b(previous|prior|above|earlier|preceding|all|any|your|system|these|those)\b.{0,40}\b(instructions?|prompts?|rules?|messages?|guidelines?|context)\b`,
  String.raw`\b(important|urgent)\b.{0,20}\b(message|instructions?|notice)\b.{0,40}\b(to|for) (you|the (agent|assistant|model|ai))\b`,
  String.raw`\bbefore (you|doing|proceeding)\b.{0,80}\b(please do|must|do the following|first:)`,
  String.raw`\b(do not|don't|never) (tell|inform|mention|reveal)\b.{0,30}\b(user|human|anyone|operator)\b`,
  String.raw`\byou (are|must|will) now\b.{0,40}\b(act|obey|follow|respond|reply|answer|send|call|execute|an?)\b`,
  String.raw`\b(new|updated|real|actual|additional) (system |hidden )?(instructions?|task|prompt)s?\s*(:|are\b|follow)`,
  String.raw`\bas an? (ai|assistant|language model|agent),? you (must|should|will)\b`,
  String.raw`\b(system|developer) (prompt|message|override|note)\s*:`,
  // To whoever makes or judges question-answer pairs out of the log.
  String.raw`\b(note|message|instructions?|attention|dear|to)[ :]{1,2}(to |for )?(the |all )?(verifiers?|graders?|judges?|evaluators?|compilers?|annotators?)\b`,
  String.raw`\b(verifier|grader|evaluator|annotator)s?\b.{0,40}\b(must|should|shall|mark|accept|approve)\b`,
  String.raw`\b(mark|label|rate|judge|return)\b.{0,30}\b(pairs?|answers?|questions?|everything)\b.{0,30}\bas (supported|pass(ed)?|proved|verified|valid|well.?posed)\b`,
  String.raw`\b(write|generate|create|output|emit|produce)\b.{0,40}\b(question.{0,5}answers?|q ?& ?a|qa)( pairs?)?\b`,
  String.raw`\bwrite (a|the|one|only) (question|pair)s?\b.{0,60}\banswer\b`,
  String.raw`\bend of the (record|cases)\b|\bwrite up to \d+ pairs\b`,
  String.raw`"(supporting_turns|qa_type)"\s*:`,
];
const phrase = new RegExp(phrases.join('|'), 'gi');

/** How far a phrase reaches to either side: the sentences that belong to it. */
const reachChars = 300;

/** Tags that set text apart as an order, ours and those of chat templates among them. */
const opening =
  /<(information|system|instructions?|important|admin)(?: [^<>]{0,80})?>|<turn-\w{1,32}[^<>]{0,80}>|<\|[a-z_]{2,20}\|>|\[inst\]|<<sys>>/gi;
const closing =
  /<\/(information|system|instructions?|important|admin)>|<\/turn-\w{1,32}>|<\|[a-z_]{2,20}\|>|\[\/inst\]|<<\/sys>>/gi;
const maxBlockChars = 4_000;
/** A text of more tags than that is one instruction. */
const maxTags = 200;

/** Said by people or the agent itself, not returned by a tool. */
const spokenTool = /(^|[._-])(message|user|assistant|system|handoff)([._-]|$)/i;

const known = new WeakMap<RenderedTurn, Span[]>();

/** Where a tool's answer gives instructions; empty for what people and agents say themselves. */
export function instructionsIn(turn: RenderedTurn): readonly Span[] {
  let spans = known.get(turn);
  if (spans === undefined) {
    spans = turn.turn.response === null || spokenTool.test(turn.turn.tool ?? '') ? [] : spansIn(turn);
    known.set(turn, spans);
  }
  return spans;
}

/** Whoever says it: for a compiler that asks nobody, and so had better leave such a turn alone. */
export function givesInstructions(text: string): boolean {
  const plain = plainOf(fold(text));
  return [phrase, opening, closing].some((pattern) => plain.text.search(pattern) !== -1);
}

function spansIn({ text }: RenderedTurn): Span[] {
  const folded = fold(text);
  // What the agent itself wrote, arguments, is no tool's answer.
  const start = Math.max(0, folded.indexOf(`${responseLine} `));
  const plain = plainOf(folded.slice(start));
  const at = (index: number) => start + plain.origin(index);
  const phrasesFound = [...plain.text.matchAll(phrase)].map(({ index, 0: match }) => ({
    from: at(index) - reachChars,
    to: at(index + match.length) + reachChars,
  }));
  return [...phrasesFound, ...blocksIn(plain.text).map(({ from, to }) => ({ from: at(from), to: at(to) }))];
}

/** From an opening tag to the next closing one; as far as an order may go, where none follows. */
function blocksIn(text: string): Span[] {
  const ends = [...text.matchAll(closing)].map(({ index, 0: tag }) => index + tag.length);
  if (ends.length > maxTags) return [{ from: 0, to: text.length }];
  const blocks: Span[] = [];
  let next = 0;
  for (const { index, 0: tag } of text.matchAll(opening)) {
    if (blocks.length > maxTags) return [{ from: 0, to: text.length }];
    while (next < ends.length && ends[next]! <= index + tag.length) next += 1;
    const end = ends[next];
    blocks.push({ from: index, to: Math.min(end ?? text.length, index + maxBlockChars) });
  }
  // A closing tag alone parts what stands before it from what it wants to be read as ours.
  const lone = ends.filter((end) => !blocks.some(({ from, to }) => from < end && end <= to));
  return [...blocks, ...lone.map((end) => ({ from: Math.max(0, end - reachChars), to: end + reachChars }))];
}

/** Letters of other alphabets that look like Latin ones, each above its Latin letter. */
const lookalikes = new Map(
  [...'аеорсухіѕјԁһԛԝɡοανρτικ'].map((letter, i) => [letter, [...'aeopcyxisjdhqwgoavptik'][i]!] as const),
);

interface Plain {
  text: string;
  /** Where a character of it stood. */
  origin: (index: number) => number;
}

/** As a reader sees it: no escapes, no invisible characters, one alphabet; every run of white space one space. */
function plainOf(text: string): Plain {
  if (!/[^\x20-\x7e]|\\/.test(text)) return { text, origin: (index) => index };
  const chars: string[] = [];
  const origin: number[] = [];
  let at = 0;
  for (const char of text.replace(/\\[nrt]/g, '  ')) {
    const from = at;
    at += char.length;
    if (char > '~' && /\p{Cf}/u.test(char)) continue;
    const isGap = char === '\\' || /\s/.test(char);
    if (isGap && chars.at(-1) === ' ') continue;
    for (const unit of isGap ? ' ' : latin(char)) {
      chars.push(unit);
      origin.push(from);
    }
  }
  return { text: chars.join(''), origin: (index) => origin[index] ?? text.length };
}

function latin(char: string): string {
  if (char < '\u0080') return char;
  const lower = char.toLowerCase();
  return lookalikes.get(lower) ?? lower.normalize('NFKD').replace(/\p{M}/gu, '');
}
