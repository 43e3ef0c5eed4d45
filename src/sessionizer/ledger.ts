/**
 * What the journal keeps for ever of every row that it took in: 64 bits of a hash of the row key, 64 bits of the row's
 * digest, and which part it went into; and of every part what became of it. So whether a row is known is answered
 * without its text, long after that is gone.
 */
import { type Micros, microsOf, type Position, type Turn } from '../records.ts';
import { explainSqlite, type SqliteDatabase } from '../sqlite.ts';
import { readFact } from './journal-facts.ts';
import { hashKeyInto } from './key-hash.ts';
import { KnownRows, type Sighting } from './known-rows.ts';
import { bucketStored, storedBucket, timelessBuckets } from './stored-bucket.ts';

const microsPerHour = 3_600_000_000;

/** Hours from the epoch to `createdAt`, rounded down; null where there is none, or it is no finite time. */
export function bucketOf(createdAt: string | null): number | null {
  if (createdAt === null || !utcTail.test(createdAt)) return parsedBucketOf(createdAt);
  const hour = createdAt.slice(0, hourLength);
  if (hour !== lastHour.text) lastHour = { text: hour, bucket: parsedBucketOf(createdAt) };
  return lastHour.bucket;
}

/** Rows come in order of time, and every one passes here: minutes and seconds of UTC do not change the hour. */
const utcTail = /^.{13}:[0-5]\d:[0-5]\d(?:\.\d{1,6})?\+00$/;
const hourLength = 13;
let lastHour: { text: string; bucket: number | null } = { text: '', bucket: null };

function parsedBucketOf(createdAt: string | null): number | null {
  const at = createdAt === null ? null : microsOf(createdAt);
  return at === null || !Number.isFinite(at) ? null : Math.floor(at / microsPerHour);
}

/** What became of a row. */
export type Fate =
  /** In a part that is open or held. */
  | { kind: 'live' }
  /** In a trajectory; `published` says whether the topic has taken it. */
  | { kind: 'sealed'; trajectoryId: string; published: boolean }
  /** In a trajectory of a capture whose memory was taken over. */
  | { kind: 'former' }
  /** Let go with its part: `below_min_turns`, `short_at_cap`, or `duplicate` of a trajectory in the outbox. */
  | { kind: 'released'; reason: string };

/** Parts of a capture whose memory was taken over have ids below zero: see `takeover.ts`. */
export function isTakenOver(partId: number): boolean {
  return partId < 0;
}

/** Rows of journals from before there was a ledger, whose text was gone already when it was made. */
export interface LedgerGap {
  /** That many rows are missing. */
  rows: number;
  /** The last position, and the watermark, when the ledger was made: rows after them are all in it. */
  lastPosition: Position | null;
  watermark: Micros | null;
}

/** All known rows of one bucket. Numbers 0 to `size` - 1 stand for them, in the order in which they came. */
export class BucketEntries {
  readonly bucket: number | null;
  readonly size: number;
  /** As `hashKey` gives them. A key that the log holds twice stands here twice. */
  readonly keys: BigUint64Array;
  /** As `digestBits` gives them; 0 where a row was taken in without a digest. */
  readonly digests: BigUint64Array;
  readonly #parts: Float64Array;
  readonly #fateOf: (partId: number) => Fate;
  readonly #fates = new Map<number, Fate>();

  constructor(bucket: number | null, columns: Columns, fateOf: (partId: number) => Fate) {
    this.bucket = bucket;
    this.keys = columns.keys;
    this.digests = columns.digests;
    this.size = columns.keys.length;
    this.#parts = columns.parts;
    this.#fateOf = fateOf;
  }

  /** Of row `i`: the number of its part, higher for parts of a session that began later. */
  partAt(i: number): number {
    return this.#parts[i]!;
  }

  /** Of row `i`. Rows of one part share the object. */
  fateAt(i: number): Fate {
    const partId = this.#parts[i]!;
    let fate = this.#fates.get(partId);
    if (fate === undefined) {
      fate = this.#fateOf(partId);
      this.#fates.set(partId, fate);
    }
    return fate;
  }
}

/** A row that is looked up; without a digest by its key alone. */
export type Sought = Pick<Turn, 'rowKey' | 'createdAt' | 'digest'>;

function wordsOfDigest(digest: string | undefined): { low: number; high: number } {
  if (digest === undefined) return noDigest;
  const bits = digestBits(digest);
  return { low: Number(bits & 0xffff_ffffn), high: Number(bits >> 32n) };
}

const noDigest = { low: 0, high: 0 };

