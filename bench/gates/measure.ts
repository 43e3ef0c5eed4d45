/** Changed pairs through the gates, counted. */
import { runGates } from '../../src/compile/gates/run.ts';
import { recompute } from '../../src/compile/rules/recompute.ts';
import type { SheetEntry } from '../rules-sheet.ts';
import { harmless } from './harmless.ts';
import { mutations } from './mutations.ts';
import type { Mutants, Mutate, Pair } from './pair.ts';
import { randomFrom } from './random.ts';

export interface Score {
  change: string;
  /** Whether the gates must refuse what it gives, or must let it through. */
  harmful: boolean;
  kind: Pair['kind'];
  n: number;
  rejected: number;
  leftTrue: number;
  reasons: Map<string, number>;
  /** Some of those that got the wrong verdict. */
  missed: Mutants['wrong'];
}

export const leastRejected = 0.95;
export const mostRejected = 0.02;

export interface Pairs {
  pairs: Pair[];
  /** Why pairs of the rules do not pass without their derivation. */
  refusedPlain: Map<string, number>;
}

export function pairsOf(entries: readonly SheetEntry[]): Pairs {
  const refusedPlain = new Map<string, number>();
  return { pairs: entries.flatMap((entry) => pairsIn(entry, refusedPlain)), refusedPlain };
}

/** What the rules propose, and the same without derivations where it passes so too. */
function pairsIn({ view, drafts }: SheetEntry, refusedPlain: Map<string, number>): Pair[] {
  return drafts.flatMap((draft): Pair[] => {
    const origin = draft.derivation!;
    const rules: Pair = { view, draft, kind: 'rules', origin };
    const plain: Pair = { view, draft: { ...draft, derivation: null }, kind: 'plain', origin };
    const reason = runGates([plain.draft], view).refused[0]?.reason;
    if (reason === undefined) return [rules, plain];
    refusedPlain.set(reason, (refusedPlain.get(reason) ?? 0) + 1);
    return [rules];
  });
}

export function measure(pairs: readonly Pair[], seed: number): Score[] {
  const of = (changes: Record<string, Mutate>, harmful: boolean) =>
    Object.entries(changes).flatMap(([change, mutate]) =>
      (['rules', 'plain'] as const).map((kind) => score({ change, harmful, kind, mutate }, pairs, seed)),
    );
  return [...of(mutations, true), ...of(harmless, false)];
}

interface Change extends Pick<Score, 'change' | 'harmful' | 'kind'> {
  mutate: Mutate;
}

function score({ change, harmful, kind, mutate }: Change, pairs: readonly Pair[], seed: number): Score {
  const random = randomFrom(seed);
  const found: Score = { change, harmful, kind, n: 0, rejected: 0, leftTrue: 0, reasons: new Map(), missed: [] };
  for (const pair of pairs.filter((one) => one.kind === kind)) {
    const { wrong, leftTrue } = mutate(pair, random);
    found.leftTrue += leftTrue;
    for (const mutant of wrong) count(found, mutant);
  }
  return found;
}

function count(into: Score, mutant: Mutants['wrong'][number]): void {
  const reason = runGates([mutant.draft], mutant.view, { recompute }).refused[0]?.reason;
  into.n += 1;
  if (reason !== undefined) {
    into.rejected += 1;
    into.reasons.set(reason, (into.reasons.get(reason) ?? 0) + 1);
  }
  if ((reason === undefined) === into.harmful) into.missed.push(mutant);
}

/** Nothing to measure is no proof. */
export function isMet({ n, rejected, harmful }: Pick<Score, 'n' | 'rejected' | 'harmful'>): boolean {
  if (n === 0) return !harmful;
  return harmful ? rejected / n >= leastRejected : rejected / n <= mostRejected;
}
