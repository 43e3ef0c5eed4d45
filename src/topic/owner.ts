/** Names of who holds a lease, such that a process that died can be told from one that works. */
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export function newOwner(): string {
  return JSON.stringify([place(), process.pid, startOf(process.pid), randomUUID()]);
}

/**
 * Whether the owner's process has ended for certain, so that its leases need not run out first. A process that cannot be
 * seen from here counts as alive.
 */
export function isGone(owner: string): boolean {
  const [where, pid, start] = parse(owner);
  if (where !== place() || typeof pid !== 'number') return false;
  return !exists(pid) || startOf(pid) !== start;
}

/** Where process ids mean the same: host and, on Linux, namespace (containers may share a folder, and each has a 1). */
function place(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** When the process began, on Linux: its number alone may have been given to another since. Empty elsewhere. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything; the start is the 22nd field. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function parse(owner: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(owner);
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}
