/** Shortening a long text so that both of its ends stay readable and nobody mistakes the cut for the text's own. */

export interface ClipOptions {
  /** Length of what is kept, in UTF-16 units, the mark not counted. */
  maxChars: number;
}

/** Matches the marks that stand where text was left out. Quotes must not reach across one. */
export const clipMark = /\[… [^\]\n]{1,60} …\]/g;

/** Whether a text holds the mark of a cut. */
export function holdsClipMark(text: string): boolean {
  return new RegExp(clipMark.source).test(text);
}

/** Keeps head (two thirds) and tail, cut at line borders where there are any near, else at word borders. */
export function clipText(text: string, { maxChars }: ClipOptions): string {
  if (text.length <= maxChars) return text;
  const headEnd = borderBefore(text, Math.floor((maxChars * 2) / 3));
  const tailStart = borderAfter(text, text.length - Math.floor(maxChars / 3));
  const left = tailStart - headEnd;
  return `${text.slice(0, headEnd).trimEnd()}\n[… ${left} characters left out …]\n${text.slice(tailStart)}`.toWellFormed();
}

// Half of the part may be given up for a clean border; beyond that a clean cut costs more than it is worth.
function borderBefore(text: string, at: number): number {
  const line = text.lastIndexOf('\n', at);
  if (line > at / 2) return line;
  const space = text.lastIndexOf(' ', at);
  return space > at / 2 ? space : at;
}

function borderAfter(text: string, at: number): number {
  const span = (text.length - at) / 2;
  const line = text.indexOf('\n', at);
  if (line !== -1 && line - at < span) return line + 1;
  const space = text.indexOf(' ', at);
  return space !== -1 && space - at < span ? space + 1 : at;
}
