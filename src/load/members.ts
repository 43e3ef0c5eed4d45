/**
 * The raw text of a JSON object's members. Parsing and printing again would change what an audit log must keep:
 * `9007199254740993` loses its last digit, `1.10` its zero.
 */

/**
 * The members of the object that `json` holds, each value as it stands in the text. Of a key that occurs twice the last
 * counts, as with `JSON.parse`.
 *
 * `json` must be valid JSON whose top level is an object: the caller has parsed it. What lies between strings and
 * brackets is then known to be in order, so only strings and depth need to be followed.
 */
export function rawMembers(json: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = skipSpace(json, skipSpace(json, 0) + 1);
  while (json[at] !== '}') {
    const keyEnd = endOfString(json, at);
    const key = JSON.parse(json.slice(at, keyEnd)) as string;
    const start = skipSpace(json, skipSpace(json, keyEnd) + 1);
    const end = endOfValue(json, start);
    members.set(key, json.slice(start, end));
    at = skipSpace(json, end);
    if (json[at] === ',') at = skipSpace(json, at + 1);
  }
  return members;
}

const space = /[ \t\n\r]*/y;

function skipSpace(json: string, from: number): number {
  space.lastIndex = from;
  space.test(json);
  return space.lastIndex;
}

/** Just behind the closing quote of the string that opens at `from`. */
function endOfString(json: string, from: number): number {
  for (let quote = json.indexOf('"', from + 1); ; quote = json.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (json[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
}

const scalarEnd = /[,\]} \t\n\r]|$/g;
const bracketOrQuote = /["[\]{}]/g;

function endOfValue(json: string, from: number): number {
  const first = json[from];
  if (first === '"') return endOfString(json, from);
  if (first !== '{' && first !== '[') return indexOfNext(scalarEnd, json, from);
  let depth = 0;
  for (let at = from; ; ) {
    at = indexOfNext(bracketOrQuote, json, at);
    const mark = json[at];
    if (mark === '"') {
      at = endOfString(json, at);
      continue;
    }
    depth += mark === '{' || mark === '[' ? 1 : -1;
    at++;
    if (depth === 0) return at;
  }
}

function indexOfNext(pattern: RegExp, json: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.exec(json)?.index ?? json.length;
}
