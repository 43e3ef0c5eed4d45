/** The journal with the disk taken away: applies steps and remembers what became of every row. */
import type { Batch, Turn } from '../../src/records.ts';
import { following, noParts } from '../../src/sessionizer/history.ts';
import { type KnownParts, type SessionRules, type Step, sessionize } from '../../src/sessionizer/sessionize.ts';
import { assembleTrajectory } from '../../src/sessionizer/trajectory.ts';

export interface MemoryPart {
  part: string;
  fate: string;
  rows: string[];
  /** Of sealed parts. */
  id: string | null;
}

export class MemoryJournal {
  readonly ended: MemoryPart[] = [];
  known: KnownParts = noParts;
  readonly #turns = new Map<string, Turn[]>();

  apply(batch: Batch, rules: SessionRules): Step {
    const step = sessionize(this.known, batch, rules);
    for (const { part, appended, standing } of step.parts) {
      const name = `${part.sessionId}/${part.part}`;
      const turns = [...(this.#turns.get(name) ?? []), ...appended];
      this.#turns.set(name, turns);
      if (standing.kind === 'open' || standing.kind === 'held') continue;
      const rows = turns.map((turn) => turn.rowKey);
      const sealed = standing.kind === 'sealed';
      const id = sealed ? assembleTrajectory({ source: 'test', part, closedBy: standing.reason, turns }).id : null;
      this.ended.push({ part: name, fate: `${standing.kind} ${standing.reason}`, rows, id });
      this.#turns.delete(name);
    }
    this.known = following({ ...this.known, progress: batch.progress }, step);
    return step;
  }

  /** Parts in order of session and number, the live ones last known as `open` or `held`. */
  parts(): MemoryPart[] {
    const live = [...this.known.parts.values()].map((part) => {
      const name = `${part.sessionId}/${part.part}`;
      const rows = (this.#turns.get(name) ?? []).map((turn) => turn.rowKey);
      return { part: name, fate: part.held ? 'held' : 'open', rows, id: null };
    });
    return [...this.ended, ...live].sort((a, b) => a.part.localeCompare(b.part, 'en', { numeric: true }));
  }
}
