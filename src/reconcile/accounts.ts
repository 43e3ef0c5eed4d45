/**
 * What became of each row of the table, by what the ledger and the dataset hold of it. Pure: whoever calls has read all
 * three. Every row of the table is in exactly one class, so the classes of an hour add up to its rows.
 */

import type { HeldRow } from '../dataset-tables.ts';
import type { Fate } from '../sessionizer/ledger.ts';

/** Classes in which a row is where it should be, or has not been due yet. */
export const accountedClasses = [
  /** In one trajectory of the dataset. */
  'dataset',
  /** In a part that may still grow, held ones among them. */
  'open',
  /** Sealed, and in the outbox or on a topic. */
  'on_the_way',
  /** Among the dead letters, for a person to look at. */
  'parked',
  /** Sealed and published, where the dataset can't be read from here. */
  'published',
  /** In a trajectory of a capture whose sessions this one took over: its dataset may be another. */
  'former',
  /** Let go with a part that was too short. */
  'let_go',
  /** By `capture.exclude`. */
  'excluded',
  'no_session',
  'no_key',
  /** Committed behind what capture has stored. */
  'behind',
  /** From before capture began, and never asked for. */
  'unread',
  /** From before the journal kept a ledger, and not in the dataset. */
  'before_ledger',
] as const;

/** Classes in which a row is not where it should be. */
export const faultClasses = [
  /** Before what capture has stored, and known nowhere. */
  'missing',
  /** Not as it was taken in. */
  'altered',
  /** In several trajectories of the dataset. */
  'doubled',
  /** Sealed and published, and neither in the dataset nor on its way there. */
  'lost',
] as const;

export type AccountedClass = (typeof accountedClasses)[number];
export type FaultClass = (typeof faultClasses)[number];
export type RowClass = AccountedClass | FaultClass;

export function isFault(rowClass: RowClass): rowClass is FaultClass {
  return (faultClasses as readonly RowClass[]).includes(rowClass);
}

export interface TableRow {
  rowKey: string;
  /** The time column's text. */
  createdAt: string | null;
  /** `KEYID:DIGEST` of the row as the table has it now. */
  digest: string;
  /** A rule of the settings leaves it out; where it was taken in before the rule, it is where it is. */
  excluded: boolean;
}

/** What the ledger holds of a row. */
export interface LedgerSight {
  /** Whether the row reads as it did when it was taken in; null where there is nothing to compare. */
  same: boolean | null;
  fate: Fate;
}

export interface Sight {
  ledger: LedgerSight | null;
  held: readonly HeldRow[];
}

/** A class, or what has to be looked into before there is one. */
export type Judgement =
  | { class: RowClass; reason?: string }
  | { suspect: 'unknown' }
  | { suspect: 'undelivered'; trajectoryId: string };

export function judge(row: Pick<TableRow, 'digest' | 'excluded'>, { ledger, held }: Sight): Judgement {
  const trajectories = new Set(held.map(({ trajectoryId }) => trajectoryId));
  if (trajectories.size > 1) return { class: 'doubled' };
  if (isUnchanged(row, { ledger, held }) === false) return { class: 'altered' };
  if (trajectories.size === 1) return { class: 'dataset' };
  if (ledger !== null) return judgeFate(ledger.fate);
  return row.excluded ? { class: 'excluded' } : { suspect: 'unknown' };
}

function judgeFate(fate: Fate): Judgement {
  if (fate.kind === 'live') return { class: 'open' };
  if (fate.kind === 'former') return { class: 'former' };
  if (fate.kind === 'released') return { class: 'let_go', reason: fate.reason };
  if (!fate.published) return { class: 'on_the_way' };
  return { suspect: 'undelivered', trajectoryId: fate.trajectoryId };
}

/**
 * Whether a row reads as it did; null where nothing says so. The dataset's digests name their key and the ledger's do not:
 * where the dataset has one of another key, the ledger's is of that key too.
 */
