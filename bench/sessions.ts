/**
 * A million sessions that are open at once, after millions of rows of closed ones: memory, the file, the time to open the
 * journal again, and what a row costs the more sessions are open.
 *
 *   npx tsx bench/sessions.ts [open sessions] [closed rows]
 *
 * Each step is a process of its own, so that its peak memory is that step's. Prints JSON.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Batch, Change, Lsn, ResumeLsn, Turn } from '../src/records.ts';
import { createDigester } from '../src/row-digest.ts';
import { type Journal, openJournal } from '../src/sessionizer/journal.ts';
import { type SessionRules, sessionize, watermarkOf } from '../src/sessionizer/sessionize.ts';

export interface SessionsReport {
  openSessions: number;
  closedRows: number;
  /** Of the process that takes all of it in, MiB. */
  peakRssMiB: number;
  /** Of a process that opens the journal and takes in one batch, MiB. */
  reopenedRssMiB: number;
  reopenMs: number;
  fileMiB: number;
  /** Microseconds of CPU a row, by the number of open sessions. */
  cpuPerRow: Record<number, number>;
}

const second = 1_000_000;
const hour = 3600 * second;
const start = 1_767_571_200 * second;
const rowsPerBatch = 1000;
const turnsOfClosed = 10;
const turnsOfOpen = 3;
const measuredRows = 100_000;
const response = JSON.stringify({ text: 'lorem "ipsum" '.repeat(14) });
const rules: SessionRules = {
  idleTimeout: 600 * second,
  endMarker: null,
  endGrace: 5 * second,
  maxTurns: 2000,
  maxBytes: 16 * 1024 * 1024,
  maxAge: 24 * hour,
  minTurns: 3,
  retain: 7 * 24 * hour,
};

/** Rows one after another, a row each 20 µs of the log's time. */
class Writer {
  readonly #journal: Journal;
  #rows = 0;
  #turns: Turn[] = [];
  #cpu = 0;
  /** Time that went by without a row. */
  #quiet = 0;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Microseconds of CPU that the journal and the sessionizer have taken. */
  get cpu(): number {
    return this.#cpu;
  }

