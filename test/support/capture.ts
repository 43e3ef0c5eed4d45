/** A capture against a test database: table, publication, slot, and a journal of a few lines that loses nothing. */

import { createLogger, type Logger } from '../../src/log.ts';
import { createTableSql } from '../../src/postgres/audit-table.ts';
import type { RowColumns } from '../../src/postgres/row-columns.ts';
import type { Batch, Progress, Turn } from '../../src/records.ts';
import type { Source, SourceOptions } from '../../src/stream/contract.ts';
import { createCapture } from '../../src/stream/provision.ts';
import type { Identity } from '../../src/stream/replication.ts';
import { openSource } from '../../src/stream/source.ts';
import { queryOn } from './postgres.ts';

export const silent: Logger = createLogger('silent');

export function optionsOf(url: string, more: Partial<SourceOptions> = {}): SourceOptions {
  return {
    url,
    table: 'public.audit_log',
    slot: `s_${new URL(url).pathname.slice(1)}`,
    publication: 'p',
    from: 'now',
    batchRows: 500,
    batchMs: 20,
    maxBufferBytes: 16 * 2 ** 20,
    ...more,
    timings: { probeMs: 50, backoff: { baseMs: 20, maxMs: 200 }, ...more.timings },
  };
}

export async function createAuditLog(url: string, more: Partial<SourceOptions> = {}): Promise<SourceOptions> {
  const options = optionsOf(url, more);
  for (const statement of createTableSql(options)) await queryOn(url, statement);
  await createCapture(options);
  return options;
}

/** What a journal remembers. */
export interface Memory {
  progress: Progress | null;
  identity: Identity | null;
  columns: readonly string[] | null;
  rowColumns: RowColumns | null;
  historyDone: boolean;
  turns: Turn[];
  skipped: Record<string, number>;
  watermark: number | null;
  batches: number;
}

export function emptyMemory(): Memory {
  return {
    progress: null,
    identity: null,
    columns: null,
    rowColumns: null,
    historyDone: false,
    turns: [],
    skipped: {},
    watermark: null,
    batches: 0,
  };
}

export function remember(memory: Memory, batch: Batch): void {
  memory.batches += 1;
  for (const change of batch.changes) {
    if (change.kind === 'turn') memory.turns.push(change.turn);
    else memory.watermark = change.at;
  }
  for (const [reason, n] of Object.entries(batch.skipped)) memory.skipped[reason] = (memory.skipped[reason] ?? 0) + n;
  memory.progress = batch.progress;
  if (batch.history?.state === 'done') memory.historyDone = true;
}

export interface CaptureRun {
  source: Source;
  memory: Memory;
  /** Rejects with what stopped the source. */
  done: Promise<void>;
  stop(): Promise<void>;
}

/** Runs until stopped or, with `until`, to its end; stores and confirms each batch. */
export async function capture(
  options: SourceOptions,
  memory: Memory = emptyMemory(),
  log: Logger = silent,
  onBatch: (batch: Batch) => Promise<void> | void = () => {},
): Promise<CaptureRun> {
  const source = await openSource(options, memory, log);
  const stopping = new AbortController();
  const loop = async () => {
    for await (const batch of source.batches(stopping.signal)) {
      await onBatch(batch);
      memory.identity = source.identity;
      memory.columns = source.columns;
      if (batch.sessionIds.size > 0) memory.rowColumns ??= source.rowColumns;
      remember(memory, batch);
      await source.confirm(batch.progress.resumeLsn);
    }
  };
  const done = loop();
  done.catch(() => {});
  return {
    source,
    memory,
    done,
    stop: async () => {
      stopping.abort();
      await done.catch(() => {});
      await source.close();
    },
  };
}

/** Waits for a condition, however long a machine under load needs; fails with what was awaited. */
export async function until(
  what: string,
  condition: () => unknown | Promise<unknown>,
  timeoutMs = 45_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
