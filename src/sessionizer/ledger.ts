/**
 * What the journal keeps for ever of every row that it took in: 64 bits of a hash of the row key, 64 bits of the row's
 * digest, and which part it went into; and of every part what became of it. So whether a row is known is answered
 * without its text, long after that is gone.
 */
import { type Micros, microsOf, type Position, type Turn } from '../records.ts';
import { explainSqlite, type SqliteDatabase } from '../sqlite.ts';
import { readFact } from './journal-facts.ts';
import { hashKeyInto } from './key-hash.ts';
import { KeySet } from './key-set.ts';

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
  /** Let go with its part: `below_min_turns`, `short_at_cap`, or `duplicate` of a trajectory in the outbox. */
  | { kind: 'released'; reason: string };

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

interface KnownBucket {
  keys: KeySet;
  /** The last row of the table that is in `keys`. */
  upTo: number;
}

/** Of all cached buckets together. Beyond it those that were not asked for longest go. */
const maxCachedBytes = 64 * 1024 * 1024;

export class Ledger {
  readonly #db: SqliteDatabase;
  readonly #path: string;
  #prepared: ReturnType<typeof prepareAll> | null = null;
  /** In the order in which they were asked for. */
  readonly #cache = new Map<number | null, KnownBucket>();
  #disownedParts: { version: number; ids: ReadonlySet<number> } | null = null;

  constructor(db: SqliteDatabase, path: string) {
    this.#db = db;
    this.#path = path;
  }

  /** Null where the ledger holds every row that the journal ever took in. */
  get gap(): LedgerGap | null {
    return this.#guard(() => readFact<LedgerGap>(this.#db, 'ledger_gap'));
  }

  /**
   * Whether each of these rows was ever taken in and not disowned since. Cheap where they come in order of time: buckets
   * that were asked for are kept, up to 64 MiB.
   */
  knows(turns: readonly Pick<Turn, 'rowKey' | 'createdAt'>[]): boolean[] {
    const buckets = turns.map(({ createdAt }) => bucketOf(createdAt));
    for (const bucket of new Set(buckets)) this.#guard(() => this.#refresh(bucket));
    const words = new Uint32Array(2);
    const known = turns.map(({ rowKey }, i) => {
      hashKeyInto(rowKey, words, 0);
      return this.#cache.get(buckets[i]!)!.keys.has(words[0]!, words[1]!);
    });
    this.#shrink();
    return known;
  }

  /** Those that hold rows, in ascending order, null first. */
  buckets(): (number | null)[] {
    return this.#guard(() => this.#sql.buckets.all() as (number | null)[]);
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

  /** Takes in what came since the bucket was last looked at. */
  #refresh(bucket: number | null): void {
    const known = this.#cache.get(bucket) ?? { keys: new KeySet(), upTo: 0 };
    this.#cache.delete(bucket);
    this.#cache.set(bucket, known);
    const disowned = this.#disowned();
    for (const row of this.#rowsOf(bucket, known.upTo)) {
      const words = wordsOf(row.keys);
      const parts = wordsOf(row.parts);
      for (const [i, part] of parts.entries()) {
        if (!disowned.has(row.lowestPart + part)) known.keys.add(words[2 * i]!, words[2 * i + 1]!);
      }
      known.upTo = row.id;
    }
  }

  #shrink(): void {
    let bytes = 0;
    for (const { keys } of this.#cache.values()) bytes += keys.bytes;
    for (const [bucket, { keys }] of this.#cache) {
      if (bytes <= maxCachedBytes) return;
      bytes -= keys.bytes;
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
    return this.#sql.rows.iterate(bucket, after) as IterableIterator<LedgerRow>;
  }

  #disowned(): ReadonlySet<number> {
    // Changes when another process has written; what this one disowns clears it.
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

/** Returns how many rows were in the parts that became these trajectories; those in the outbox are left as they are. */
export function disownParts(db: SqliteDatabase, trajectoryIds: readonly string[]): number {
  const ids = JSON.stringify(trajectoryIds);
  // A look at every receipt: this is rare, and an index would cost every part 32 bytes.
  const sql = `UPDATE receipts SET trajectory_id = NULL, reason = 'disowned'
    WHERE trajectory_id IN (SELECT unhex(value) FROM json_each(?))
      AND lower(hex(trajectory_id)) NOT IN (SELECT trajectory_id FROM sealed) RETURNING turns`;
  const turns = db.prepare(sql).pluck().all(ids) as number[];
  return turns.reduce((sum, n) => sum + n, 0);
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
  return {
    rows: db.prepare(
      'SELECT id, lowest_part AS lowestPart, keys, digests, parts FROM ledger WHERE bucket IS ? AND id > ? ORDER BY id',
    ),
    // A loose scan of the index, by hand: SQLite has none for DISTINCT.
    buckets: db
      .prepare(
        `WITH RECURSIVE held(bucket) AS (
           SELECT min(bucket) FROM ledger
           UNION ALL
           SELECT (SELECT min(bucket) FROM ledger WHERE bucket > held.bucket) FROM held WHERE held.bucket IS NOT NULL
         )
         SELECT NULL WHERE EXISTS (SELECT 1 FROM ledger WHERE bucket IS NULL)
         UNION ALL SELECT * FROM (SELECT bucket FROM held WHERE bucket IS NOT NULL)`,
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
