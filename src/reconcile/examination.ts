/**
 * One reading of the table beside ledger and dataset. The table is read first and what is known of its rows afterwards,
 * so a row that is not known either is on its way here or has been lost; which of the two shows once capture has passed
 * what was there at the reading. In the same way everything else is looked for down the way that it takes.
 */
import { pause } from '../lifecycle.ts';
import type { HourRange, PageReader } from '../postgres/row-pages.ts';
import { type Micros, microsOf } from '../records.ts';
import type { RowDigester } from '../row-digest.ts';
import type { LedgerGap } from '../sessionizer/ledger.ts';
import {
  accountFor,
  type BucketReport,
  emptyReport,
  isCompared,
  isFault,
  judge,
  type RowClass,
  reclassify,
  type Sight,
  settle,
} from './accounts.ts';
import type { Delivery } from './delivery.ts';
import { Faulty } from './faulty.ts';
import type { HeldReader } from './held.ts';
import type { LedgerView } from './ledger-view.ts';
import { type FoundRow, readPage } from './rows.ts';
import type { Standing } from './standing.ts';

export interface ExaminationParts {
  reader: PageReader;
  digester: RowDigester;
  view: LedgerView;
  held: HeldReader;
  /** Null where no dataset can be read, so that nothing is known to be due there. */
  delivery: Delivery | null;
  /** Hours in which the ledger has rows. */
  ledgerBuckets(): (number | null)[];
  gap: LedgerGap | null;
  standing(): Standing;
  /** Whether capture has been handed everything that is visible now. */
  hasPassed(): Promise<boolean>;
  /** How long a commit that is streamed may take to be seen. */
  visibleWithinMs: number;
  onProgress(rows: number): void;
  signal: AbortSignal;
}

interface Settled {
  class: RowClass;
  reason?: string;
  /** Of a row that is lost. */
  trajectoryId?: string;
}

/** Rows that are waited for at once. */
const maxSuspects = 20_000;
/** Keys in one question to the dataset. */
const keysAtOnce = 5000;

export class Examination {
  readonly reports = new Map<number | null, BucketReport>();
  readonly faulty = new Faulty();
  readonly #parts: ExaminationParts;
  readonly #range: HourRange;
  #suspects: FoundRow[] = [];
  /** Rows that are known nowhere and their class, as long as they are few: they may be known under another time. */
  #unknown: { row: FoundRow; rowClass: RowClass }[] = [];
  #rows = 0;
  /** Of each hour the earliest time of a row that was taken in. */
  readonly #earliestKnown = new Map<number | null, Micros>();

  constructor(parts: ExaminationParts, range: HourRange) {
    this.#parts = parts;
    this.#range = range;
  }

  async run(): Promise<void> {
    const { reader, signal } = this.#parts;
    for await (const rows of reader.pages(this.#range, signal)) {
      await this.#examine(rows);
      if (this.#suspects.length >= maxSuspects) await this.#lookInto(this.#suspects.splice(0));
      this.#rows += rows.length;
      this.#parts.onProgress(this.#rows);
    }
    await this.#lookInto(this.#suspects.splice(0));
    const keyless = await reader.countWithoutKey(this.#range);
    for (let n = 0; n < keyless; n += 1) this.#settleNoTurn({ bucket: null, reason: 'no_key' });
    if (!signal.aborted) await this.#findGone();
  }

  async #examine(rows: Parameters<typeof readPage>[0]): Promise<void> {
    const { reader, digester } = this.#parts;
    const { found, noTurns } = readPage(rows, reader.table.mapping, digester);
    for (const noTurn of noTurns) this.#settleNoTurn(noTurn);
    const sightOf = await this.#look(found);
    for (const [bucket, some] of byBucket(found)) {
      const suspects = accountFor(this.#reportOf(bucket), some, sightOf, (row, rowClass) => this.#note(rowClass, row));
      this.#suspects.push(...suspects);
    }
  }

  #settleNoTurn({ bucket, reason }: { bucket: number | null; reason: RowClass }): void {
    const report = this.#reportOf(bucket);
    report.rows += 1;
    settle(report, reason);
  }

  /** What ledger and dataset hold of rows that were read before. */
  async #look(rows: readonly FoundRow[]): Promise<(row: FoundRow) => Sight> {
    const { view, held, reader } = this.#parts;
    const sights = new Map<string, Sight>();
    for (const row of rows) sights.set(row.rowKey, { ledger: view.sightOf(row), held: [] });
    for (let at = 0; at < rows.length; at += keysAtOnce) {
      const keys = rows.slice(at, at + keysAtOnce).map(({ rowKey }) => rowKey);
      for (const [rowKey, found] of await held.rowsHeld(reader.source, keys)) sights.get(rowKey)!.held = found;
    }
    for (const row of rows) if (sights.get(row.rowKey)!.ledger !== null) this.#noteKnown(row);
    return (row) => sights.get(row.rowKey)!;
  }

  #noteKnown({ createdAt, bucket }: FoundRow): void {
    const at = createdAt === null ? null : microsOf(createdAt);
    if (at !== null && at < this.#earliestIn(bucket)) this.#earliestKnown.set(bucket, at);
  }

  #earliestIn(bucket: number | null): Micros {
    return this.#earliestKnown.get(bucket) ?? Number.POSITIVE_INFINITY;
  }

