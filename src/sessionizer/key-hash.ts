/**
 * 64 bits that stand for a row key: MurmurHash3 (x86, 128 bits, the first 64 of them) over its UTF-16 code units. Of a
 * million keys in one bucket two share them once in 37 million buckets. Values are stored for ever: never change them.
 */

const c1 = 0x239b961b;
const c2 = 0xab0e9789;
const c3 = 0x38b34ae5;
const c4 = 0xa1e38b93;
/** Code units in a block of 16 bytes. */
const blockUnits = 8;

/** Writes the hash as two 32-bit numbers, the lower one first. */
export function hashKeyInto(rowKey: string, out: Uint32Array, at: number): void {
  const { length } = rowKey;
  const whole = length - (length % blockUnits);
  let [h1, h2, h3, h4] = [0, 0, 0, 0];
  for (let i = 0; i < whole; i += blockUnits) {
    h1 = Math.imul(rotated(h1 ^ mixed(pairAt(rowKey, i), c1, 15, c2), 19) + h2, 5) + 0x561ccd1b;
    h2 = Math.imul(rotated(h2 ^ mixed(pairAt(rowKey, i + 2), c2, 16, c3), 17) + h3, 5) + 0x0bcaa747;
    h3 = Math.imul(rotated(h3 ^ mixed(pairAt(rowKey, i + 4), c3, 17, c4), 15) + h4, 5) + 0x96cd1c35;
    h4 = Math.imul(rotated(h4 ^ mixed(pairAt(rowKey, i + 6), c4, 18, c1), 13) + h1, 5) + 0x32ac3b17;
  }
  h1 ^= mixed(pairWithin(rowKey, whole), c1, 15, c2) ^ (length * 2);
  h2 ^= mixed(pairWithin(rowKey, whole + 2), c2, 16, c3) ^ (length * 2);
  h3 ^= mixed(pairWithin(rowKey, whole + 4), c3, 17, c4) ^ (length * 2);
  h4 ^= mixed(pairWithin(rowKey, whole + 6), c4, 18, c1) ^ (length * 2);
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = finished((h2 + h1) | 0);
  h3 = finished((h3 + h1) | 0);
  h4 = finished((h4 + h1) | 0);
  h1 = (finished(h1) + h2 + h3 + h4) | 0;
  out[at] = h1;
  out[at + 1] = h2 + h1;
}

/** The hash of a row key as `BucketEntries` holds it. */
export function hashKey(rowKey: string): bigint {
  const words = new Uint32Array(2);
  hashKeyInto(rowKey, words, 0);
  return (BigInt(words[1]!) << 32n) | BigInt(words[0]!);
}

function mixed(k: number, first: number, bits: number, second: number): number {
  return Math.imul(rotated(Math.imul(k, first), bits), second);
}

function rotated(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

function finished(x: number): number {
  const once = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return twice ^ (twice >>> 16);
}

function pairAt(text: string, at: number): number {
  return text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
}

/** Zero beyond the end, which changes nothing. */
function pairWithin(text: string, at: number): number {
  if (at + 1 < text.length) return pairAt(text, at);
  return at < text.length ? text.charCodeAt(at) : 0;
}