export function isUnchanged({ digest }: Pick<TableRow, 'digest'>, { ledger, held }: Sight): boolean | null {
  const kept = held.flatMap((row) => row.digest ?? []);
  const comparable = kept.filter((then) => keyOf(then) === keyOf(digest));
  if (comparable.length > 0) return comparable.every((then) => then === digest);
  return kept.length > 0 ? null : (ledger?.same ?? null);
}

const keyOf = (digest: string) => digest.slice(0, digest.indexOf(':'));

/** One hour of the time column. */
export interface BucketReport {
  /** Hours since the Unix epoch; null for rows without a usable time. */
  bucket: number | null;
  /** In the table. */
  rows: number;
  classes: Partial<Record<RowClass, number>>;
  /** Why rows were let go, and how many. */
  reasons: Record<string, number>;
  /** Rows whose digest is of another key, or that have none: their presence is shown, not that they are unchanged. */
  notCompared: number;
  /** Taken in, and no longer in the table: deleted there. */
  gone: number;
  /** The same, where the hour is not after the oldest row of the table: retention has most likely removed them. */
  pruned: number;
}

export function emptyReport(bucket: number | null): BucketReport {
  return { bucket, rows: 0, classes: {}, reasons: {}, notCompared: 0, gone: 0, pruned: 0 };
}

/**
 * Adds rows of one hour to its report. Returns those that have to be looked into; they are in `rows`, and in no class
 * until {@link settle} is called for each.
 *
 * @param onClass told of the others
 */
export function accountFor<R extends TableRow>(
  report: BucketReport,
  rows: readonly R[],
  sightOf: (row: R) => Sight,
  onClass: (row: R, rowClass: RowClass) => void = () => {},
): R[] {
  const suspects: R[] = [];
  for (const row of rows) {
    const sight = sightOf(row);
    const judgement = judge(row, sight);
    report.rows += 1;
    if ('class' in judgement) {
      settle(report, judgement.class, judgement.reason);
      if (!isCompared(row, sight)) report.notCompared += 1;
      onClass(row, judgement.class);
    } else {
      suspects.push(row);
    }
  }
  return suspects;
}

/** False for a row that is known, and of which no digest of the same key is. */
export function isCompared(row: Pick<TableRow, 'digest'>, sight: Sight): boolean {
  const isKnown = sight.ledger !== null || sight.held.length > 0;
  return !isKnown || isUnchanged(row, sight) !== null;
}

/** Puts a row that is in `rows` into its class. */
export function settle(report: BucketReport, rowClass: RowClass, reason?: string): void {
  report.classes[rowClass] = (report.classes[rowClass] ?? 0) + 1;
  if (reason !== undefined) report.reasons[reason] = (report.reasons[reason] ?? 0) + 1;
}

export function reclassify(report: BucketReport, from: RowClass, to: RowClass): void {
  report.classes[from] = report.classes[from]! - 1;
  settle(report, to);
}

export function faultsOf({ classes, gone }: BucketReport): number {
  return faultClasses.reduce((sum, name) => sum + (classes[name] ?? 0), gone);
}

/** Every class but the one that all rows end up in. */
export function differs(report: BucketReport): boolean {
  const { classes, rows, gone, pruned } = report;
  return gone > 0 || pruned > 0 || (classes.dataset ?? 0) < rows;
}

export function totalOf(reports: Iterable<BucketReport>): Omit<BucketReport, 'bucket'> {
  const total = emptyReport(null);
  for (const { rows, classes, reasons, notCompared, gone, pruned } of reports) {
    total.rows += rows;
    total.notCompared += notCompared;
    total.gone += gone;
    total.pruned += pruned;
    addAll(total.classes, classes);
    addAll(total.reasons, reasons);
  }
  const { bucket: _, ...rest } = total;
  return rest;
}

function addAll<K extends string>(to: Partial<Record<K, number>>, from: Partial<Record<K, number>>): void {
  for (const [name, n] of Object.entries(from) as [K, number][]) to[name] = (to[name] ?? 0) + n;
}
