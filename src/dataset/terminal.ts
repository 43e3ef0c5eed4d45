/** Text for a terminal: how wide it is, how it is wrapped, and what of it must never reach one. */

export interface Terminal {
  /** Columns. */
  width: number;
  colour: boolean;
}

/** Colour only where a person looks and did not decline it: https://no-color.org */
export function terminalOf(
  { isTTY = false, columns = 100 }: { isTTY?: boolean; columns?: number },
  noColor: string | undefined,
): Terminal {
  return { width: Math.min(Math.max(columns, 50), 120), colour: isTTY && !noColor };
}

export type Style = 'bold' | 'dim' | 'cyan' | 'green' | 'yellow';
const codes: Record<Style, [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  cyan: [36, 39],
  green: [32, 39],
  yellow: [33, 39],
};

export function styled(text: string, style: Style, { colour }: Terminal): string {
  const [on, off] = codes[style];
  return colour && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}

/** Row text without what steers a terminal or hides text in it: controls, escapes, marks of direction. */
export function printable(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/\t/g, ' ')
    .replace(/\p{Cf}/gu, (mark) => (mark === zeroWidthJoiner ? mark : ''))
    .replace(/\p{Cc}/gu, (control) => (control === '\n' ? control : '·'));
}

const zeroWidthJoiner = '\u200d';
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const wide =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

/** Lines of at most `width` columns, broken between words where that is possible. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => wrapLine(line, width));
}

function wrapLine(line: string, width: number): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(/ +/).flatMap((it) => breakWord(it, width))) {
    const longer = current === '' ? word : `${current} ${word}`;
    if (widthOf(longer) <= width) {
      current = longer;
      continue;
    }
    lines.push(current);
    current = word;
  }
  return [...lines, current];
}

function breakWord(word: string, width: number): string[] {
  if (widthOf(word) <= width) return [word];
  const pieces = [''];
  for (const { segment } of graphemes.segment(word)) {
    if (widthOf(pieces.at(-1)! + segment) > width) pieces.push('');
    pieces[pieces.length - 1] += segment;
  }
  return pieces;
}
