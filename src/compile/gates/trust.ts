/** What only instructions within a tool's answer say is not a fact of the session: such a pair is kept, and held back. */
import type { HeldReason } from '../reasons.ts';
import type { Candidate } from './gate.ts';
import { instructionsIn } from './instructions.ts';

/** `untrusted` where a needed turn is quoted only from within instructions that a tool's answer holds. */
export function heldBack({ turns, evidence }: Candidate): HeldReason | null {
  for (const turn of turns) {
    const quotes = evidence.filter((quote) => quote.turn === turn.index);
    const spans = instructionsIn(turn);
    const within = (from: number, to: number) => spans.some((span) => span.from <= from && to <= span.to);
    if (quotes.length > 0 && quotes.every(({ offset, quote }) => within(offset, offset + quote.length)))
      return 'untrusted';
  }
  return null;
}
