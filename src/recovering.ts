/**
 * After a lost slot: a new one, and the rows that were committed while there was none. An append-only table is its own
 * backup: what the ledger does not know of it is taken in, what it knows is left out.
 */
import { randomUUID } from 'node:crypto';
import { type BackfillOptions, finishBackfill } from './backfilling.ts';
import { openCaptureJournal } from './capturing.ts';
import { crashPoint } from './crash-points.ts';
import { codeOf, exitCodes, messageOf, stop } from './errors.ts';
import { Releasers } from './lifecycle.ts';
import { openRequests, type RequestState } from './requests.ts';
import type { Journal } from './sessionizer/journal.ts';
import { captureSettings, filesOf } from './stages.ts';
import type { RowRange } from './stream/contract.ts';
import { resumeAt } from './stream/lsn.ts';
import { recreateSlot } from './stream/provision.ts';
import { probeStart, readIdentity } from './stream/source.ts';

export interface Recovery {
  /** Why the slot could not be gone on with. */
  reason: string;
  /** Where the new slot begins. */
  position: string;
  rows: RequestState;
}

/** What a new slot mends; everything else must be mended before. */
const mendable = new Set(['slot_missing', 'slot_lost', 'slot_ahead', 'source_changed', 'publication_missing']);

/**
 * Makes a new slot, hands the journal over to it, and takes in what it missed. Cut short anywhere, it can be run again:
 * a slot that the journal does not know is replaced once more, and rows that were taken in are known.
 *
 * @throws OperatorError `nothing_to_recover`, `slot_active`, and as {@link finishBackfill}.
 */
export async function recover(range: RowRange, options: BackfillOptions): Promise<Recovery> {
  const { id, reason, position } = await handOver(range, options);
  return { reason, position, rows: await finishBackfill(id, options) };
}

async function handOver({ since, until }: RowRange, { config, log }: BackfillOptions) {
  const settings = captureSettings(config);
  const releasers = new Releasers();
  try {
    const { journal } = await openCaptureJournal(config, 'now', log, releasers);
    const reason = await reasonOf(journal, settings);
    const { consistentPoint } = await recreateSlot(settings);
    crashPoint('recover.created');
    const identity = await readIdentity(settings);
    const id = randomUUID();
    const position = { resumeLsn: resumeAt(consistentPoint), partial: null };
    const injection = { id, reason: 'recover' as const, range: { since, until }, seenBefore: consistentPoint };
    journal.adopt(identity, position, injection);
    crashPoint('recover.adopted');
    const requests = openRequests(filesOf(config).requests);
    requests.submit({ id, reason: 'recover', since, until, disown: [] });
    requests.close();
    log.info(`slot ${settings.slot} is new; the stream goes on from ${consistentPoint}`);
    return { id, reason, position: consistentPoint };
  } finally {
    await releasers.unwind();
  }
}

/** Why the stream can't go on as it is. @throws OperatorError `nothing_to_recover` where it can, or never began. */
async function reasonOf(journal: Journal, settings: ReturnType<typeof captureSettings>): Promise<string> {
  const nothing = (why: string) => stop('nothing_to_recover', why, { exitCode: exitCodes.usage });
  if (journal.progress === null) {
    throw nothing('nothing was captured into this data directory yet: init makes a slot, and run begins there');
  }
  try {
    await probeStart(settings, { progress: journal.progress, identity: journal.identity, columns: journal.columns });
  } catch (error) {
    if (mendable.has(codeOf(error))) return messageOf(error);
    throw error;
  }
  throw nothing(
    `slot ${settings.slot} is fine and run goes on from it; backfill takes in rows of the table that were never captured`,
  );
}
