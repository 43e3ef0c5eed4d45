/** Text with JSON's escapes taken out, from which every place leads back to the text as it stands. */

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

export class Decoded {
  readonly value: string;
  readonly #raw: string;
  readonly #table: typeof escaped;
  #map: { ends: number[]; ahead: number[] } | null = null;

  constructor(value: string, raw: string, table: typeof escaped) {
    this.value = value;
    this.#raw = raw;
    this.#table = table;
  }

  /** Where the character at `index` of the value begins in the text; the text's length for the end. */
  rawAt(index: number): number {
    // Few texts hold anything that somebody asks the place of.
    this.#map ??= mapOf(this.#raw, this.#table);
    const { ends, ahead } = this.#map;
    return index + (ahead[lastUpTo(ends, index)] ?? 0);
  }
}

/**
 * What a string of JSON says, given what stands between its quotes. `text`: no string of JSON for sure, but code, a log
 * line or a cut document that may hold such. A backslash that escapes nothing stays.
 */
export function decodeEscapes(raw: string, as: 'string' | 'text' = 'string'): Decoded {
  const table = as === 'string' ? escaped : escapedInText;
  return new Decoded((as === 'string' ? parsed(`"${raw}"`) : null) ?? replaced(raw, table), raw, table);
}

/** The same of a string in a text, from behind its first quote to its last. */
export function decodeString(text: string, from: number, to: number): Decoded {
  const raw = text.slice(from, to);
  return new Decoded(parsed(text.slice(from - 1, to + 1)) ?? replaced(raw, escaped), raw, escaped);
}

/** By the engine's own reader, many times faster; null where it is stricter than we are. */
function parsed(quoted: string): string | null {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return null;
  }
}

function replaced(raw: string, table: typeof escaped): string {
  const parts: string[] = [];
  let copied = 0;
  eachEscape(raw, table, (at, size) => {
    parts.push(raw.slice(copied, at), characterOf(raw, at, table));
    copied = at + size;
  });
  return copied === 0 ? raw : parts.join('') + raw.slice(copied);
}

/** After each escape: where its value ends, and by how much the text is ahead from there on. */
function mapOf(raw: string, table: typeof escaped): { ends: number[]; ahead: number[] } {
  const ends: number[] = [];
  const ahead: number[] = [];
  let difference = 0;
  eachEscape(raw, table, (at, size) => {
    ends.push(at - difference + 1);
    difference += size - 1;
    ahead.push(difference);
  });
  return { ends, ahead };
}

function eachEscape(raw: string, table: typeof escaped, visit: (at: number, size: number) => void): void {
  for (let at = raw.indexOf('\\'); at !== -1; ) {
    const size = sizeAt(raw, at, table);
    if (size > 0) visit(at, size);
    at = raw.indexOf('\\', at + Math.max(1, size));
  }
}

/** Of the escape that begins here; 0 where the backslash escapes nothing. */
function sizeAt(raw: string, at: number, table: typeof escaped): number {
  const name = raw[at + 1] ?? '';
  if (table[name] !== undefined) return 2;
  hexUnit.lastIndex = at + 2;
  return name === 'u' && hexUnit.test(raw) ? 6 : 0;
}

function characterOf(raw: string, at: number, table: typeof escaped): string {
  return table[raw[at + 1]!] ?? String.fromCharCode(Number.parseInt(raw.slice(at + 2, at + 6), 16));
}

/** Index of the last number that is not above `limit`; -1 where there is none. */
export function lastUpTo(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
