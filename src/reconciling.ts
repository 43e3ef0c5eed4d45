/**
 * The proof that nothing was lost: the table's rows, an hour at a time, beside what ledger and dataset hold of them. It
 * reads, beside whatever runs; only a repair changes anything, through the process that captures.
 */
import { existsSync } from 'node:fs';
import { submitBackfill } from './backfilling.ts';
import type { Config } from './config.ts';
import { exitCodes, stop } from './errors.ts';
import { Releasers } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { quoteIdent } from './postgres/quote.ts';
import { type HourRange, hasTimestamps, openPageReader, type PageReader } from './postgres/row-pages.ts';
import { type BucketReport, faultsOf, totalOf } from './reconcile/accounts.ts';
import { type Delivery, openDelivery } from './reconcile/delivery.ts';
import { Examination } from './reconcile/examination.ts';
import type { Faulty, FaultyRow } from './reconcile/faulty.ts';
import { type HeldReader, openHeld } from './reconcile/held.ts';
import { LedgerView } from './reconcile/ledger-view.ts';
import { hasPassed, patienceMs, StandingReader } from './reconcile/standing.ts';
import { forgetFinished } from './reconcile/topic-file.ts';
import type { BackfillRequest, LostTrajectory, NotRebuilt } from './requests.ts';
import { createDigester, openDigestKey, type RowDigester } from './row-digest.ts';
import { type JournalReader, openJournalReader } from './sessionizer/journal-reader.ts';
import { captureSettings, filesOf, tableSettings } from './stages.ts';
import { shardCondition } from './stream/shard.ts';

export interface ReconcileOptions {
  config: Config;
  log: Logger;
  version: string;
  range: HourRange;
  /** Takes in what is missing, and sends again what is lost. */
  repair: boolean;
  drain: AbortSignal;
  abort: AbortSignal;
  onProgress: (rows: number) => void;
  /** A line for the person in front of it. */
  note: (line: string) => void;
}

export interface Reconciliation {
  /** By time, rows without one first. */
  buckets: BucketReport[];
  total: Omit<BucketReport, 'bucket'>;
  faults: number;
  /** The first rows of each fault. */
  named: FaultyRow[];
  /** Null where there was none. */
  repaired: Repaired | null;
  /** False where it was stopped before the end. */
  complete: boolean;
}

export interface Repaired {
  /** Rows that were looked at because some are missing, and those that were taken in. */
  rowsRead: number;
  rowsTaken: number;
  /** Trajectories that were sent again. */
  resent: number;
  /** Those that were lost and could not be. */
  notRebuilt: NotRebuilt[];
}

/**
 * @throws OperatorError `no_journal` where nothing was captured into this data directory, `no_time_column` where a range
 * is asked for and there is none; where table, journal or dataset can't be read.
 */
export async function reconcile(options: ReconcileOptions): Promise<Reconciliation> {
  const releasers = new Releasers();
  try {
    const parts = await openParts(options, releasers);
    refuseRange(parts.reader, options.range);
    for (const sentence of remarks(parts)) options.note(sentence);
    const first = await examine(parts, options);
    if (!options.repair || options.drain.aborted || !first.faulty.isRepairable) {
      return resultOf(first, null, options);
    }
    const repaired = await repair(first.faulty, options);
    return resultOf(await examine(parts, options), repaired, options);
  } finally {
    await releasers.unwind();
  }
}

interface Parts {
  reader: PageReader;
  journal: JournalReader;
  standing: StandingReader;
  digester: RowDigester;
  held: HeldReader;
  delivery: Delivery | null;
}

async function openParts({ config, log }: ReconcileOptions, releasers: Releasers): Promise<Parts> {
  const files = filesOf(config);
  if (!existsSync(files.journal)) throw noJournal(config.dataDir);
  const { url, shard } = captureSettings(config);
  const condition =
    shard === undefined ? {} : { condition: (table: PageReader['table']) => shardCondition(table, shard) };
  const reader = await openPageReader({ url, ...tableSettings(config), ...condition });
  releasers.push('reader', () => reader.close());
  const journal = openJournalReader(files.journal, reader.source);
  releasers.push('journal', () => journal.close());
  const standing = new StandingReader(files.journal);
  releasers.push('facts', () => standing.close());
  const digester = createDigester(openDigestKey(files.digestKey, config['capture.digestKey']));
  const held = openHeld(config);
  releasers.push('dataset', () => held.close());
  const delivery = held.sink === null ? null : openDelivery(config, held.sink, log);
  releasers.push('topics', () => delivery?.close());
  return { reader, journal, standing, digester, held, delivery };
}

function noJournal(dataDir: string) {
  return stop(
    'no_journal',
    `no journal in ${dataDir}: run it where capture runs, with the same dataDir (TC_DATA_DIR); where none ever ran, there is nothing to reconcile`,
    { exitCode: exitCodes.configuration },
  );
}

