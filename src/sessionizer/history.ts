/** Groups rows that are already in a table just as capture groups history, so that both give the same trajectories. */
import type { Batch, CloseReason, Micros, ResumeLsn, Trajectory, Turn } from '../records.ts';
import { type KnownParts, type PartState, type SessionRules, type Step, sessionize } from './sessionize.ts';
import { assembleTrajectory } from './trajectory.ts';

export interface HistoryOptions {
  source: string;
  rules: SessionRules;
  /** The moment, on the server's clock, as of which the rows were read. */
  snapshotAt: Micros;
}

/** One part of a session and what capture would have made of it by `snapshotAt`. */
export interface HistoryPart {
  /** `sealed`: a trajectory. `open`: more may come. `held`: closed with too few turns. `released`: let go at a cap. */
  standing: 'sealed' | 'open' | 'held' | 'released';
  /** As a trajectory; of parts that are not sealed the id is not final. */
  trajectory: Trajectory;
}

/**
 * @param turns the turns of one session in the order of history: by time and key, their positions ascending.
 * @throws RangeError where positions do not ascend.
 */
export async function* groupHistory(
  turns: Iterable<Turn> | AsyncIterable<Turn>,
  options: HistoryOptions,
): AsyncGenerator<HistoryPart> {
  const session = new HistorySession(options);
  for await (const turn of turns) yield* session.apply(batchOf([turn], { state: 'reading' }));
  yield* session.apply(batchOf([], { state: 'done', snapshotAt: options.snapshotAt }));
  yield* session.rest();
}

class HistorySession {
  readonly #options: HistoryOptions;
  #known: KnownParts = noParts;
  #turns: Turn[] = [];

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  *apply(batch: Batch): Generator<HistoryPart> {
    const step = sessionize(this.#known, batch, this.#options.rules);
    // No row can be known yet: taking one for known would lose it.
    if (step.counts.replayed > 0) throw new RangeError('rows of a session are not in ascending order of position');
    for (const { part, appended, standing } of step.parts) {
      this.#turns.push(...appended);
      if (standing.kind !== 'sealed' && standing.kind !== 'released') continue;
      const closedBy = standing.kind === 'sealed' ? standing.reason : 'max_bytes';
      yield this.#partOf(part, standing.kind, closedBy);
      this.#turns = [];
    }
    this.#known = following(this.#known, step);
  }

  *rest(): Generator<HistoryPart> {
    for (const part of this.#known.parts.values()) yield this.#partOf(part, part.held ? 'held' : 'open', 'history');
  }

  #partOf(part: PartState, standing: HistoryPart['standing'], closedBy: CloseReason): HistoryPart {
    const { source } = this.#options;
    return { standing, trajectory: assembleTrajectory({ source, part, closedBy, turns: this.#turns }) };
  }
}

/** Where nothing is known yet. */
export const noParts: KnownParts = {
  version: 0,
  progress: null,
  lastPosition: null,
  watermark: null,
  parts: new Map(),
  nextParts: new Map(),
};

/** What is known after a step, for sessions whose state is not journalled. */
export function following(known: KnownParts, step: Step): KnownParts {
  const parts = new Map(known.parts);
  const nextParts = new Map(known.nextParts);
  for (const { part, standing } of step.parts) {
    if (standing.kind === 'sealed' || standing.kind === 'released') {
      parts.delete(part.sessionId);
      nextParts.set(part.sessionId, part.part + 1);
    } else {
      parts.set(part.sessionId, part);
    }
  }
  const { lastPosition, watermark } = step;
  return { version: known.version + 1, progress: known.progress, lastPosition, watermark, parts, nextParts };
}

function batchOf(turns: Turn[], history: NonNullable<Batch['history']>): Batch {
  return {
    changes: turns.map((turn) => ({ kind: 'turn', turn })),
    sessionIds: new Set(turns.map((turn) => turn.sessionId)),
    progress: { resumeLsn: '00000000/00000000' as ResumeLsn, partial: null },
    skipped: {},
    history,
  };
}
