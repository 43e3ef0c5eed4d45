/** Knows a trajectory again that was redacted here: placeholders that stand in it are placeholders, not a row's words. */
import { createHmac } from 'node:crypto';
import type { Trajectory } from '../../records.ts';
import { rowTextOf } from '../../row-digest.ts';

/** No hash of rows begins so: only what does is worth the work of comparing. */
const mark = 'redacted:';

/**
 * The content hash of a redacted trajectory: HMAC-SHA-256 hex over its text, behind `redacted:`. Whoever has the rows
 * but not the key can neither make text that passes for redacted, nor guess at what was redacted as with a hash of the
 * rows.
 */
export function hashOfRedacted({ id, turns }: Pick<Trajectory, 'id' | 'turns'>, key: string): string {
  const hmac = createHmac('sha256', key).update(`redacted ${id}\n`);
  for (const turn of turns) hmac.update(`${rowTextOf(turn)}\n`);
  return mark + hmac.digest('hex');
}

export function isOwnWork(trajectory: Trajectory, key: string): boolean {
  return trajectory.contentHash.startsWith(mark) && trajectory.contentHash === hashOfRedacted(trajectory, key);
}
