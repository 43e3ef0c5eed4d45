/** What the rules of sessions would make of a table's newest rows: pure. */
export interface SessionRow {
  session: string;
  /** Milliseconds. */
  at: number;
}

/** The number of turns of each part; what caps would cut is not looked at. */
export function partsBy(rows: readonly SessionRow[], idleMs: number): number[] {
  const times = grouped(rows);
  return [...times.values()].flatMap((at) =>
    cut(
      at.toSorted((a, b) => a - b),
      idleMs,
    ),
  );
}

function grouped(rows: readonly SessionRow[]): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (const { session, at } of rows) {
    const before = times.get(session);
    if (before === undefined) times.set(session, [at]);
    else before.push(at);
  }
  return times;
}

function cut(times: readonly number[], idleMs: number): number[] {
  const parts: number[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const at of times) {
    if (at - last > idleMs) parts.push(1);
    else parts[parts.length - 1]! += 1;
    last = at;
  }
  return parts;
}

/** `340 parts, 290 with at least 10 turns`. */
export function partsText(parts: readonly number[], minTurns: number): string {
  const long = parts.filter((turns) => turns >= minTurns).length;
  const count = (n: number) => n.toLocaleString('en');
  return `${count(parts.length)} ${parts.length === 1 ? 'part' : 'parts'}, ${count(long)} with at least ${minTurns} turns`;
}