/** The 64 bits of a digest (`KEYID:DIGEST`) that the ledger keeps. */
export function digestBits(digest: string): bigint {
  const bits = digest.indexOf(':') + 1;
  return Buffer.from(digest.slice(bits, bits + 11), 'base64url').readBigUInt64LE();
}

interface Columns {
  keys: BigUint64Array;
  digests: BigUint64Array;
  parts: Float64Array;
}

interface LedgerRow {
  id: number;
  lowestPart: number;
  keys: Buffer;
  digests: Buffer | null;
  parts: Buffer;
}

/** Of all cached buckets together. Beyond it those that were not asked for longest go, but never the last one. */
const defaultCachedBytes = 64 * 1024 * 1024;

export class Ledger {
  readonly #db: SqliteDatabase;
  readonly #path: string;
  #prepared: ReturnType<typeof prepareAll> | null = null;
  /** By stored bucket, in the order in which they were asked for. */
  readonly #cache = new Map<number, KnownRows>();
  readonly #maxCachedBytes: number;
  #disownedParts: { version: number; ids: ReadonlySet<number> } | null = null;

  constructor(db: SqliteDatabase, path: string, maxCachedBytes = defaultCachedBytes) {
    this.#db = db;
    this.#path = path;
    this.#maxCachedBytes = maxCachedBytes;
  }

  /** Null where the ledger holds every row that the journal ever took in. */
  get gap(): LedgerGap | null {
    return this.#guard(() => readFact<LedgerGap>(this.#db, 'ledger_gap'));
  }

  /** Whether each of these rows was ever taken in and not disowned since. */
  knows(turns: readonly Pick<Turn, 'rowKey' | 'createdAt'>[]): boolean[] {
    return this.sightings(turns).map((sighting) => sighting !== 'unknown');
  }

  /**
   * Whether each of these rows was ever taken in and not disowned since, and with this digest: `known` also where there is
   * no digest to compare, here or in an entry of its key. Cheap where rows come in order of time: buckets that were asked
   * for are kept, up to 64 MiB.
   */
  sightings(turns: readonly Sought[]): Sighting[] {
    const keys = new Uint32Array(2 * turns.length);
    const byBucket = new Map<number, number[]>();
    for (const [i, { rowKey, createdAt }] of turns.entries()) {
      hashKeyInto(rowKey, keys, 2 * i);
      const bucket = storedBucket(bucketOf(createdAt), keys[2 * i + 1]!);
      const those = byBucket.get(bucket);
      if (those === undefined) byBucket.set(bucket, [i]);
      else those.push(i);
    }
    const sightings: Sighting[] = new Array(turns.length);
    for (const bucket of this.#cachedFirst(byBucket.keys())) {
      const known = this.#guard(() => this.#refreshed(bucket));
      for (const i of byBucket.get(bucket)!) {
        const { low, high } = wordsOfDigest(turns[i]!.digest);
        sightings[i] = known.sight(keys[2 * i]!, keys[2 * i + 1]!, low, high);
      }
      this.#shrink();
    }
    return sightings;
  }

  /** Those that hold rows, in ascending order, null first. */
  buckets(): (number | null)[] {
    const stored = this.#guard(() => this.#sql.buckets.all() as number[]);
    return [...new Set(stored.map(bucketStored))];
  }

  entries(bucket: number | null): BucketEntries {
    const columns = this.#guard(() => this.#columnsOf(bucket));
    return new BucketEntries(bucket, columns, (partId) => this.#guard(() => this.#fateOf(partId)));
  }

  /** To be called when rows were taken out. */
  forgetCache(): void {
    this.#cache.clear();
    this.#disownedParts = null;
  }

  /** Not before it is needed: who reads a journal of before there was a ledger may want other things of it. */
  get #sql(): ReturnType<typeof prepareAll> {
    this.#prepared ??= prepareAll(this.#db);
    return this.#prepared;
  }

