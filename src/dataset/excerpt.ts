/** A readable piece of a row's text, round what was quoted from it. */

/**
 * JSON text with its strings unquoted and unescaped, else only spaced: big numbers and `1.10` read as they were
 * written. Text that is no JSON comes back as it is.
 */
export function readable(text: string): string {
  if (!/^\s*["[{]/.test(text)) return text;
  return text.replace(/"(?:[^"\\]|\\.)*"|[:,](?=\S)/g, (token) => {
    if (token.length === 1) return `${token} `;
    try {
      return JSON.parse(token) as string;
    } catch {
      return token;
    }
  });
}

export interface Excerpt {
  before: string;
  /** Empty where it was not found. */
  quote: string;
  after: string;
}

/** About `length` characters of `text` round `quote`, or from its beginning; `…` marks what is left out. */
export function excerptOf(text: string, quote: string | undefined, length: number): Excerpt {
  const found = quote === undefined ? null : find(text, quote);
  const [from, to] = found ?? [0, 0];
  const room = Math.max(0, length - (to - from));
  const start = snap(text, from - Math.min(from, Math.ceil(room / 3)), 1);
  const end = snap(text, Math.min(text.length, to + room - (from - start)), -1);
  return {
    before: (start > 0 ? '…' : '') + text.slice(start, from),
    quote: text.slice(from, to),
    after: text.slice(to, Math.max(to, end)) + (end < text.length && end >= to ? '…' : ''),
  };
}

/** To a word's border within a few characters, where there is one. */
function snap(text: string, at: number, direction: 1 | -1): number {
  if (at <= 0 || at >= text.length) return Math.max(0, Math.min(at, text.length));
  for (let step = 0; step < 15; step++) {
    const index = at + step * direction;
    if (/\s/.test(text[index] ?? ' ')) return direction === 1 ? index + 1 : index;
  }
  return at;
}

/** By what is left of both without white space and punctuation: the quote stood in another rendering of the same row. */
const passedOver = /[\s"'\\,{}[\]-]/;

function find(text: string, quote: string): [number, number] | null {
  const sought = bare(quote).text;
  if (sought === '') return null;
  const { text: searched, places } = bare(text);
  const at = searched.indexOf(sought);
  return at < 0 ? null : [places[at]!, places[at + sought.length - 1]! + 1];
}

function bare(text: string): { text: string; places: number[] } {
  const places: number[] = [];
  let kept = '';
  for (let index = 0; index < text.length; index++) {
    if (passedOver.test(text[index]!)) continue;
    kept += text[index];
    places.push(index);
  }
  return { text: kept, places };
}
