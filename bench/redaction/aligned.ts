/** Which text each placeholder stands for: what was redacted, laid beside what it was. */

export interface Replaced {
  placeholder: string;
  value: string;
}

const placeholder = /⟦[A-Z_]+(?:_\d+)?⟧/g;

/** Of two JSON texts, or texts, that differ in their placeholders. */
export function replacedIn(before: string, after: string): Replaced[] {
  if (!after.includes('⟦')) return [];
  const parsed = [before, after].map(parse);
  return parsed.some((value) => value === undefined) ? aligned(before, after) : replacedInValue(parsed[0], parsed[1]);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function replacedInValue(before: unknown, after: unknown): Replaced[] {
  if (typeof after === 'string') return aligned(typeof before === 'string' ? before : String(before), after);
  if (typeof after !== 'object' || after === null) return [];
  const [old, now] = [membersOf(before), membersOf(after)];
  return now.flatMap(([name, value], index) => {
    const was = old[index];
    return was === undefined ? [] : [...aligned(was[0], name), ...replacedInValue(was[1], value)];
  });
}

const membersOf = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];

/** What stands between two placeholders is looked for in the text as it was, nearest first. */
function aligned(before: string, after: string): Replaced[] {
  const replaced: Replaced[] = [];
  const marks = [...after.matchAll(placeholder)];
  let at = marks[0]?.index ?? 0;
  for (const [index, mark] of marks.entries()) {
    const begin = mark.index + mark[0].length;
    const between = after.slice(begin, marks[index + 1]?.index);
    const isLast = index === marks.length - 1;
    const end = isLast ? before.length - between.length : before.indexOf(between, at + 1);
    if (end < at) return replaced;
    replaced.push({ placeholder: mark[0], value: before.slice(at, end) });
    at = end + between.length;
  }
  return replaced;
}
