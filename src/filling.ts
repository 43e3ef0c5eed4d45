/** A dataset copied into the mirror, from its first row: what `fill` does. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Config } from './config.ts';
import { openDataset } from './dataset/open.ts';
import { datasetRows } from './dataset/rows.ts';
import { type Row, type TableName, tableNames } from './dataset-tables.ts';
import { kindOf } from './errors.ts';
import { backoffMs } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { idOfPair } from './sinks/rows.ts';
import type { Mirror, Refusal, TableRows } from './sinks/supabase/mirror.ts';
import type { SqliteDatabase } from './sqlite.ts';
import { filesOf, openMirror } from './stages.ts';

export interface FillProgress {
  table: TableName;
  rows: number;
  /** As counted at the start. */
  total: number;
}

export interface FillResult {
  /** Rows that were handed over, by table: those that were there already among them. */
  rows: Partial<Record<TableName, number>>;
  refused: Refusal[];
}

export interface FillOptions {
  config: Config;
  log: Logger;
  drain: AbortSignal;
  onProgress: (progress: FillProgress) => void;
}

const batchRows = 200;
const attempts = 6;

/**
 * Upserts every row of the dataset, segments last. Stops between two batches when `drain` fires; running it again is
 * always safe, beside a sink at work too.
 *
 * @throws OperatorError `no_dataset`, and as the sinks do.
 */
export async function fillMirror({ config, log, drain, onProgress }: FillOptions): Promise<FillResult> {
  const dataset = openDataset(filesOf(config).dataset);
  try {
    const mirror = await openMirror(config, log);
    try {
      return await copy(dataset, mirror, drain, onProgress);
    } finally {
      await mirror.close();
    }
  } finally {
    dataset.close();
  }
}

async function copy(
  dataset: SqliteDatabase,
  mirror: Mirror,
  drain: AbortSignal,
  onProgress: (progress: FillProgress) => void,
): Promise<FillResult> {
  const result: FillResult = { rows: {}, refused: [] };
  for (const table of tableNames) {
    const total = dataset.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
    let rows = 0;
    for (const batch of datasetRows(dataset, table, batchRows)) {
      if (drain.aborted) return result;
      result.refused.push(...(await writePatiently(mirror, { table, rows: batch.map(named) })));
      rows += batch.length;
      result.rows[table] = rows;
      onProgress({ table, rows, total });
    }
  }
  return result;
}

/** A batch that was begun is finished: what drains stops between two. */
async function writePatiently(mirror: Mirror, batch: TableRows): Promise<Refusal[]> {
  const never = new AbortController().signal;
  for (let attempt = 1; ; attempt++) {
    try {
      return (await mirror.write([batch], never)).refused;
    } catch (error) {
      if (kindOf(error) !== 'retry' || attempt === attempts) throw error;
      await wait(backoffMs(attempt, { baseMs: 500, maxMs: 15_000 }));
    }
  }
}

/** Pairs that were in a file before this program may have numbers for ids, where the mirror has UUIDs. */
function named(row: Row): Row {
  if (typeof row.pair_key !== 'string' || !row.pair_key.startsWith('published:')) return row;
  return { ...row, id: uuidPattern.test(String(row.id)) ? String(row.id) : idOfPair(row.pair_key) };
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
