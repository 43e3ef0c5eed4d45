/** Text of rows, pairs and answers between tags that none of it can hold: to whoever reads the prompt it is data. */
import { isoOf, microsOf } from '../../records.ts';
import type { RenderedTurn } from '../compiler.ts';
import { digestOf } from '../digest.ts';

/** A code that stands in none of the texts: the same for the same request, by which its answer is known again. */
export function codeFor(seed: readonly string[], texts: readonly string[]): string {
  for (let nth = 0; ; nth++) {
    const code = digestOf('verify', ...seed, String(nth)).slice(0, 16);
    if (!texts.some((text) => text.includes(code))) return code;
  }
}

/** `<turn-CODE n="#002">…</turn-CODE>`; attributes are ours alone, never text of a row. */
export function tagged(name: string, code: string, attributes: Record<string, string | null>, text: string): string {
  const written = Object.entries(attributes).map(([key, value]) => (value === null ? '' : ` ${key}="${value}"`));
  return `<${name}-${code}${written.join('')}>\n${text}\n</${name}-${code}>`;
}

/** ISO 8601; null where the row has no time that is one. */
export function timeOf({ turn }: RenderedTurn): string | null {
  const at = turn.createdAt === null ? turn.committedAt : microsOf(turn.createdAt);
  return at !== null && Number.isFinite(at) ? isoOf(at) : null;
}
