/** The figures of a data directory: what `run --json` ends with, and what the status line shows. */
import { datasetTotals } from './dataset/stats.ts';
import type { Pipeline } from './pipeline.ts';
import type { SqliteDatabase } from './sqlite.ts';

export interface Totals {
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
  pairs: number;
  rejected: number;
  /** Dead letters of every topic. */
  parked: number;
  /** Null where the cost of every call is unknown. */
  costUsd: number | null;
}

export async function totalsOf(
  { journal, lags }: Pick<Pipeline, 'journal' | 'lags'>,
  dataset: SqliteDatabase,
): Promise<Totals> {
  const { rows, sessions, open, sealed, belowMinTurns } = journal.totals();
  const parked = (await lags()).reduce((sum, { lag }) => sum + lag.deadLetters, 0);
  const { pairs, rejected, costUsd } = datasetTotals(dataset);
  return { rows, sessions, open, trajectories: sealed, belowMinTurns, pairs, rejected, parked, costUsd };
}
