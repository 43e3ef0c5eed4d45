/**
 * After a lost slot: a new one, and the rows that were committed while there was none. An append-only table is its own
 * backup: what the ledger does not know of it is taken in, what it knows is left out.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type BackfillOptions, finishBackfill } from './backfilling.ts';
import { openCaptureJournal } from './capturing.ts';
import type { Config } from './config.ts';
import { crashPoint } from './crash-points.ts';
import { codeOf, exitCodes, messageOf, stop } from './errors.ts';
import { Releasers } from './lifecycle.ts';
import { refuseOtherColumns } from './postgres/row-columns.ts';
import { type BackfillRequest, openRequests, type RequestState } from './requests.ts';
import { openDigestKey } from './row-digest.ts';
import type { Journal } from './sessionizer/journal.ts';
import { lockDataDir } from './sessionizer/lock.ts';
import { captureSettings, filesOf } from './stages.ts';
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

export type RecoverRange = Pick<BackfillRequest, 'since' | 'until' | 'changed'>;

/** What a new slot mends; everything else must be mended before. */
const mendable = new Set([
  'slot_missing',
  'slot_lost',
  'slot_ahead',
  'server_behind',
  'source_changed',
  'publication_missing',
  'slot_two_phase',
]);

/**
 * Makes a new slot, hands the journal over to it, and takes in what it missed. Cut short anywhere, it can be run again:
 * a slot that the journal does not know is replaced once more, and rows that were taken in are known.
 *
 * @param former data directories of captures that have ended, whose sessions this one goes on with
 * @throws OperatorError `nothing_to_recover`, `slot_active`, and as {@link finishBackfill}.
 */
export async function recover(
  range: RecoverRange,
  former: readonly string[],
  options: BackfillOptions,
): Promise<Recovery> {
  const { id, reason, position } = await handOver(range, former, options);
  return { reason, position, rows: await finishBackfill(id, options) };
}

async function handOver(
  { since, until, changed = 'leave' }: RecoverRange,
  former: readonly string[],
  { config, log }: BackfillOptions,
) {
  const settings = captureSettings(config);
  const releasers = new Releasers();
  try {
    const keys = former.map((dir) => keyOf(dir, config, releasers));
    if (keys[0] !== undefined) inheritKey(keys[0], config);
    const { journal, rowColumns } = await openCaptureJournal(config, 'now', log, releasers);
    refuseOtherShare(journal.identity?.slot ?? null, settings);
    const reason = former.length > 0 ? takeOver(journal, former, keys, config) : await reasonOf(journal, settings);
    refuseOtherColumns(journal.rowColumns, rowColumns, settings.table);
    const before = journal.identity?.slot;
    const { consistentPoint, replaced, created } = await recreateSlot(settings);
    crashPoint('recover.created');
    const identity = await readIdentity(settings);
    const id = randomUUID();
    const position = { resumeLsn: resumeAt(consistentPoint), partial: null };
    const injection = { id, reason: 'recover' as const, range: { since, until }, seenBefore: consistentPoint };
    journal.adopt(identity, position, injection);
    crashPoint('recover.adopted');
    const requests = openRequests(filesOf(config).requests);
    requests.submit({ id, reason: 'recover', since, until, resend: [], changed });
    requests.close();
    log.info(`${replaced === null ? '' : `dropped ${replaced}; `}created ${created.join(' and ')}`);
    if (before !== undefined && before !== settings.slot) {
      log.warn(`where slot ${before} is still there, it keeps WAL for nobody: drop it (teardown with its settings)`);
    }
    return { id, reason, position: consistentPoint };
  } finally {
    await releasers.unwind();
  }
}

/**
 * Open sessions of this journal may be another capture's from now on, which would read their rows again.
 *
 * @throws OperatorError `share_changed`.
 */
function refuseOtherShare(before: string | null, { slot, shard }: ReturnType<typeof captureSettings>): void {
  if (before === null || before === slot || (shard === undefined && !/_\d+_of_\d+$/.test(before))) return;
  throw stop(
    'share_changed',
    `the data directory belongs to slot ${before}, another share of the sessions: give each of the new captures a fresh dataDir and recover it with --former for every dataDir of before`,
    { exitCode: exitCodes.usage },
  );
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

/** Holds the data directory of a capture that has ended, and reads the key of its digests. */
function keyOf(dataDir: string, config: Config, releasers: Releasers): string {
  const { journal, digestKey } = filesOf({ ...config, dataDir });
  if (!existsSync(journal)) {
    throw stop(
      'no_former',
      `${dataDir} has no journal: --former names the data directory of a capture that has ended`,
      {
        exitCode: exitCodes.usage,
      },
    );
  }
  const lock = lockDataDir(dataDir);
  releasers.push(`lock of ${dataDir}`, () => lock.release());
  return openDigestKey(digestKey, config['capture.digestKey']);
}

/** A data directory without a key goes on with the former one's. */
function inheritKey(key: string, config: Config): void {
  const { digestKey } = filesOf(config);
  if (config['capture.digestKey'] !== null || existsSync(digestKey)) return;
  mkdirSync(config.dataDir, { recursive: true });
  writeFileSync(digestKey, `${key}\n`, { flag: 'wx', mode: 0o600, flush: true });
}

/** Of captures that shared the sessions out otherwise. @throws OperatorError `not_fresh`, and as the journal does. */
function takeOver(journal: Journal, former: readonly string[], keys: readonly string[], config: Config): string {
  if (journal.progress !== null) {
    throw stop(
      'not_fresh',
      `${config.dataDir} has captured already, perhaps sessions that are another capture's now: set a fresh dataDir, and name this one with --former too`,
      { exitCode: exitCodes.usage },
    );
  }
  const own = openDigestKey(filesOf(config).digestKey, config['capture.digestKey']);
  for (const [i, dataDir] of former.entries()) {
    journal.takeOver(filesOf({ ...config, dataDir }).journal, keys[i] === own ? 'same key' : 'another key');
  }
  return `goes on for ${former.join(', ')}`;
}
