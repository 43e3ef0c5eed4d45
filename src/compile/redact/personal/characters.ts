/** What a character is to the pass over a text: of which words it may be a part. */

/** Bits; 0 is what stands between words. */
export const digit = 1;
export const lower = 2;
export const upper = 4;
export const underscore = 8;
/** Beyond ASCII. */
export const otherLetter = 16;
/** A colon or an equals sign: a name of a member may stand before it. */
export const colon = 32;

export const wordBits = digit | lower | upper | underscore | otherLetter;

/**
 * By code unit. Beyond ASCII: letters from À on, without general punctuation, arrows, brackets, symbols and the
 * ideographic space.
 */
export const classes = Uint8Array.from({ length: 1 << 16 }, (_, code) => classAt(code));

function classAt(code: number): number {
  if (code < 128) return classOfAscii(String.fromCharCode(code));
  return code < 0xc0 || (code >= 0x2000 && code < 0x2c00) || code === 0x3000 || code === 0xfeff ? 0 : otherLetter;
}

function classOfAscii(char: string): number {
  if (/\d/.test(char)) return digit;
  if (/[a-z]/.test(char)) return lower;
  if (/[A-Z]/.test(char)) return upper;
  if (char === '_') return underscore;
  return char === ':' || char === '=' ? colon : 0;
}

/** 0 for the NaN that stands before and behind a text. */
export function classOf(code: number): number {
  return classes[code] ?? 0;
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** ASCII letters, digits and the underscore. */
export function isPlainWord(code: number): boolean {
  return code < 128 && (classes[code]! & wordBits) !== 0;
}
