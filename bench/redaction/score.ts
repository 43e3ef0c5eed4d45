/** Counts by type, and what was asked of them. */
import type { Detect, Detection, TextContext } from '../../src/compile/redact/detection.ts';
import { noContext } from '../../src/compile/redact/detection.ts';

export interface Tally {
  name: string;
  n: number;
  found: number;
}

export class Tallies {
  readonly #tallies = new Map<string, Tally>();

  add(name: string, isFound: boolean): void {
    const tally = this.#tallies.get(name) ?? { name, n: 0, found: 0 };
    this.#tallies.set(name, tally);
    tally.n += 1;
    if (isFound) tally.found += 1;
  }

  get all(): Tally[] {
    return [...this.#tallies.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

export const shareOf = (tallies: readonly Tally[]) =>
  tallies.reduce((sum, { found }) => sum + found, 0) / tallies.reduce((sum, { n }) => sum + n, 0);

/** Whether findings together cover every character from `from` to `to`. */
export function covers(findings: readonly Detection[], from: number, to: number): boolean {
  let reached = from;
  for (const finding of findings.toSorted((a, b) => a.from - b.from)) {
    if (finding.from <= reached && finding.to > reached) reached = finding.to;
  }
  return reached >= to;
}

export interface Touched {
  text: string;
  /** What was taken for something, with its kind. */
  findings: string[];
}

export function touchedIn(detect: Detect, text: string, context: TextContext = noContext): Touched | null {
  const findings = detect(text, context).map(({ kind, from, to }) => `${kind} "${text.slice(from, to)}"`);
  return findings.length === 0 ? null : { text, findings };
}
