/** Texts as words: runs of letters, digits and underscores. */

/** From here on every character counts as a letter, but for spaces and punctuation, and has no other case. */
const caseless = 0x600;
/** Of every UTF-16 unit, so that no text reads beside it. */
const letters = Uint16Array.from({ length: 0x10000 }, (_, code) => (code < caseless ? smallLetter(code) : sign(code)));

/** The letter, digit or underscore in lower case; 0 for everything else. */
export function letterOf(code: number): number {
  return letters[code]!;
}

function smallLetter(code: number): number {
  const character = String.fromCharCode(code);
  if (!/[\p{L}\p{N}\p{M}_]/u.test(character)) return 0;
  const small = character.toLowerCase();
  return small.length === 1 ? small.charCodeAt(0) : code;
}

function sign(code: number): number {
  // General punctuation; signs, among them the brackets of placeholders; CJK punctuation; the byte order mark.
  const separates =
    (code >= 0x2000 && code <= 0x206f) ||
    (code >= 0x2190 && code <= 0x2bff) ||
    (code >= 0x3000 && code <= 0x303f) ||
    code === 0xfeff;
  return separates ? 0 : code;
}

export interface Word {
  from: number;
  to: number;
}

/** The first word that begins at `from` or after it; null where there is none before `limit`. */
export function nextWord(text: string, from: number, limit = text.length): Word | null {
  const end = Math.min(limit, text.length);
  let at = from;
  while (at < end && letterOf(text.charCodeAt(at)) === 0) at++;
  return at < end ? { from: at, to: wordEnd(text, at) } : null;
}

/** Where the word ends that begins at `from`. */
export function wordEnd(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && letterOf(text.charCodeAt(at)) !== 0) at++;
  return at;
}

export function lowered(text: string, { from, to }: Word): string {
  return text.slice(from, to).toLowerCase();
}

/** How many shapes there are: see {@link shapeOf}. */
export const shapes = 0x4000;

/** Of first and last letter and length: equal words have equal ones, and few others do. */
export function shapeOf(text: string, from: number, to: number): number {
  const first = letterOf(text.charCodeAt(from));
  const last = letterOf(text.charCodeAt(to - 1));
  return (first ^ (last << 5) ^ ((to - from) << 9)) & (shapes - 1);
}
