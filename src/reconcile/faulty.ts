/** Rows with a fault: some of them to name, and what is needed to take in those that are missing, and send those lost. */
import type { LostTrajectory } from '../requests.ts';
import type { RowRange } from '../stream/contract.ts';
import type { FaultClass } from './accounts.ts';
import type { FoundRow } from './rows.ts';

export interface FaultyRow {
  fault: FaultClass;
  rowKey: string;
  sessionId: string;
  createdAt: string | null;
}

const namedRows = 20;
/** Hours without a fault between two ranges: fewer are read along, since a reading of its own costs more. */
const gapHours = 24;
/** More ranges than this are read as one. */
const maxRanges = 20;

export class Faulty {
  /** The first of each fault. */
  readonly named: FaultyRow[] = [];
  readonly #counts = new Map<FaultClass, number>();
  readonly #hours = new Set<number | null>();
  /** Sessions of trajectories. */
  readonly #lost = new Map<string, string>();

  /** @param trajectoryId of a lost row */
  add(fault: FaultClass, { rowKey, sessionId, createdAt, bucket }: FoundRow, trajectoryId?: string): void {
    const n = (this.#counts.get(fault) ?? 0) + 1;
    this.#counts.set(fault, n);
    if (n <= namedRows) this.named.push({ fault, rowKey, sessionId, createdAt });
    if (fault === 'missing') this.#hours.add(bucket);
    if (trajectoryId !== undefined) this.#lost.set(trajectoryId, sessionId);
  }

  get isRepairable(): boolean {
    return this.#hours.size > 0 || this.#lost.size > 0;
  }

  /** Trajectories that did not arrive whole. */
  lost(): LostTrajectory[] {
    return Array.from(this.#lost, ([trajectoryId, sessionId]) => ({ trajectoryId, sessionId }));
  }

  /** What has to be read again to take in all that is missing. */
  ranges(): RowRange[] {
    return rangesOf(this.#hours);
  }
}

/** Whole hours, near ones together; rows without a time are found in a reading of all. */
export function rangesOf(hours: ReadonlySet<number | null>): RowRange[] {
  if (hours.has(null)) return [{ since: null, until: null }];
  const spans: [first: number, last: number][] = [];
  for (const hour of [...(hours as Set<number>)].sort((a, b) => a - b)) {
    const span = spans.at(-1);
    if (span !== undefined && hour - span[1] <= gapHours) span[1] = hour;
    else spans.push([hour, hour]);
  }
  const whole = spans.length > maxRanges ? [[spans[0]![0], spans.at(-1)![1]] as const] : spans;
  return whole.map(([first, last]) => ({ since: timeOfHour(first), until: timeOfHour(last + 1) }));
}

/** `2026-11-21T08:00:00Z`. */
export function timeOfHour(hour: number): string {
  return new Date(hour * 3_600_000).toISOString().replace('.000', '');
}
