/** Knows a trajectory again that was redacted here: placeholders that stand in it are placeholders, not a row's words. */
import { createHmac } from 'node:crypto';
import type { Trajectory } from '../../records.ts';

/**
 * The content hash of a redacted trajectory: HMAC-SHA-256 hex over its text. Whoever has the rows but not the key can
 * neither make text that passes for redacted, nor guess at what was redacted as with a hash of the rows.
 */
export function hashOfRedacted({ id, turns }: Pick<Trajectory, 'id' | 'turns'>, key: string): string {
  const hmac = createHmac('sha256', key).update(`redacted ${id}\n`);
  for (const t of turns) {
    const metadata = Object.entries(t.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    const text = [t.rowKey, t.agent, t.tool, t.arguments, t.response, t.costUsd, t.durationMs, t.createdAt, metadata];
    hmac.update(`${JSON.stringify(text)}\n`);
  }
  return hmac.digest('hex');
}

export function isOwnWork(trajectory: Trajectory, key: string): boolean {
  return trajectory.contentHash === hashOfRedacted(trajectory, key);
}
