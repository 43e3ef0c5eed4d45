/** Appends a recorded audit log to a table: as fast as it goes, or at the pace of the recording. */
import type { Readable } from 'node:stream';
import type pg from 'pg';
import { exitCodes, OperatorError, stop } from '../errors.ts';
import { appendRows } from '../postgres/append.ts';
import { type AuditTable, createMissingTable, describeTable, type TableSettings } from '../postgres/audit-table.ts';
import { type Input, maxLineBytes, openInput } from './lines.ts';
import { paced } from './paced.ts';
import { parseLine, type RecordedRow } from './row.ts';

export interface LoadProgress {
  rows: number;
  skipped: number;
  /** Bytes of the file taken so far, compressed where it is; `totalBytes` is null for a pipe. */
  bytes: number;
  totalBytes: number | null;
  /** Rows a second since the start. */
  rate: number;
  /** Everything before this line is in the table, or left out. */
  nextLine: number;
}

/** What a load at a given speed amounts to, known before its first row. */
export interface LoadPlan {
  rows: number;
  /** From the first to the last recorded time. */
  recordedMs: number;
  takesMs: number;
}

export interface LoadOptions {
  /** A path, or a stream such as standard input; gzip is told by its first bytes. */
  source: string | Readable;
  /** One connection, not a pool. */
  client: pg.ClientBase;
  table: AuditTable;
  /** `max`, or how many recorded milliseconds pass in one: the recorded gaps divided by it. */
  speed: 'max' | number;
  /** Leave bad lines out and count them, instead of stopping at the first. */
  skipBad?: boolean;
  /** Begin with this line, 1 is the first. */
  fromLine?: number;
  batchRows?: number;
  /** Stops between two batches. */
  signal?: AbortSignal | undefined;
  onProgress?: (progress: LoadProgress) => void;
  /** A line that is left out, and why. */
  onSkipped?: (line: number, problem: string) => void;
  /** How long it will take; called where `speed` is a number and the source a file, which is then read twice. */
  onPlan?: (plan: LoadPlan) => void;
}

export interface LoadResult {
  rows: number;
  sessions: number;
  skipped: number;
  /** The line that a load which was stopped goes on with; null where the source was read to its end. */
  nextLine: number | null;
}

/** The table to load into, created first where that is asked for. @throws OperatorError as describeTable does. */
export async function prepareTable(
  client: pg.ClientBase,
  settings: TableSettings,
  create: boolean,
): Promise<AuditTable> {
  if (create) await createMissingTable(client, settings);
  return describeTable(client, settings);
}

/**
 * Loads every row, `created_at` and JSON text as they stand in the file.
 *
 * @throws OperatorError `load_line` at the first bad line unless `skipBad`: everything before it is in the table, and the
 * message says how to go on. `file_unreadable`, `file_damaged` as openInput does. What `pg` throws where the connection
 * breaks.
 */
export async function loadFile(options: LoadOptions): Promise<LoadResult> {
  const { source, speed, onPlan } = options;
  if (speed !== 'max' && onPlan !== undefined && typeof source === 'string')
    onPlan(await planOf(source, speed, options));
  // Whatever ends the load closes the source too: a pipe may be quiet, and kept open by its writer.
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  try {
    return await new Load(await openInput(source, signal), options).run();
  } finally {
    over.abort();
  }
}

class Load {
  readonly #input: Input;
  readonly #options: LoadOptions;
  readonly #startedAt = performance.now();
  /** Grows with the sessions of the file, a few dozen bytes each. */
  readonly #sessions = new Set<string>();
  #rows = 0;
  #skipped = 0;
  #nextLine: number;
  /** Why reading ended early; kept back until what was read before it is in the table. */
  #problem: OperatorError | null = null;

  constructor(input: Input, options: LoadOptions) {
    this.#input = input;
    this.#options = options;
    this.#nextLine = options.fromLine ?? 1;
  }

