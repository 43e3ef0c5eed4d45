/** Knows a trajectory again that was redacted here: placeholders that stand in it are placeholders, not a row's words. */
import { createHmac } from 'node:crypto';
import { park } from '../../errors.ts';
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
  // At once: each call into the hash costs as much as a kilobyte of text.
  const text = [`redacted ${id}`, ...turns.map(rowTextOf)].join('\n');
  return mark + createHmac('sha256', key).update(text).digest('hex');
}

/**
 * Whether it was redacted here already.
 *
 * @throws OperatorError, parking, where it was redacted under another key, or changed since: its placeholders can't be
 * told from what rows say.
 */
export function isOwnWork(trajectory: Trajectory, key: string): boolean {
  if (!trajectory.contentHash.startsWith(mark)) return false;
  if (trajectory.contentHash === hashOfRedacted(trajectory, key)) return true;
  throw park(
    'redacted_elsewhere',
    `trajectory ${trajectory.id} was redacted under another key, or was changed since: set redact.key (TC_REDACT_KEY) to the key of that time, or compile its session from the audit log again (compile --session)`,
  );
}
