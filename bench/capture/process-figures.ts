/** What the kernel says of a process: CPU time and peak memory. Linux only; elsewhere nulls. */
import { readFileSync } from 'node:fs';

/** The unit of the times in /proc; 100 a second on every Linux that Node runs on. */
const ticksPerSecond = 100;

export interface ProcessFigures {
  cpuMs: number;
  peakBytes: number;
}

/** Null where there is no such process, or no /proc. */
export function figuresOf(pid: number): ProcessFigures | null {
  try {
    // The name in brackets may hold spaces: the fields are counted from behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { cpuMs: (ticks / ticksPerSecond) * 1000, peakBytes: Number(peak?.[1] ?? 0) * 1024 };
  } catch {
    return null;
  }
}
