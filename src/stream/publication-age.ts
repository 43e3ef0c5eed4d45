/**
 * Whether publication and slot fit together: changes that were written before there was a publication end the stream
 * (until PostgreSQL 17), or are left out of it without a word (since 18).
 */
import { codeOf } from '../errors.ts';
import { pause, within } from '../lifecycle.ts';
import { resumeAt } from './lsn.ts';
import type { CaptureNames } from './provision.ts';
import { replicate } from './replication.ts';
import type { Queryable } from './setup-faults.ts';
import type { SlotState } from './slot.ts';

/** How the publication is known to be old enough; `unread` where the slot holds too much to be read in the time given. */
export type Age = 'older' | 'streaming' | 'readable' | 'unread';

const patienceMs = 5_000;
const pingEveryMs = 50;
/** Insert, update, delete, truncate and the description of a table: what takes a publication to be sent. */
const published = new Set([0x49, 0x55, 0x44, 0x54, 0x52]);

/**
 * Where the catalog does not tell, the slot is read for a moment, from its position to the first row or to the end.
 * Nothing is confirmed by that.
 *
 * @throws OperatorError `publication_missing` where there was none at the slot's position, and others of {@link replicate}.
 */
export async function verifyPublicationAge(
  client: Queryable,
  settings: CaptureNames & { url: string },
  slot: SlotState,
): Promise<Age> {
  const { rows } = await client.query(
    `SELECT (age(p.xmin) > age(s.catalog_xmin))::text AS older FROM pg_publication p, pg_replication_slots s
      WHERE p.pubname = $1 AND s.slot_name = $2`,
    [settings.publication, settings.slot],
  );
  // What the slot decodes, it decodes with the catalog as it was after every transaction before its xmin.
  if (rows[0]?.older === 'true') return 'older';
  // One that reads on has found its publication, or ends by itself.
  return slot.active ? 'streaming' : await readOn(settings, slot);
}

async function readOn(
  { url, slot, publication }: CaptureNames & { url: string },
  { confirmedFlush, flushed }: SlotState,
): Promise<Age> {
  const position = resumeAt(confirmedFlush);
  const readable = new AbortController();
  const replication = await replicate({
    url,
    slot,
    publication,
    start: position,
    before: async () => {},
    decode: (buffer, at) => {
      if (published.has(buffer[at]!)) readable.abort();
      return { kind: 'other' };
    },
    onMessage: () => {},
    onKeepalive: (lsn) => {
      if (lsn >= flushed) readable.abort();
    },
    durable: () => position,
  });
  const deadline = performance.now() + patienceMs;
  try {
    while (!readable.signal.aborted && performance.now() < deadline) {
      replication.status(true);
      await Promise.race([within(pingEveryMs, replication.ended), pause(pingEveryMs, readable.signal)]);
    }
    return readable.signal.aborted ? 'readable' : 'unread';
  } catch (error) {
    // A capture took it after it was looked at.
    if (codeOf(error) === 'slot_active') return 'streaming';
    throw error;
  } finally {
    await replication.close();
  }
}
