/** Where a stream may begin: pure decisions over what the journal stored and what the server says. */
import { stop } from '../errors.ts';
import type { RowColumns } from '../postgres/row-columns.ts';
import type { Progress, ResumeLsn } from '../records.ts';
import { bytesBetween, resumeAt, shortLsn } from './lsn.ts';
import type { Identity } from './replication.ts';
import type { SlotState } from './slot.ts';

/** What the journal stored. */
export interface StoredStart {
  /** Null before the first batch was stored, and where a history that was begun is to be read again. */
  progress: Progress | null;
  identity: Identity | null;
  /** The roles that were read from a column until now; null where nothing was stored. */
  columns: readonly string[] | null;
  /** By which rows were taken in until now; null where none was. */
  rowColumns?: RowColumns | null;
}

const newSlot = 'or have `trajectory-compiler recover` make a new slot here and take in from the table what is missing';
const ownDirectory =
  'give each capture and each shard a dataDir of its own; where the number of shards changed, recover --former says how';

const words: Record<keyof Identity, { what: string; advice: string }> = {
  system_identifier: { what: 'another database cluster (system identifier', advice: newSlot },
  timeline: {
    what: 'another timeline, as after a failover or a point-in-time restore (timeline',
    advice: newSlot,
  },
  slot: { what: 'another slot (', advice: `${newSlot}; ${ownDirectory}` },
  publication: { what: 'another publication (', advice: `${newSlot}; ${ownDirectory}` },
};

/** Positions of one identity mean nothing under another. @throws OperatorError `source_changed`. */
export function checkIdentity(stored: Identity | null, now: Identity): void {
  if (stored === null) return;
  for (const part of Object.keys(words) as (keyof Identity)[]) {
    if (stored[part] === now[part]) continue;
    throw stop(
      'source_changed',
      `the data directory belongs to ${words[part].what} ${stored[part]}, now ${now[part]}): positions can't be compared; point the settings back, ${words[part].advice}`,
    );
  }
}

/**
 * The slot's own position, or the stored one, or null where history comes first.
 *
 * @throws OperatorError `slot_ahead` where the server may have forgotten rows that were never stored here,
 * `server_behind`.
 */
export function startOf(
  start: StoredStart,
  slot: Pick<SlotState, 'confirmedFlush' | 'flushed'>,
  slotName: string,
  from: 'now' | 'beginning',
): Progress | null {
  if (start.progress === null && from === 'beginning') return null;
  if (start.progress === null) return { resumeLsn: resumeAt(slot.confirmedFlush), partial: null };
  checkNotAhead(start.progress.resumeLsn, slot, slotName);
  checkNotBehind(start.progress.resumeLsn, slot);
  return start.progress;
}

/**
 * What lies before a slot's position the server skips, without an error.
 *
 * @throws OperatorError `slot_ahead` where the slot was told to forget what is not stored here.
 */
export function checkNotAhead(
  stored: ResumeLsn,
  { confirmedFlush }: Pick<SlotState, 'confirmedFlush'>,
  slotName: string,
): void {
  if (confirmedFlush <= stored) return;
  const missing = bytesBetween(stored, confirmedFlush);
  throw stop(
    'slot_ahead',
    `slot ${slotName} is at ${shortLsn(confirmedFlush)}, ahead of ${shortLsn(stored)} that is stored here: rows committed in between (${missing} bytes of WAL) would be skipped; something else moved or recreated the slot; \`trajectory-compiler recover\` makes a new one and takes them in from the table`,
  );
}

/**
 * A server that was set back (a snapshot of its disk, a standby that lagged) writes the same positions again, with other
 * rows: those up to the stored position would be skipped.
 *
 * @throws OperatorError `server_behind` where what is stored here lies beyond the server's WAL.
 */
export function checkNotBehind(stored: ResumeLsn, { flushed }: Pick<SlotState, 'flushed'>): void {
  if (stored <= flushed) return;
  throw stop(
    'server_behind',
    `the server's WAL ends at ${shortLsn(flushed)}, before ${shortLsn(stored)} that is stored here: it was set back to an earlier state, and what is written there now would be skipped; \`trajectory-compiler recover\` makes a new slot and takes in from the table what is missing`,
  );
}
