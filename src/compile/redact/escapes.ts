/** Text with JSON's escapes taken out, from which every place leads back to the text as it stands. */

export class Decoded {
  readonly value: string;
  /** After each escape: where its value ends, and by how much the text is ahead from there on. */
  readonly #ends: readonly number[];
  readonly #ahead: readonly number[];

  constructor(value: string, ends: readonly number[], ahead: readonly number[]) {
    this.value = value;
    this.#ends = ends;
    this.#ahead = ahead;
  }

  /** Where the character at `index` of the value begins in the text; the text's length for the end. */
  rawAt(index: number): number {
    return index + (this.#ahead[lastUpTo(this.#ends, index)] ?? 0);
  }
}

const escaped: Partial<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** In prose and code `\b` begins a word or a path more often than it is an escape. */
const escapedInText: Partial<Record<string, string>> = { ...escaped, b: undefined, f: undefined };

const hexUnit = /[0-9a-fA-F]{4}/y;

/**
 * What a string of JSON says, given what stands between its quotes. `text`: no string of JSON for sure, but code, a log
 * line or a cut document that may hold such. A backslash that escapes nothing stays.
 */
export function decodeEscapes(raw: string, as: 'string' | 'text' = 'string'): Decoded {
  const table = as === 'string' ? escaped : escapedInText;
  const parts: string[] = [];
  const ends: number[] = [];
  const ahead: number[] = [];
  let copied = 0;
  let length = 0;
  for (let at = raw.indexOf('\\'); at !== -1; ) {
    const [character, size] = escapeAt(raw, at, table);
    if (size === 0) {
      at = raw.indexOf('\\', at + 1);
      continue;
    }
    parts.push(raw.slice(copied, at), character);
    length += at - copied + 1;
    copied = at + size;
    ends.push(length);
    ahead.push(copied - length);
    at = raw.indexOf('\\', copied);
  }
  if (ends.length === 0) return new Decoded(raw, ends, ahead);
  parts.push(raw.slice(copied));
  return new Decoded(parts.join(''), ends, ahead);
}

function escapeAt(raw: string, at: number, table: typeof escaped): [character: string, size: number] {
  const name = raw[at + 1] ?? '';
  const character = table[name];
  if (character !== undefined) return [character, 2];
  hexUnit.lastIndex = at + 2;
  if (name !== 'u' || !hexUnit.test(raw)) return ['', 0];
  return [String.fromCharCode(Number.parseInt(raw.slice(at + 2, at + 6), 16)), 6];
}

/** Index of the last number that is not above `limit`; -1 where there is none. */
function lastUpTo(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