  /** Else a call for more buckets than the cache holds would push each out before its turn comes. */
  #cachedFirst(buckets: Iterable<number>): number[] {
    const all = [...buckets];
    const isCached = (bucket: number) => this.#cache.has(bucket);
    return [...all.filter(isCached), ...all.filter((bucket) => !isCached(bucket))];
  }

  /** Takes in what came since the bucket was last looked at. */
  #refreshed(bucket: number): KnownRows {
    const known = this.#cache.get(bucket) ?? new KnownRows();
    this.#cache.delete(bucket);
    this.#cache.set(bucket, known);
    const disowned = this.#disowned();
    for (const row of this.#rowsOf(bucket, known.upTo)) {
      const keys = wordsOf(row.keys);
      const digests = row.digests === null ? null : wordsOf(row.digests);
      for (const [i, part] of wordsOf(row.parts).entries()) {
        if (disowned.has(row.lowestPart + part)) continue;
        known.add(keys[2 * i]!, keys[2 * i + 1]!, digests?.[2 * i] ?? 0, digests?.[2 * i + 1] ?? 0);
      }
      known.upTo = row.id;
    }
    return known;
  }

  #shrink(): void {
    let bytes = 0;
    for (const known of this.#cache.values()) bytes += known.bytes;
    for (const [bucket, known] of this.#cache) {
      // The next batch asks for the last one again: without it each would read the whole of a large bucket.
      if (bytes <= this.#maxCachedBytes || this.#cache.size === 1) return;
      bytes -= known.bytes;
      this.#cache.delete(bucket);
    }
  }

  #columnsOf(bucket: number | null): Columns {
    const rows = [...this.#rowsOf(bucket, 0)];
    const size = rows.reduce((sum, { keys }) => sum + keys.length / 8, 0);
    const all = { keys: new BigUint64Array(size), digests: new BigUint64Array(size), parts: new Float64Array(size) };
    const disowned = this.#disowned();
    let at = 0;
    for (const { lowestPart, keys, digests, parts } of rows) {
      for (const [i, part] of wordsOf(parts).entries()) {
        if (disowned.has(lowestPart + part)) continue;
        all.keys[at] = keys.readBigUInt64LE(8 * i);
        all.digests[at] = digests?.readBigUInt64LE(8 * i) ?? 0n;
        all.parts[at] = lowestPart + part;
        at += 1;
      }
    }
    return { keys: all.keys.subarray(0, at), digests: all.digests.subarray(0, at), parts: all.parts.subarray(0, at) };
  }

  #rowsOf(bucket: number | null, after: number): IterableIterator<LedgerRow> {
    const { rows, timeless } = this.#sql;
    const found = bucket === null ? timeless.iterate(...timelessBuckets) : rows.iterate(bucket, after);
    return found as IterableIterator<LedgerRow>;
  }

  #disowned(): ReadonlySet<number> {
    // Changes when another process has written; a takeover of this one clears it.
    const version = this.#db.pragma('data_version', { simple: true }) as number;
    if (this.#disownedParts?.version !== version) {
      this.#disownedParts = { version, ids: new Set(this.#sql.disowned.all() as number[]) };
    }
    return this.#disownedParts.ids;
  }

  #fateOf(partId: number): Fate {
    const row = this.#sql.fate.get(partId) as FateRow | undefined;
    if (row === undefined) return { kind: 'live' };
    if (row.trajectoryId === null) return { kind: 'released', reason: row.reason ?? '' };
    if (isTakenOver(partId)) return { kind: 'former' };
    // What is no longer in the outbox was published and finished.
    return { kind: 'sealed', trajectoryId: row.trajectoryId.toString('hex'), published: row.published !== 0 };
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw explainSqlite(error, 'journal', this.#path);
    }
  }
}

interface FateRow {
  trajectoryId: Buffer | null;
  reason: string | null;
  published: number | null;
}

/** Numbers are little-endian in the file. A copy: views must begin at a multiple of four. */
function wordsOf(blob: Buffer): Uint32Array {
  const words = new Uint32Array(blob.length / 4);
  new Uint8Array(words.buffer).set(blob);
  return words;
}

function prepareAll(db: SqliteDatabase) {
  const columns = 'SELECT id, lowest_part AS lowestPart, keys, digests, parts FROM ledger';
  return {
    rows: db.prepare(`${columns} WHERE bucket = ? AND id > ? ORDER BY id`),
    timeless: db.prepare(`${columns} WHERE bucket BETWEEN ? AND ? ORDER BY id`),
    // A loose scan of the index, by hand: SQLite has none for DISTINCT.
    buckets: db
      .prepare(
        `WITH RECURSIVE held(bucket) AS (
           SELECT min(bucket) FROM ledger
           UNION ALL
           SELECT (SELECT min(bucket) FROM ledger WHERE bucket > held.bucket) FROM held WHERE held.bucket IS NOT NULL
         )
         SELECT bucket FROM held WHERE bucket IS NOT NULL`,
      )
      .pluck(),
    disowned: db.prepare(`SELECT part_id FROM receipts WHERE reason = 'disowned'`).pluck(),
    fate: db.prepare(
      `SELECT receipts.trajectory_id AS trajectoryId, reason, published FROM receipts
       LEFT JOIN sealed ON sealed.trajectory_id = lower(hex(receipts.trajectory_id)) AND sealed.part_id = receipts.part_id
       WHERE receipts.part_id = ?`,
    ),
  };
}
