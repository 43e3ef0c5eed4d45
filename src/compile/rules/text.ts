/** Finding values in a rendering, and quoting the line that they stand on. */

const minQuoteChars = 8;
const maxQuoteChars = 240;

/** Whether two values say the same: `0` and `0.0` do. */
export function sameValue(a: string, b: string): boolean {
  const number = /^-?\d+(\.\d+)?$/;
  return a === b || (number.test(a) && number.test(b) && Number(a) === Number(b));
}

export function fold(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** Where a value stands as a word of its own: `2` is not in `2025`, `OFF` not in `OFFER`; -1 where it does not. */
export function indexOfWord(text: string, value: string, from = 0): number {
  for (let at = text.indexOf(value, from); at >= 0; at = text.indexOf(value, at + 1)) {
    if (isWholeWord(text, at, value.length)) return at;
  }
  return -1;
}

function isWholeWord(text: string, at: number, length: number): boolean {
  const first = text.charAt(at);
  const last = text.charAt(at + length - 1);
  const before = text.charAt(at - 1);
  const after = text.charAt(at + length);
  if (/[\w]/.test(first) && /[\w]/.test(before)) return false;
  if (/\d/.test(first) && /[.,]/.test(before) && /\d/.test(text.charAt(at - 2))) return false;
  if (/[\w]/.test(last) && /[\w]/.test(after)) return false;
  return !(/\d/.test(last) && /[.,]/.test(after) && /\d/.test(text.charAt(at + length + 1)));
}

export function holds(text: string, value: string): boolean {
  return indexOfWord(text, value) >= 0;
}

/**
 * A passage of `text` round `value`, verbatim but for folded white space: the line it stands on, shortened at words
 * where that is long. `hint` (a key, say) prefers the line that names it. Null where the value does not stand there.
 */
export function quoteOf(text: string, value: string, hint: string | null = null): string | null {
  const at = bestIndex(text, value, hint);
  if (at < 0 || value.length > maxQuoteChars) return null;
  let start = text.lastIndexOf('\n', Math.max(0, at - 1)) + 1;
  let end = text.indexOf('\n', at + value.length);
  if (end < 0) end = text.length;
  if (end - start > maxQuoteChars) [start, end] = shorten(text, start, end, at, value.length);
  while (fold(text.slice(start, end)).length < minQuoteChars && (start > 0 || end < text.length)) {
    // A line of a few characters says nothing by itself: take the one above, or below, with it.
    if (start > 0) start = text.lastIndexOf('\n', start - 2) + 1;
    else end = text.indexOf('\n', end + 1) < 0 ? text.length : text.indexOf('\n', end + 1);
  }
  const quote = fold(text.slice(start, end));
  return quote.length >= minQuoteChars && quote.length <= 300 && !/\[… .* …\]/.test(quote) ? quote : null;
}

function bestIndex(text: string, value: string, hint: string | null): number {
  const first = indexOfWord(text, value);
  if (hint === null) return first;
  for (let at = first, tries = 0; at >= 0 && tries < 50; at = indexOfWord(text, value, at + 1), tries += 1) {
    const line = text.slice(text.lastIndexOf('\n', at) + 1, at);
    if (line.includes(hint)) return at;
  }
  return first;
}

function shorten(text: string, start: number, end: number, at: number, length: number): [number, number] {
  const room = Math.max(20, Math.floor((maxQuoteChars - length) / 2));
  let from = Math.max(start, at - room);
  let to = Math.min(end, at + length + room);
  const space = text.indexOf(' ', from);
  if (from > start && space >= 0 && space < at) from = space + 1;
  const last = text.lastIndexOf(' ', to);
  if (to < end && last > at + length) to = last;
  return [from, to];
}

/** Shortened at a word, with an ellipsis. */
export function shortened(text: string, maxChars: number): string {
  const folded = fold(text);
  if (folded.length <= maxChars) return folded;
  const cut = folded.lastIndexOf(' ', maxChars);
  return `${folded.slice(0, cut > maxChars / 2 ? cut : maxChars)} …`;
}
