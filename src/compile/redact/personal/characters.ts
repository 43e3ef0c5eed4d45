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

const classes = Uint8Array.from({ length: 128 }, (_, code) => classOfAscii(String.fromCharCode(code)));

function classOfAscii(char: string): number {
  if (/\d/.test(char)) return digit;
  if (/[a-z]/.test(char)) return lower;
  if (/[A-Z]/.test(char)) return upper;
  if (char === '_') return underscore;
  return char === ':' || char === '=' ? colon : 0;
}

/** Letters from À on, without general punctuation, arrows, brackets, symbols and the ideographic space. */
export function classOf(code: number): number {
  if (code < 128) return classes[code]!;
  return code < 0xc0 || (code >= 0x2000 && code < 0x2c00) || code === 0x3000 || code === 0xfeff ? 0 : otherLetter;
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** ASCII letters, digits and the underscore. */
export function isPlainWord(code: number): boolean {
  return code < 128 && (classes[code]! & wordBits) !== 0;
}
