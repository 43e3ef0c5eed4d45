/** The figures of a process and its data directory: what `run --json` ends with, and what the status line shows. */
import { datasetTotals } from './dataset/stats.ts';
import type { Pipeline } from './pipeline.ts';

/** What a role that runs in another process would tell is left out. */
export interface Totals {
  capture?: CaptureTotals;
  dataset?: DatasetTotals;
  /** Dead letters of every topic that is open here. */
  parked: number;
}

export interface CaptureTotals {
  /** Rows taken in. */
  rows: number;
  /** Their sessions. */
  sessions: number;
  /** Parts that may still grow. */
  open: number;
  /** Parts sealed. */
  trajectories: number;
  /** Parts held below `minTurns`, and those let go. */
  belowMinTurns: number;
}

export interface DatasetTotals {
  pairs: number;
  rejected: number;
  /** Null where the cost of every call is unknown. */
  costUsd: number | null;
}

export async function totalsOf({
  capture,
  stored,
  lags,
}: Pick<Pipeline, 'capture' | 'stored' | 'lags'>): Promise<Totals> {
  const parked = (await lags()).reduce((sum, { lag }) => sum + lag.deadLetters, 0);
  return {
    ...(capture === null ? {} : { capture: captureTotals(capture) }),
    ...(stored === null ? {} : { dataset: totalsOfDataset(stored) }),
    parked,
  };
}

function captureTotals({ journal }: NonNullable<Pipeline['capture']>): CaptureTotals {
  const { rows, sessions, open, sealed, belowMinTurns } = journal.totals();
  return { rows, sessions, open, trajectories: sealed, belowMinTurns };
}

function totalsOfDataset(stored: NonNullable<Pipeline['stored']>): DatasetTotals {
  const { pairs, rejected, costUsd } = datasetTotals(stored);
  return { pairs, rejected, costUsd };
}

/** In one level, as it is printed. */
export function flat({ capture, dataset, parked }: Totals) {
  return { ...capture, ...dataset, parked };
}
