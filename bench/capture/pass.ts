/** One pass of a reader over a slot, timed from outside by what Postgres says of the slot. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { AuditLog } from './log-server.ts';
import { figuresOf, type ProcessFigures } from './process-figures.ts';

export interface Pass {
  /** From the moment that the slot streams to the moment that all was received (the limit) or confirmed (ours). */
  ms: number;
  rowsPerSecond: number;
  /** CPU of the reader, its start included. */
  cpuUsPerRow: number;
  /** CPU of the walsender. */
  serverCpuUsPerRow: number;
  peakBytes: number;
}

export interface Reader {
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  /** `received`: it ends when it has received everything. `confirmed`: it is done when the slot says so. */
  done: 'received' | 'confirmed';
  /** It waits for its stdin to end. */
  held?: boolean;
}

const waitingPollMs = 2;
const runningPollMs = 25;

/** @throws Error with what the reader wrote, where it failed. */
export async function timePass(log: AuditLog, slot: string, end: string, reader: Reader): Promise<Pass> {
  const process = startReader(reader);
  let began = Number.NaN;
  let confirmedAt = Number.NaN;
  let walsender: { pid: number; before: number; after: number } | null = null;
  while (process.endedAt() === null) {
    const { active_pid: pid, confirmed } = await slotState(log, slot, end);
    if (Number.isNaN(began) && pid !== null) {
      began = performance.now();
      walsender = { pid, before: figuresOf(pid)?.cpuMs ?? 0, after: 0 };
    }
    if (confirmed && Number.isNaN(confirmedAt)) confirmedAt = performance.now();
    process.look();
    if (walsender !== null) walsender.after = figuresOf(walsender.pid)?.cpuMs ?? walsender.after;
    await pause(Number.isNaN(began) ? waitingPollMs : runningPollMs);
  }
  const { endedAt, figures } = await process.finished;
  if (Number.isNaN(confirmedAt) && (await slotState(log, slot, end)).confirmed) confirmedAt = endedAt;
  const ms = (reader.done === 'received' ? endedAt : confirmedAt) - began;
  if (!(ms > 0)) throw new Error(`${reader.command} ended without having streamed slot ${slot} to ${end}`);
  const perRow = (cpuMs: number) => (cpuMs * 1000) / log.rows;
  return {
    ms,
    rowsPerSecond: (log.rows / ms) * 1000,
    cpuUsPerRow: perRow(figures.cpuMs),
    serverCpuUsPerRow: walsender === null ? 0 : perRow(walsender.after - walsender.before),
    peakBytes: figures.peakBytes,
  };
}

/** Runs to the end, unpaced and untimed. */
export async function runReader(reader: Reader): Promise<ProcessFigures> {
  const process = startReader(reader);
  while (process.endedAt() === null) {
    process.look();
    await pause(runningPollMs);
  }
  return (await process.finished).figures;
}

export interface RunningReader {
  child: ChildProcess;
  /** Takes note of CPU and memory; to be called now and then, since both are gone with the process. */
  look(): void;
  /** Null while it runs. */
  endedAt(): number | null;
  /** Rejects where it failed. */
  finished: Promise<{ endedAt: number; figures: ProcessFigures }>;
}

export function startReader({ command, args, env = process.env, held = false }: Reader): RunningReader {
  const child = spawn(command, args, { env, stdio: [held ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  const figures: ProcessFigures = { cpuMs: 0, peakBytes: 0 };
  let at: number | null = null;
  const exit = exitOf(child).finally(() => {
    at ??= performance.now();
  });
  const finished = exit.then((endedAt) => ({ endedAt, figures }));
  finished.catch(() => {});
  child.once('exit', () => {
    at = performance.now();
  });
  return {
    child,
    finished,
    endedAt: () => at,
    look: () => {
      const now = figuresOf(child.pid ?? 0);
      if (now === null) return;
      // A process that has just ended has lost its memory already.
      figures.cpuMs = Math.max(figures.cpuMs, now.cpuMs);
      figures.peakBytes = Math.max(figures.peakBytes, now.peakBytes);
    },
  };
}

async function slotState({ client }: AuditLog, slot: string, end: string) {
  const { rows } = await client.query(
    'SELECT active_pid, confirmed_flush_lsn >= $2::pg_lsn AS confirmed FROM pg_replication_slots WHERE slot_name = $1',
    [slot, end],
  );
  return rows[0] as { active_pid: number | null; confirmed: boolean };
}

/** Resolves with the moment of the end; rejects where that was a failure. */
function exitOf(child: ChildProcess): Promise<number> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      const at = performance.now();
      if (code === 0) resolve(at);
      else child.once('close', () => reject(new Error(`${child.spawnfile} ended with ${code ?? signal}: ${said}`)));
    });
  });
}