  async run(): Promise<LoadResult> {
    const { speed, batchRows = 500, signal } = this.#options;
    const pace = { speed: speed === 'max' ? Number.POSITIVE_INFINITY : speed, signal, batchRows };
    let stopped = signal?.aborted === true;
    if (!stopped) {
      for await (const batch of paced(this.#read(), pace)) {
        await this.#append(batch);
        stopped = signal?.aborted === true;
        if (stopped) break;
      }
    }
    if (this.#problem !== null) throw this.#problem;
    // Aborted while it waited for the next row: the batches end by themselves, before the end of the file.
    const ended = !stopped && signal?.aborted !== true;
    const { size: sessions } = this.#sessions;
    return { rows: this.#rows, sessions, skipped: this.#skipped, nextLine: ended ? null : this.#nextLine };
  }

  async *#read(): AsyncGenerator<RecordedRow & { offsetMs: number }> {
    let firstAt: number | null = null;
    try {
      for await (const row of rowsOf(this.#input, this.#options, (line, problem) => this.#leaveOut(line, problem))) {
        firstAt ??= row.at;
        yield { ...row, offsetMs: (row.at - firstAt) / 1000 };
      }
    } catch (error) {
      if (this.#options.signal?.aborted === true) return;
      if (!(error instanceof OperatorError)) throw error;
      this.#problem = error;
    }
  }

  #leaveOut(line: number, problem: string): void {
    if (this.#options.skipBad !== true) throw this.#badLine(line, problem, line);
    this.#skipped++;
    this.#options.onSkipped?.(line, problem);
  }

  #badLine(line: number, problem: string, goOnWith: number): OperatorError {
    return stop(
      'load_line',
      `${this.#input.name} line ${line} ${problem}. Every row before line ${goOnWith} is in ${this.#options.table.sql}: mend the line and go on with --from-line ${goOnWith}, or leave bad lines out with --from-line ${goOnWith} --skip-bad`,
      { exitCode: exitCodes.failed },
    );
  }

  async #append(batch: RecordedRow[]): Promise<void> {
    const { client, table, skipBad = false, onProgress } = this.#options;
    const { inserted, refused } = await appendRows(client, table, batch, { allOrNone: !skipBad });
    const bad = new Set(refused.map(({ index }) => index));
    for (const { index, reason } of refused) {
      const { line } = batch[index] as RecordedRow;
      const problem = `is refused by Postgres: ${reason}`;
      if (!skipBad) throw this.#badLine(line, problem, (batch[0] as RecordedRow).line);
      this.#leaveOut(line, problem);
    }
    batch.forEach((row, index) => {
      if (!bad.has(index)) this.#sessions.add(row.sessionId);
    });
    this.#rows += inserted;
    this.#nextLine = (batch.at(-1) as RecordedRow).line + 1;
    onProgress?.(this.#progress());
  }

  #progress(): LoadProgress {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const { totalBytes } = this.#input;
    const rate = seconds > 0 ? Math.round(this.#rows / seconds) : 0;
    return {
      rows: this.#rows,
      skipped: this.#skipped,
      bytes: this.#input.readBytes(),
      totalBytes,
      rate,
      nextLine: this.#nextLine,
    };
  }
}

/** The rows from `fromLine` on; of each bad line `onBad` is told, and may throw to end it all. */
async function* rowsOf(
  input: Input,
  { fromLine = 1, table }: Pick<LoadOptions, 'fromLine' | 'table'>,
  onBad: (line: number, problem: string) => void,
): AsyncGenerator<RecordedRow> {
  const metadata = table.mapping.metadata.map(({ name }) => name);
  for await (const { number, bytes } of input.lines()) {
    if (number < fromLine) continue;
    if (bytes === null) {
      onBad(number, `is longer than ${maxLineBytes / 1024 / 1024} MiB`);
      continue;
    }
    const parsed = parseLine(number, bytes, metadata);
    if (parsed === null) continue;
    if (parsed.ok) yield parsed.row;
    else onBad(number, parsed.problem);
  }
}

/** Reads the file once without loading it. Bad lines are the load's own business. */
async function planOf(path: string, speed: number, options: LoadOptions): Promise<LoadPlan> {
  let rows = 0;
  let first: number | null = null;
  let last = 0;
  for await (const { at } of rowsOf(await openInput(path), options, () => {})) {
    if (options.signal?.aborted === true) break;
    rows++;
    first ??= at;
    last = Math.max(last, at);
  }
  const recordedMs = first === null ? 0 : (last - first) / 1000;
  return { rows, recordedMs, takesMs: recordedMs / speed };
}
