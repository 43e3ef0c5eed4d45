/** The ledger looked up row by row, with a note of which of its rows the table still has. */
import { hashKeyInto } from '../sessionizer/key-hash.ts';
import { type BucketEntries, bucketOf, digestBits, isTakenOver, type Ledger } from '../sessionizer/ledger.ts';
import type { LedgerSight, TableRow } from './accounts.ts';

type Key = Pick<TableRow, 'rowKey' | 'createdAt'>;

/** One bucket's rows by their key: an open-addressing table of their numbers. */
class Lookup {
  readonly entries: BucketEntries;
  readonly #words: Uint32Array;
  readonly #slots: Int32Array;

  constructor(entries: BucketEntries) {
    const { keys, size } = entries;
    this.entries = entries;
    this.#words = new Uint32Array(keys.buffer, keys.byteOffset, 2 * size);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * size + 2))).fill(-1);
    for (let i = 0; i < size; i += 1) this.#slots[this.#place(this.#words[2 * i]!, null)] = i;
  }

  get bytes(): number {
    return this.entries.size * 24 + this.#slots.byteLength;
  }

  /** Numbers of the rows of that key, in the order in which they came. */
  find([low, high]: Uint32Array): number[] {
    const found: number[] = [];
    this.#place(low!, (i) => {
      if (this.#words[2 * i] === low && this.#words[2 * i + 1] === high) found.push(i);
    });
    return found;
  }

  /** Goes along the occupied slots from that of `low` on; returns the first free one. */
  #place(low: number, visit: ((i: number) => void) | null): number {
    const mask = this.#slots.length - 1;
    let at = low & mask;
    for (; this.#slots[at] !== -1; at = (at + 1) & mask) visit?.(this.#slots[at]!);
    return at;
  }
}

/** Which rows of a bucket the table has shown: those that came into the ledger later are not asked for. */
interface Seen {
  flags: Uint8Array;
  count: number;
}

/** What the ledger holds of a row, and the number of the part that it went into. */
export interface Sighting extends LedgerSight {
  partId: number;
}

/** Rows that were taken over may be of another share of the sessions, which the table is not asked for here. */
function nothingSeen(entries: BucketEntries): Seen {
  const flags = Uint8Array.from({ length: entries.size }, (_, i) => Number(isTakenOver(entries.partAt(i))));
  return { flags, count: flags.reduce((sum, flag) => sum + flag, 0) };
}

/** Of all looked-up buckets together. */
const defaultCachedBytes = 256 * 2 ** 20;

export class LedgerView {
  readonly #ledger: Ledger;
  readonly #isComparable: boolean;
  readonly #maxCachedBytes: number;
  /** In the order in which they were asked for. */
  readonly #cache = new Map<number | null, Lookup>();
  readonly #seen = new Map<number | null, Seen>();
  readonly #words = new Uint32Array(2);

  /** @param isComparable false where the ledger's digests are, or may be, of another key than ours */
  constructor(ledger: Ledger, isComparable: boolean, maxCachedBytes = defaultCachedBytes) {
    this.#maxCachedBytes = maxCachedBytes;
    this.#ledger = ledger;
    this.#isComparable = isComparable;
  }

  /** What the ledger holds of a row; notes that the table has it. */
  sightOf(row: Pick<TableRow, 'rowKey' | 'createdAt' | 'digest'>): Sighting | null {
    const bucket = bucketOf(row.createdAt);
    const { entries } = this.#lookup(bucket);
    const found = this.#mark(row);
    if (found.length === 0) return null;
    // A key that the log holds twice was let go as a duplicate once.
    const i = found.findLast((n) => entries.fateAt(n).kind !== 'released') ?? found.at(-1)!;
    return { same: this.#isSame(entries, found, row.digest), fate: entries.fateAt(i), partId: entries.partAt(i) };
  }

  #isSame({ digests }: BucketEntries, found: readonly number[], digest: string): boolean | null {
    const then = found.map((i) => digests[i]!).filter((bits) => bits !== 0n);
    return then.length === 0 || !this.#isComparable ? null : then.includes(digestBits(digest));
  }

  /** Notes that the table has these rows; those of other buckets are passed over. */
  mark(rows: readonly Key[], buckets: ReadonlySet<number | null>): void {
    for (const row of rows) if (buckets.has(bucketOf(row.createdAt))) this.#mark(row);
  }

  /** True where one of these buckets has a row of that key that the table has not shown; it has now. */
  claimElsewhere(rowKey: string, buckets: ReadonlySet<number | null>): boolean {
    for (const bucket of buckets) {
      const before = this.unseen(bucket);
      this.#markIn(bucket, rowKey);
      if (this.unseen(bucket) < before) return true;
    }
    return false;
  }

  /** Reads these buckets anew when they are asked for next. */
  refresh(buckets: Iterable<number | null>): void {
    for (const bucket of buckets) this.#cache.delete(bucket);
  }

  /** Rows of a bucket that the table has not shown. */
  unseen(bucket: number | null): number {
    const { entries } = this.#lookup(bucket);
    const seen = this.#seen.get(bucket)!;
    return Math.min(entries.size, seen.flags.length) - seen.count;
  }

  #mark(row: Key): number[] {
    return this.#markIn(bucketOf(row.createdAt), row.rowKey);
  }

  #markIn(bucket: number | null, rowKey: string): number[] {
    const lookup = this.#lookup(bucket);
    hashKeyInto(rowKey, this.#words, 0);
    const found = lookup.find(this.#words);
    const seen = this.#seen.get(bucket)!;
    for (const i of found) {
      if (i >= seen.flags.length || seen.flags[i] === 1) continue;
      seen.flags[i] = 1;
      seen.count += 1;
    }
    return found;
  }

  #lookup(bucket: number | null): Lookup {
    const cached = this.#cache.get(bucket);
    const lookup = cached ?? new Lookup(this.#ledger.entries(bucket));
    this.#cache.delete(bucket);
    this.#cache.set(bucket, lookup);
    if (cached === undefined) this.#shrink();
    if (!this.#seen.has(bucket)) this.#seen.set(bucket, nothingSeen(lookup.entries));
    return lookup;
  }

  #shrink(): void {
    let bytes = 0;
    for (const lookup of this.#cache.values()) bytes += lookup.bytes;
    for (const [bucket, lookup] of this.#cache) {
      if (bytes <= this.#maxCachedBytes || this.#cache.size === 1) return;
      bytes -= lookup.bytes;
      this.#cache.delete(bucket);
    }
  }
}
