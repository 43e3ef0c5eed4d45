/**
 * Instructions within a tool's answer are what someone wrote for the agent to obey: what only they say is not a fact of
 * the session. Such a pair is kept, and held back.
 */

import { factsOf } from '../mentions.ts';
import type { HeldReason } from '../reasons.ts';
import type { Candidate } from './gate.ts';

const instruction = new RegExp(
  [
    String.raw`\b(ignore|disregard|forget|override)\b.{0,40}\b(previous|prior|above|earlier|all|your|system)\b.{0,40}\b(instructions?|prompts?|rules?|messages?|guidelines?)\b`,
    String.raw`\b(important|urgent)\b.{0,20}\b(message|instructions?|notice)\b.{0,40}\b(to|for) (you|the (agent|assistant|model|ai))\b`,
    String.raw`\bbefore (you|doing|proceeding)\b.{0,60}\b(please|must|first|do the following)\b`,
    String.raw`\b(do not|don't|never) (tell|inform|mention|reveal|ask)\b.{0,30}\b(the )?(user|human|anyone)\b`,
    String.raw`\byou (are|must|should) now\b.{0,40}\b(act|obey|follow|respond|reply|send|call|execute)\b`,
    String.raw`<\/?(information|system|instructions?|important|admin)>`,
    String.raw`\b(new|updated|real) (system )?(instructions?|task|prompt)\s*:`,
    String.raw`\bas an? (ai|assistant|language model|agent),? you (must|should|will)\b`,
  ].join('|'),
  'gi',
);
/** How far an instruction reaches to either side: the sentences that belong to it. */
const reachChars = 300;

/** Said by people or the agent itself, not returned by a tool. */
const spokenPattern = /(^|[._-])(message|user|assistant|system|handoff)([._-]|$)/i;

/** `untrusted` where a needed turn is quoted only from within instructions that a tool's answer holds. */
export function heldBack({ turns, evidence }: Candidate): HeldReason | null {
  for (const turn of turns) {
    const quotes = evidence.filter((quote) => quote.turn === turn.index);
    if (quotes.length === 0 || turn.turn.response === null || spokenPattern.test(turn.turn.tool ?? '')) continue;
    const { folded } = factsOf(turn);
    const spans = [...folded.matchAll(instruction)].map(({ index, 0: match }) => ({
      from: index - reachChars,
      to: index + match.length + reachChars,
    }));
    const within = (from: number, to: number) => spans.some((span) => span.from <= from && to <= span.to);
    if (quotes.every(({ offset, quote }) => within(offset, offset + quote.length))) return 'untrusted';
  }
  return null;
}
