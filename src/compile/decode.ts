/** From a row's JSON text to values, and from values to text that a person reads: no escapes, no braces, strings raw. */

// Marks a number that is carried as text. A private-use character, taken off again before anyone sees the value.
const numberMark = '\uE000';
const quoteOrNumber = /"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Nesting below this is shown as it is written: nobody reads it, and each level costs a stack frame. */
const maxDepth = 40;

/**
 * The value of a row's text: parsed where it is JSON, else the text itself; null where there is none. A number that a
 * double would not give back as written (`1.10`, `9007199254740993`) stays text.
 */
export function decode(text: string | null): unknown {
  if (text === null) return null;
  try {
    return decodeJson(text);
  } catch {
    // No JSON, or nested beyond what the stack holds.
    return text;
  }
}

function decodeJson(text: string): unknown {
  const plain: unknown = JSON.parse(text);
  const marked = markNumbers(text);
  if (marked === text) return plain;
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(numberMark) ? value.slice(1) : value,
  );
}

/** Puts numbers that a double would change into quotes. Walks from token to token, so that megabytes cost no stack. */
function markNumbers(json: string): string {
  const parts: string[] = [];
  let copied = 0;
  quoteOrNumber.lastIndex = 0;
  for (let match = quoteOrNumber.exec(json); match !== null; match = quoteOrNumber.exec(json)) {
    const [token] = match;
    if (token === '"') {
      quoteOrNumber.lastIndex = endOfString(json, match.index) + 1;
    } else if (String(Number(token)) !== token) {
      parts.push(json.slice(copied, match.index), `"${numberMark}${token}"`);
      copied = quoteOrNumber.lastIndex;
    }
  }
  return parts.join('') + json.slice(copied);
}

function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (json[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return json.length;
}

/** Lines of `key: value`, nested values indented, list items behind a dash. Lone surrogates become U+FFFD. */
export function readable(value: unknown): string {
  return linesOf(value, 0).join('\n').toWellFormed();
}

function linesOf(value: unknown, depth: number): string[] {
  if (value === null || value === undefined) return ['null'];
  if (typeof value === 'string') return value.split('\n');
  if (typeof value !== 'object') return [String(value)];
  if (depth >= maxDepth) return [Array.isArray(value) ? '[…]' : '{…}'];
  if (Array.isArray(value)) return listLines(value, depth);
  const entries = Object.entries(value);
  if (entries.length === 0) return ['{}'];
  return entries.flatMap(([key, member]) => memberLines(`${key}:`, member, depth));
}

function listLines(list: unknown[], depth: number): string[] {
  if (list.length === 0) return ['[]'];
  return list.flatMap((item) => {
    const [first = '', ...rest] = linesOf(item, depth + 1);
    return [`- ${first}`, ...rest.map((line) => `  ${line}`)];
  });
}

function memberLines(label: string, value: unknown, depth: number): string[] {
  const lines = linesOf(value, depth + 1);
  if (!isNested(value) && lines.length === 1) return [`${label} ${lines[0]}`];
  // A text of several lines keeps its own indentation: code is quoted as it stands.
  return isNested(value) ? [label, ...lines.map((line) => `  ${line}`)] : [label, ...lines];
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}
