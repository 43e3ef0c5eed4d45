/** What a drill of capture did and found. */
import type { CrashPoint } from '../../src/crash-points.ts';
import type { TestPostgres } from '../../test/support/postgres.ts';
import { type FaultName, faults } from './capture-faults.ts';
import { type Findings, type Verdict, verdicts } from './capture-history.ts';
import type { Program } from './capture-process.ts';

/** What every part of the drill works with. */
export interface Lane {
  server: TestPostgres;
  program: Program;
  /** Holds the data directories. */
  dir: string;
  settings: Record<string, string>;
  /** In addition, where a model is to be asked. */
  modelSettings: Record<string, string>;
  say(sentence: string): void;
}

export interface Tally {
  kills: Partial<Record<CrashPoint | 'random', number>>;
  faults: Partial<Record<FaultName, number>>;
  /** Ends of captures that nobody killed, since the source was away when they began. */
  ownEnds: number;
  /** Any other end, in words. */
  unexpected: string[];
  findings: Findings;
  rows: number;
  parts: number;
  samples: number;
  add(findings: Findings): void;
}

export function freshTally(): Tally {
  const findings = Object.fromEntries(Object.keys(verdicts).map((name) => [name, []])) as unknown as Findings;
  return {
    ...{ kills: {}, faults: {}, ownEnds: 0, unexpected: [], findings, rows: 0, parts: 0, samples: 0 },
    add: (more) => {
      for (const [name, found] of Object.entries(more)) findings[name as Verdict].push(...found);
    },
  };
}

export function merged(tallies: readonly Tally[]): Tally {
  const all = freshTally();
  for (const tally of tallies) {
    addCounts(all.kills, tally.kills);
    addCounts(all.faults, tally.faults);
    all.add(tally.findings);
    all.unexpected.push(...tally.unexpected);
    for (const count of ['ownEnds', 'rows', 'parts', 'samples'] as const) all[count] += tally[count];
  }
  return all;
}

function addCounts(to: Record<string, number>, from: Record<string, number>): void {
  for (const [name, n] of Object.entries(from)) to[name] = (to[name] ?? 0) + n;
}

export const killsOf = ({ kills }: Tally) => sum(Object.values(kills));

/** `312 kills at 15 crash points, 24 proxy faults, 6 restarts, 3 freezes: 0 lost, 0 doubled, 0 confirmed early`. */
export function summaryOf(tally: Tally): string {
  const { kills, faults: struck, findings, unexpected } = tally;
  const count = (kind: string) =>
    sum(Object.entries(struck).map(([name, n]) => (faults[name as FaultName].kind === kind ? n : 0)));
  const points = Object.keys(kills).filter((name) => name !== 'random').length;
  const did = `${killsOf(tally)} kills at ${points} crash points, ${count('proxy')} proxy faults, ${count('restart')} restarts, ${count('freeze')} frozen walsenders`;
  const { lost, doubled, early, ...others } = findings;
  const more = [...Object.entries(others), ['unexpected ends', unexpected] as const]
    .filter(([, found]) => found.length > 0)
    .map(([name, found]) => `, ${found.length} ${name}`);
  return `${did}: ${lost.length} lost, ${doubled.length} doubled, ${early.length} confirmed early${more.join('')}`;
}

/** What speaks against the capture, in words; a few of each. */
export function faultsOf({ findings, unexpected }: Tally): string[] {
  const found = Object.entries(findings).flatMap(([name, all]) =>
    all.length === 0 ? [] : [`${verdicts[name as Verdict]}: ${all.slice(0, 5).join('; ')} (${all.length})`],
  );
  return [...found, ...unexpected.slice(0, 5)];
}

const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
