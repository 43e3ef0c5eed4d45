/** Gates on evidence: each quote is long enough to mean something and stands, word for word, in the turn it names. */
import type { Evidence } from '../../records.ts';
import { holdsClipMark } from '../clip.ts';
import type { DraftPair, RenderedTurn } from '../compiler.ts';
import { fold, unescapeJson } from '../fold.ts';
import { factsOf } from '../mentions.ts';
import { excerpt, type Refusal, refuse } from './gate.ts';

export const minQuoteChars = 8;
export const maxQuoteChars = 300;

/** Every quote with its row key and its offset in the folded rendering, or why one of them is none. */
export function findQuotes(draft: DraftPair, cited: readonly RenderedTurn[]): Evidence[] | Refusal {
  const evidence: Evidence[] = [];
  for (const { turn: index, quote } of draft.evidence) {
    const turn = cited.find((candidate) => candidate.index === index);
    if (turn === undefined) return refuse('turns_exist', `a quote names turn ${index}, which is not cited`);
    const found = findQuote(quote, turn);
    if ('reason' in found) return found;
    evidence.push(found);
  }
  return evidence;
}

function findQuote(quote: string, turn: RenderedTurn): Evidence | Refusal {
  const folded = fold(quote.toWellFormed());
  if (folded.length < minQuoteChars || folded.length > maxQuoteChars)
    return refuse('quote_length', `${folded.length} characters: ${excerpt(folded)}`);
  if (/^(⟦[^⟧]*⟧[\s\p{P}]*)+$/u.test(folded)) return refuse('quote_placeholder', excerpt(folded));
  if (turn.clipped && holdsClipMark(folded)) return refuse('quote_clipped', excerpt(folded));
  const text = factsOf(turn).folded;
  const unescaped = unescapeJson(quote);
  for (const candidate of unescaped === null ? [folded] : [folded, fold(unescaped.toWellFormed())]) {
    const offset = text.indexOf(candidate);
    if (offset !== -1 && candidate !== '')
      return { turn: turn.index, rowKey: turn.turn.rowKey, quote: candidate, offset };
  }
  return refuse('quote_not_found', `turn ${turn.index}: ${excerpt(folded)}`);
}
