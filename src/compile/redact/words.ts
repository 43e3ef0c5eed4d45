/** Texts as words: runs of letters, digits and underscores. */

/** Above this every character counts as a letter, but for spaces and punctuation, and has no other case. */
const tableSize = 0x600;
const isLetter = new Uint8Array(tableSize);
const lower = new Uint16Array(tableSize);
for (let code = 0; code < tableSize; code++) {
  const character = String.fromCharCode(code);
  isLetter[code] = /[\p{L}\p{N}\p{M}_]/u.test(character) ? 1 : 0;
  const small = character.toLowerCase();
  lower[code] = small.length === 1 ? small.charCodeAt(0) : code;
}

export function isWordCode(code: number): boolean {
  if (code < tableSize) return isLetter[code] === 1;
  // General punctuation; signs, among them the brackets of placeholders; CJK punctuation; the byte order mark.
  return !(
    (code >= 0x2000 && code <= 0x206f) ||
    (code >= 0x2190 && code <= 0x2bff) ||
    (code >= 0x3000 && code <= 0x303f) ||
    code === 0xfeff
  );
}

export function lowerOf(code: number): number {
  return code < tableSize ? lower[code]! : code;
}

/** Equal words have equal hashes, others seldom. */
export function wordHash(hash: number, code: number): number {
  return (Math.imul(hash, 31) + code) | 0;
}

export interface Word {
  from: number;
  to: number;
  /** Of its characters in lower case. */
  hash: number;
}

/** The first word that begins at `from` or after it; null where there is none before `limit`. */
export function nextWord(text: string, from: number, limit = text.length): Word | null {
  let at = from;
  while (at < limit && !isWordCode(text.charCodeAt(at))) at++;
  if (at >= limit || at >= text.length) return null;
  const begin = at;
  let hash = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isWordCode(code)) break;
    hash = wordHash(hash, lowerOf(code));
  }
  return { from: begin, to: at, hash };
}

export function lowered(text: string, { from, to }: { from: number; to: number }): string {
  return text.slice(from, to).toLowerCase();
}