function refuseRange({ table }: PageReader, { since, until }: HourRange): void {
  if ((since === null && until === null) || hasTimestamps(table)) return;
  throw stop(
    'no_time_column',
    `${table.sql} has no time column of a timestamp type, so no range of it can be compared: leave --since and --until out, or set columns.time`,
    { exitCode: exitCodes.configuration },
  );
}

/** What limits the proof, or makes it dear. */
function remarks(parts: Parts): string[] {
  const { held, journal } = parts;
  const { table, indexed } = parts.reader;
  const { gap } = journal.ledger;
  const role = (name: 'time' | 'key') => quoteIdent(table.mapping.names[table.mapping.at[name]] ?? '');
  const concurrently = table.partitioned ? '' : 'CONCURRENTLY ';
  const create = (name: 'time' | 'key') => `CREATE INDEX ${concurrently}ON ${table.sql} (${role(name)})`;
  const noIndex = indexed.key
    ? `the time column of ${table.sql} has no index, so the table is read whole, in the order of its key: ${create('time')} makes a range of it cheap`
    : `neither the time column nor the key of ${table.sql} has an index, so each page scans the table: ${create('time')}`;
  return [
    ...(hasTimestamps(table) && !indexed.time ? [noIndex] : []),
    ...(held.sink === null
      ? [
          'no dataset can be read from here (sinks without sqlite, supabase.databaseUrl not set): what was published is not looked for',
        ]
      : []),
    ...(isComparable(parts)
      ? []
      : [
          'rows were digested with another key than capture.digestKey (or digest.key of dataDir) is now: whether they were altered is told by the dataset alone',
        ]),
    ...(gap === null
      ? []
      : [`${gap.rows} rows were taken in before the journal kept a ledger: they are known by the dataset alone`]),
  ];
}

/** The ledger keeps digests without saying by which key: those of another one, or of several, tell nothing. */
function isComparable({ journal, digester }: Parts): boolean {
  return journal.digestKeys().every((id) => id === digester.keyId);
}

async function examine(parts: Parts, options: ReconcileOptions): Promise<Examination> {
  const { journal, standing } = parts;
  const { config, range, drain, abort, onProgress } = options;
  const signal = AbortSignal.any([drain, abort]);
  const place = captureSettings(config);
  let waitMs = patienceMs;
  const examination = new Examination(
    {
      ...parts,
      view: new LedgerView(journal.ledger, isComparable(parts)),
      ledgerBuckets: () => journal.ledger.buckets(),
      gap: journal.ledger.gap,
      standing: () => standing.read(),
      hasPassed: async () => {
        const passed = await hasPassed(place, standing, { waitMs, signal });
        // Capture that does not get there is not waited for again and again.
        if (!passed) waitMs = 0;
        return passed;
      },
      visibleWithinMs: 1000,
      onProgress,
      signal,
    },
    range,
  );
  await examination.run();
  return examination;
}

async function repair(faulty: Faulty, options: ReconcileOptions): Promise<Repaired> {
  const { config, log, version, drain, abort, note } = options;
  const patience = { config, log, version, drain, abort, onProgress: () => {} };
  const ask = (request: Pick<BackfillRequest, 'since' | 'until' | 'resend'>) =>
    submitBackfill({ reason: 'repair', ...request }, patience);
  const repaired: Repaired = { rowsRead: 0, rowsTaken: 0, resent: 0, notRebuilt: [] };
  const lost = faulty.lost();
  if (lost.length > 0) {
    note(`sending again: ${lost.length} ${lost.length === 1 ? 'trajectory' : 'trajectories'}`);
    // Before they are published again: what was finished once would not be delivered.
    forgetFinished(filesOf(config).topics, idsOf(lost));
    const { notRebuilt } = await ask({ since: null, until: null, resend: lost });
    repaired.notRebuilt = notRebuilt ?? [];
    repaired.resent = notRebuilt === undefined ? 0 : lost.length - notRebuilt.length;
  }
  for (const range of faulty.ranges()) {
    note(`taking in: ${range.since === null ? 'the whole table' : `${range.since} to ${range.until}`}`);
    const { rowsRead, rowsTaken } = await ask({ ...range, resend: [] });
    repaired.rowsRead += rowsRead;
    repaired.rowsTaken += rowsTaken;
  }
  return repaired;
}

const idsOf = (lost: readonly LostTrajectory[]) => lost.map(({ trajectoryId }) => trajectoryId);

function resultOf(
  { reports, faulty }: Examination,
  repaired: Reconciliation['repaired'],
  { drain }: ReconcileOptions,
): Reconciliation {
  const buckets = [...reports.values()].sort((a, b) => (a.bucket ?? -Infinity) - (b.bucket ?? -Infinity));
  const faults = buckets.reduce((sum, bucket) => sum + faultsOf(bucket), 0);
  return { buckets, total: totalOf(buckets), faults, named: faulty.named, repaired, complete: !drain.aborted };
}