  row(session: number): void {
    this.#rows += 1;
    this.#turns.push(turnOf(this.#rows, session, this.#now()));
    if (this.#turns.length === rowsPerBatch) this.commit();
  }

  commit(changes: Change[] = this.#turns.map((turn) => ({ kind: 'turn', turn }))): void {
    const batch: Batch = {
      changes,
      sessionIds: new Set(this.#turns.map((turn) => turn.sessionId)),
      progress: { resumeLsn: lsnOf(this.#rows) as string as ResumeLsn, partial: null },
      skipped: {},
    };
    this.#turns = [];
    const before = process.cpuUsage();
    const step = sessionize(this.#journal.recall(batch.sessionIds, watermarkOf(batch)), batch, rules);
    this.#journal.commit(step, batch);
    const { user, system } = process.cpuUsage(before);
    this.#cpu += user + system;
  }

  /** Closes what is idle; it is published and finished at once. */
  close(): void {
    this.commit();
    this.#quiet += 2 * rules.idleTimeout;
    this.commit([{ kind: 'watermark', at: this.#now() }]);
    for (;;) {
      const ids = this.#journal.outbox.pending(1000).map(({ trajectoryId }) => trajectoryId);
      if (ids.length === 0) return;
      this.#journal.outbox.published(ids);
      this.#journal.outbox.forget(ids);
    }
  }

  #now(): number {
    return start + this.#rows * 20 + this.#quiet;
  }
}

function turnOf(n: number, session: number, at: number): Turn {
  return {
    rowKey: `0190f3a2-1c3e-7c3e-9c3e-${String(n).padStart(12, '0')}`,
    // Out of bytes, as the decoder makes it: text that is put together keeps its pieces.
    sessionId: Buffer.from(`5f0c2b9e-7d41-4b7a-8a55-${String(session).padStart(12, '0')}`).toString('latin1'),
    agent: 'inbox',
    tool: 'search',
    arguments: '{"query": "refund policy"}',
    response,
    costUsd: '0.00012',
    durationMs: '41',
    createdAt: `${new Date(at / 1000).toISOString().slice(0, 23).replace('T', ' ')}+00`,
    committedAt: at,
    position: { lsn: lsnOf(n), ordinal: 0 },
  };
}

function lsnOf(n: number): Lsn {
  return `00000000/${(16 * n).toString(16).toUpperCase().padStart(8, '0')}` as Lsn;
}

function open(dir: string): Journal {
  const digester = createDigester('a key of the bench, at least 16 characters');
  return openJournal(join(dir, 'journal.sqlite'), { source: 'bench', rules, digester });
}

/** The steps, by name: each runs in a process of its own. */
const steps = {
  fill(dir: string, openSessions: number, closedRows: number) {
    const journal = open(dir);
    const writer = new Writer(journal);
    const atOnce = 1000;
    for (let first = 0; first < closedRows / turnsOfClosed; first += atOnce) {
      for (let n = 0; n < turnsOfClosed * atOnce; n += 1) writer.row(first + (n % atOnce));
      writer.close();
    }
    for (let n = 0; n < turnsOfOpen * openSessions; n += 1) writer.row(1_000_000_000 + (n % openSessions));
    writer.commit();
    const totals = journal.totals();
    journal.close();
    if (totals.open !== openSessions) throw new Error(`${totals.open} sessions are open, not ${openSessions}`);
    return { peakRssMiB: peakRss() };
  },

  reopen(dir: string, openSessions: number) {
    const began = performance.now();
    const journal = open(dir);
    const reopenMs = performance.now() - began;
    const seen = journal.recall([], Number.POSITIVE_INFINITY).parts.size;
    journal.close();
    if (seen !== openSessions) throw new Error(`${seen} sessions came back, not ${openSessions}`);
    return { reopenMs: Math.round(reopenMs), reopenedRssMiB: peakRss() };
  },

  /** Rows of sessions picked at random from those that are open. */
  cost(dir: string, openSessions: number) {
    const journal = open(dir);
    const writer = new Writer(journal);
    for (let n = 0; n < openSessions; n += 1) writer.row(n);
    writer.commit();
    let seed = 1;
    const next = () => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * openSessions);
    };
    for (let n = 0; n < rowsPerBatch * 10; n += 1) writer.row(next());
    const before = writer.cpu;
    for (let n = 0; n < measuredRows; n += 1) writer.row(next());
    const cpuPerRow = (writer.cpu - before) / measuredRows;
    journal.close();
    return { cpuPerRow: Number(cpuPerRow.toFixed(1)), peakRssMiB: peakRss() };
  },
};

function peakRss(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

function runStep<N extends keyof typeof steps>(
  name: N,
  dir: string,
  ...counts: number[]
): ReturnType<(typeof steps)[N]> {
  const args = ['--import', 'tsx', fileURLToPath(import.meta.url), '--step', name, dir, ...counts.map(String)];
  const { stdout, status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1e7 });
  if (status !== 0) throw new Error(`the step ${name} failed: ${stderr}`);
  return JSON.parse(stdout) as ReturnType<(typeof steps)[N]>;
}

export function benchSessions(openSessions = 1_000_000, closedRows = 2_000_000): SessionsReport {
  const dir = mkdtempSync(join(tmpdir(), 'bench-sessions-'));
  try {
    const { peakRssMiB } = runStep('fill', dir, openSessions, closedRows);
    const fileMiB = Math.round(
      readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0) / 2 ** 20,
    );
    const { reopenMs, reopenedRssMiB } = runStep('reopen', dir, openSessions);
    const cpuPerRow: Record<number, number> = {};
    for (let n = 1000; n <= openSessions; n *= 10) {
      const part = join(dir, String(n));
      mkdirSync(part);
      cpuPerRow[n] = runStep('cost', part, n).cpuPerRow;
      rmSync(part, { recursive: true });
    }
    return { openSessions, closedRows, peakRssMiB, reopenedRssMiB, reopenMs, fileMiB, cpuPerRow };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function main([first, ...rest]: string[]): void {
  if (first === '--step') {
    const [name, dir, openSessions, closedRows] = rest;
    const step = steps[name as keyof typeof steps];
    process.stdout.write(JSON.stringify(step(dir!, Number(openSessions), Number(closedRows))));
    return;
  }
  const counts = [first, ...rest].filter((text) => text !== undefined).map(Number);
  process.stdout.write(`${JSON.stringify(benchSessions(...counts), null, 2)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
