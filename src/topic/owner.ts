/** Names of who holds a lease, such that a process that died can be told from one that works. */
import { randomUUID } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Where process ids mean the same: host and, on Linux, namespace (containers may share a folder, and each has a 1). */
const place = `${hostname()} ${pidNamespace()}`;
const thisProcess = randomUUID();

export function newOwner(): string {
  return JSON.stringify([place, process.pid, thisProcess, randomUUID()]);
}

/**
 * Whether the owner's process has ended for certain, so that its leases need not run out first. A process elsewhere, or a
 * number that was given to another process since, counts as alive.
 */
export function isGone(owner: string): boolean {
  const [where, pid, token] = parse(owner);
  if (where !== place || typeof pid !== 'number') return false;
  if (pid === process.pid) return token !== thisProcess;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
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

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
