/** Enters rows and what became of them into the ledger. Runs inside the journal's transaction. */
import type { Turn } from '../records.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { hashKeyInto } from './key-hash.ts';
import { bucketOf } from './ledger.ts';
import type { ReleaseReason } from './part.ts';
import { storedBucket } from './stored-bucket.ts';

/** Rows in one row of the table: several of these fill a page of 16 KiB. */
const rowsAtOnce = 128;
/** Beyond this two parts do not share a row of the table: the difference of their ids has 32 bits. */
const idSpan = 0xffff_ffff;
/** A key and the number of its part. */
const bytesPerRow = 12;
const bytesPerDigest = 8;
/** Around the rows that share a row of the table, and of its index: with a slow log each has its own. */
const bytesPerEntry = 32;
const bytesPerReceipt = 48;
/** Around the id of a session that had a part end. */
const bytesPerSession = 12;

/** 64 of the digest's 128 bits in base64url. */
const digestCharacters = 11;

export type Ending =
  | { kind: 'sealed'; trajectoryId: string }
  | { kind: 'released'; reason: ReleaseReason | 'duplicate' };

/** Rows of one bucket that are not written yet. */
interface Entries {
  keys: Uint32Array;
  digests: Buffer;
  /** Their ids; in the file they are counted from the lowest, so that four bytes are enough. */
  parts: number[];
  hasDigests: boolean;
}

export class LedgerWriter {
  readonly #sql: ReturnType<typeof prepareAll>;
  /** The rows of this transaction, by bucket. */
  readonly #entries = new Map<number, Entries>();
  /** Empty ones, to be used again. */
  readonly #spare: Entries[] = [];
  readonly #hash = new Uint32Array(2);
  #bytes = 0;
  #rows = 0;

  constructor(db: SqliteDatabase) {
    this.#sql = prepareAll(db);
  }

  /** Forgets what a transaction that failed had left. */
  begin(): void {
    this.#entries.clear();
    this.#bytes = 0;
    this.#rows = 0;
  }

  /** @param digest as `RowDigester` gives it; undefined where there is none */
  add({ rowKey, createdAt }: Pick<Turn, 'rowKey' | 'createdAt'>, partId: number, digest: string | undefined): void {
    hashKeyInto(rowKey, this.#hash, 0);
    const bucket = storedBucket(bucketOf(createdAt), this.#hash[1]!);
    let entries = this.#entries.get(bucket);
    if (entries === undefined) {
      entries = this.#spare.pop() ?? noEntries();
      this.#entries.set(bucket, entries);
    } else if (entries.parts.length === rowsAtOnce || Math.abs(partId - entries.parts[0]!) > idSpan / 2) {
      this.#insert(bucket, entries);
    }
    const at = entries.parts.length;
    entries.keys.set(this.#hash, 2 * at);
    if (digest !== undefined) {
      const bits = digest.indexOf(':') + 1;
      entries.digests.write(digest.slice(bits, bits + digestCharacters), 8 * at, 8, 'base64url');
      entries.hasDigests = true;
    }
    entries.parts.push(partId);
  }

  /** Takes note that the part numbers of one more session are kept. */
  session(sessionId: string): void {
    this.#bytes += Buffer.byteLength(sessionId) + bytesPerSession;
  }

  ended(partId: number, rows: number, ending: Ending): void {
    const id = ending.kind === 'sealed' ? Buffer.from(ending.trajectoryId, 'hex') : null;
    this.#sql.receipt.run(partId, rows, id, ending.kind === 'sealed' ? null : ending.reason);
    this.#bytes += bytesPerReceipt;
  }

  /** Writes what is left. Returns how many rows were entered, and the bytes that they and the receipts take. */
  finish(): { rows: number; bytes: number } {
    for (const [bucket, entries] of this.#entries) {
      this.#insert(bucket, entries);
      this.#spare.push(entries);
    }
    this.#entries.clear();
    return { rows: this.#rows, bytes: Math.ceil(this.#bytes) };
  }

  /** Leaves them empty. */
  #insert(bucket: number, entries: Entries): void {
    const { keys, digests, parts, hasDigests } = entries;
    const rows = parts.length;
    const lowestPart = Math.min(...parts);
    const offsets = Uint32Array.from(parts, (id) => id - lowestPart);
    this.#sql.insert.run(
      bucket,
      lowestPart,
      bytesOf(keys.subarray(0, 2 * rows)),
      hasDigests ? digests.subarray(0, 8 * rows) : null,
      bytesOf(offsets),
    );
    this.#rows += rows;
    this.#bytes += bytesPerEntry + rows * (bytesPerRow + (hasDigests ? bytesPerDigest : 0));
    if (hasDigests) digests.fill(0);
    entries.hasDigests = false;
    parts.length = 0;
  }
}

function noEntries(): Entries {
  const keys = new Uint32Array(2 * rowsAtOnce);
  return { keys, digests: Buffer.alloc(8 * rowsAtOnce), parts: [], hasDigests: false };
}

function bytesOf(words: Uint32Array): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength);
}

function prepareAll(db: SqliteDatabase) {
  return {
    insert: db.prepare('INSERT INTO ledger (bucket, lowest_part, keys, digests, parts) VALUES (?, ?, ?, ?, ?)'),
    receipt: db.prepare('INSERT INTO receipts (part_id, turns, trajectory_id, reason) VALUES (?, ?, ?, ?)'),
  };
}
