/** The redactor over the recorded sessions: which known values survive, and whether one value has one placeholder. */
import type { Redactor } from '../../src/compile/redact/redactor.ts';
import type { Trajectory } from '../../src/records.ts';
import { replacedIn } from './aligned.ts';
import { inject } from './injected.ts';
import { sessionCanaries, textsOf } from './recorded.ts';
import { Tallies, type Tally } from './score.ts';

export interface Survivors {
  /** Values of a session that are gone, by type. */
  gone: Tally[];
  survivors: string[];
}

export interface OnePlaceholder {
  /** Values that stand in a session more than once. */
  values: number;
  /** Values with more than one placeholder in their session. */
  broken: string[];
}

export async function redactAll(redactor: Redactor, trajectories: readonly Trajectory[]): Promise<Trajectory[]> {
  const redacted: Trajectory[] = [];
  for (const trajectory of trajectories) redacted.push((await redactor.redact(trajectory)).trajectory);
  return redacted;
}

/** As it stands within JSON text. */
const inJson = (value: string) => JSON.stringify(value).slice(1, -1);

export function survivingCanaries(redacted: readonly Trajectory[]): Survivors {
  const bySession = new Map(redacted.map((trajectory) => [trajectory.sessionId, textsOf(trajectory).join('\n')]));
  const gone = new Tallies();
  const survivors: string[] = [];
  for (const { session_id: session, values } of sessionCanaries()) {
    const text = bySession.get(session)!;
    for (const { type, value } of values) {
      const survives = text.includes(value) || text.includes(inJson(value));
      gone.add(type, !survives);
      if (survives) survivors.push(`${type} ${JSON.stringify(value)} in ${session}`);
    }
  }
  return { gone: gone.all, survivors };
}

/** Canaries of our own in every recorded session. */
export async function survivingInjected(
  redactor: Redactor,
  trajectories: readonly Trajectory[],
  seed: number,
): Promise<Survivors> {
  const gone = new Tallies();
  const survivors: string[] = [];
  for (const { trajectory, canaries } of inject(trajectories, seed)) {
    const text = textsOf((await redactor.redact(trajectory)).trajectory).join('\n');
    for (const { kind, value } of canaries) {
      const survives = text.includes(inJson(value));
      gone.add(kind, !survives);
      if (survives)
        survivors.push(`${kind} ${JSON.stringify(value)} in ${trajectory.sessionId}: ${around(text, inJson(value))}`);
    }
  }
  return { gone: gone.all, survivors };
}

function around(text: string, value: string): string {
  const at = text.indexOf(value);
  return `…${text.slice(Math.max(0, at - 40), at + value.length + 20)}…`;
}

export function onePlaceholder(before: readonly Trajectory[], after: readonly Trajectory[]): OnePlaceholder {
  const broken: string[] = [];
  let values = 0;
  for (const [index, trajectory] of before.entries()) {
    for (const [value, placeholders] of placeholdersOf(trajectory, after[index]!)) {
      if (placeholders.length > 1) values += 1;
      const different = new Set(placeholders);
      if (different.size > 1)
        broken.push(`${JSON.stringify(value)} in ${trajectory.sessionId}: ${[...different].join(' ')}`);
    }
  }
  return { values, broken };
}

function placeholdersOf(before: Trajectory, after: Trajectory): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const old = textsOf(before);
  for (const [index, text] of textsOf(after).entries()) {
    for (const { value, placeholder } of replacedIn(old[index]!, text)) {
      found.set(value, [...(found.get(value) ?? []), placeholder]);
    }
  }
  return found;
}