  async #lookInto(suspects: readonly FoundRow[]): Promise<void> {
    const due = (await this.#judgeAnew(suspects)).filter((row) => !this.#isUnread(row));
    if (due.length === 0) return;
    const passed = await this.#parts.hasPassed();
    for (const row of await this.#judgeAnew(due)) this.#settleUnknown(row, this.#classOfUnknown(row, passed));
  }

  /** By what ledger and dataset hold now. Returns the rows that are known to neither. */
  async #judgeAnew(rows: readonly FoundRow[]): Promise<FoundRow[]> {
    if (rows.length === 0) return [];
    this.#parts.view.refresh(new Set(rows.map(({ bucket }) => bucket)));
    const sightOf = await this.#look(rows);
    const unknown: FoundRow[] = [];
    const undelivered = new Map<FoundRow, string>();
    for (const row of rows) {
      const judgement = judge(row, sightOf(row));
      if ('class' in judgement) this.#settle(row, judgement, sightOf(row));
      else if (judgement.suspect === 'undelivered') undelivered.set(row, judgement.trajectoryId);
      else unknown.push(row);
    }
    await this.#follow(undelivered);
    return unknown;
  }

  /** Along the topics, then in the dataset once more: what is in neither by then is lost. */
  async #follow(undelivered: ReadonlyMap<FoundRow, string>): Promise<void> {
    if (undelivered.size === 0) return;
    const { delivery } = this.#parts;
    const found = await delivery?.find([...new Set(undelivered.values())]);
    const sightOf = await this.#look([...undelivered.keys()]);
    for (const [row, trajectoryId] of undelivered) {
      const sight = sightOf(row);
      const judgement = judge(row, sight);
      const place = delivery === null ? 'published' : (found?.get(trajectoryId) ?? 'lost');
      this.#settle(row, 'class' in judgement ? judgement : { class: place, trajectoryId }, sight);
    }
  }

  /**
   * A row from before capture began, where history was not asked for. Of an hour of which rows were taken in all the same,
   * as by a backfill, only those before them.
   */
  #isUnread(row: FoundRow): boolean {
    const { history, began, firstBucket } = this.#parts.standing();
    const at = row.createdAt === null ? null : microsOf(row.createdAt);
    if (history !== 'none' || at === null || at >= this.#earliestIn(row.bucket)) return false;
    const isBefore = began === null ? row.bucket! <= (firstBucket ?? Number.POSITIVE_INFINITY) : at < began;
    if (isBefore) this.#settleUnknown(row, 'unread');
    return isBefore;
  }

  #classOfUnknown({ createdAt }: FoundRow, passed: boolean): RowClass {
    const { gap } = this.#parts;
    const at = createdAt === null ? null : microsOf(createdAt);
    if (gap !== null && at !== null && at <= (gap.watermark ?? 0)) return 'before_ledger';
    return passed ? 'missing' : 'behind';
  }

  #settleUnknown(row: FoundRow, rowClass: RowClass): void {
    settle(this.#reportOf(row.bucket), rowClass);
    if (this.#unknown.length < maxSuspects) this.#unknown.push({ row, rowClass });
    else this.#note(rowClass, row);
  }

  #settle(row: FoundRow, { class: rowClass, reason, trajectoryId }: Settled, sight: Sight): void {
    const report = this.#reportOf(row.bucket);
    settle(report, rowClass, reason);
    if (!isCompared(row, sight)) report.notCompared += 1;
    this.#note(rowClass, row, trajectoryId);
  }

  #note(rowClass: RowClass, row: FoundRow, trajectoryId?: string): void {
    if (isFault(rowClass)) this.faulty.add(rowClass, row, trajectoryId);
  }

  #reportOf(bucket: number | null): BucketReport {
    const report = this.reports.get(bucket) ?? emptyReport(bucket);
    this.reports.set(bucket, report);
    return report;
  }

  /** Rows of the ledger that the table did not show: looked for again, since it was read before the ledger was. */
  async #findGone(): Promise<void> {
    const { reader, visibleWithinMs, signal } = this.#parts;
    let suspected = this.#unseen();
    for (let attempt = 0; suspected.size > 0 && attempt < 2; attempt += 1) {
      // A commit is streamed a moment before it can be seen.
      if (attempt > 0) await pause(visibleWithinMs, signal);
      await this.#lookForKeys(suspected);
      suspected = this.#unseen();
    }
    this.#reclaim(suspected);
    suspected = this.#unseen();
    if (suspected.size === 0) return;
    const oldest = await reader.oldestHour();
    for (const bucket of suspected) {
      const report = this.#reportOf(bucket);
      const isPruned = bucket !== null && (oldest === null || bucket <= oldest);
      report[isPruned ? 'pruned' : 'gone'] = this.#parts.view.unseen(bucket);
    }
  }

  #unseen(): Set<number | null> {
    const { since, until } = this.#range;
    const isInRange = (bucket: number | null) =>
      (since === null && until === null) ||
      (bucket !== null && bucket >= (since ?? bucket) && bucket < (until ?? bucket + 1));
    const { view, ledgerBuckets } = this.#parts;
    return new Set(ledgerBuckets().filter((bucket) => isInRange(bucket) && view.unseen(bucket) > 0));
  }

  async #lookForKeys(buckets: ReadonlySet<number | null>): Promise<void> {
    const { reader, view, signal } = this.#parts;
    for (const range of spansOf(buckets, reader.order === 'time', this.#range)) {
      for await (const keys of reader.keys(range, signal)) view.mark(keys, buckets);
    }
  }

  /** A row whose time was changed is unknown in one hour, and gone in another. */
  #reclaim(buckets: ReadonlySet<number | null>): void {
    for (const { row, rowClass } of this.#unknown.splice(0)) {
      const moved = this.#parts.view.claimElsewhere(row.rowKey, buckets);
      if (moved) reclassify(this.#reportOf(row.bucket), rowClass, 'altered');
      this.#note(moved ? 'altered' : rowClass, row);
    }
  }
}

function byBucket(rows: readonly FoundRow[]): Map<number | null, FoundRow[]> {
  const buckets = new Map<number | null, FoundRow[]>();
  for (const row of rows) {
    const some = buckets.get(row.bucket);
    if (some === undefined) buckets.set(row.bucket, [row]);
    else some.push(row);
  }
  return buckets;
}

/** Hours that are next to each other in one range; without an index on the time one reading serves for all. */
export function spansOf(buckets: ReadonlySet<number | null>, byTime: boolean, within: HourRange): HourRange[] {
  if (!byTime || buckets.has(null)) return [within];
  const hours = [...(buckets as ReadonlySet<number>)].sort((a, b) => a - b);
  const spans: { since: number; until: number }[] = [];
  for (const hour of hours) {
    const span = spans.at(-1);
    if (span?.until === hour) span.until = hour + 1;
    else spans.push({ since: hour, until: hour + 1 });
  }
  return spans;
}
