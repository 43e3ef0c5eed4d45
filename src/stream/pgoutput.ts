/**
 * Decodes pgoutput, protocol version 1. https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 *
 * Only what is needed is decoded, and what is kept is copied out: the buffers belong to node-postgres, which overwrites
 * them. Values stay the text that the server sent.
 */
import type { RowText } from '../postgres/audit-table.ts';
import type { Lsn, Micros } from '../records.ts';
import { readLsn } from './lsn.ts';

/** Microseconds between the Unix epoch and that of Postgres, 2000-01-01. */
const postgresEpoch = 946_684_800_000_000;

export interface Relation {
  oid: number;
  schema: string;
  name: string;
  columns: string[];
}

export type Message =
  | { kind: 'begin'; finalLsn: Lsn; committedAt: Micros }
  | { kind: 'commit'; endLsn: Lsn; committedAt: Micros }
  /** `row` is null where the relation is not the audit log. `bytes` is the size of the message. */
  | { kind: 'insert'; row: RowText | null | 'too_large'; bytes: number }
  /** Only a publication that somebody changed sends these. They count as row messages. */
  | { kind: 'update' | 'delete' }
  | { kind: 'truncate'; relations: number[] }
  | { kind: 'relation'; relation: Relation }
  | { kind: 'other' };

/** Picks, for a relation, the wanted columns by index; null leaves its rows undecoded. May throw. */
export type PickColumns = (relation: Relation) => number[] | null;

/**
 * Of one row, in bytes of JSON. V8 has no string beyond 512 MiB, and a row is digested and written with others: what does
 * not fit would end the process at the same row for ever.
 */
const defaultMaxRowBytes = 256 * 1024 * 1024;
/** How much longer a character becomes in JSON at most. */
const maxEscape = 6;

export class PgoutputDecoder {
  readonly #pick: PickColumns;
  readonly #maxRowBytes: number;
  /** By oid: for each column of the row its place in the result, or -1. */
  readonly #places = new Map<number, { places: Int32Array; wanted: number } | null>();

  constructor(pick: PickColumns, maxRowBytes = defaultMaxRowBytes) {
    this.#pick = pick;
    this.#maxRowBytes = maxRowBytes;
  }

  /**
   * @param start where the message begins; it goes to the end of the buffer.
   * @throws RangeError where the message ends early, Error where it makes no sense, and what `pick` throws.
   */
  decode(buffer: Buffer, start = 0): Message {
    switch (buffer[start]) {
      case 0x49: // I
        return this.#insert(buffer, start);
      case 0x42: // B
        return { kind: 'begin', finalLsn: readLsn(buffer, start + 1), committedAt: readMicros(buffer, start + 9) };
      case 0x43: // C
        return { kind: 'commit', endLsn: readLsn(buffer, start + 10), committedAt: readMicros(buffer, start + 18) };
      case 0x52: // R
        return { kind: 'relation', relation: this.#relation(buffer, start) };
      case 0x54: // T
        return { kind: 'truncate', relations: truncated(buffer, start) };
      case 0x55: // U
        return { kind: 'update' };
      case 0x44: // D
        return { kind: 'delete' };
      case 0x59: // Y: type
      case 0x4f: // O: origin
      case 0x4d: // M: logical message
        return { kind: 'other' };
      default:
        throw new Error(`unknown pgoutput message 0x${(buffer[start] ?? 0).toString(16)}`);
    }
  }

  #relation(buffer: Buffer, start: number): Relation {
    const oid = buffer.readUInt32BE(start + 1);
    const [schema, afterSchema] = readString(buffer, start + 5);
    const [name, afterName] = readString(buffer, afterSchema);
    const count = buffer.readUInt16BE(afterName + 1);
    const columns: string[] = [];
    let at = afterName + 3;
    for (let i = 0; i < count; i++) {
      const [column, next] = readString(buffer, at + 1);
      columns.push(column);
      at = next + 8;
    }
    // An empty schema is how the protocol writes pg_catalog.
    const relation = { oid, schema: schema || 'pg_catalog', name, columns };
    const picked = this.#pick(relation);
    this.#places.set(oid, picked === null ? null : placesOf(picked, count));
    return relation;
  }

  #insert(buffer: Buffer, start: number): Message {
    const oid = buffer.readUInt32BE(start + 1);
    const bytes = buffer.length - start;
    const plan = this.#places.get(oid);
    if (plan === undefined) throw new Error(`a row of relation ${oid} came before the relation was described`);
    if (plan === null) return { kind: 'insert', row: null, bytes };
    const { places, wanted } = plan;
    // Hardly any message is that long; others are read once.
    const mayBeTooLarge = bytes * maxEscape > this.#maxRowBytes;
    if (mayBeTooLarge && jsonBytes(buffer, start, places) > this.#maxRowBytes) {
      return { kind: 'insert', row: 'too_large', bytes };
    }
    const count = buffer.readUInt16BE(start + 6);
    const row: RowText = new Array(wanted).fill(null);
    let at = start + 8;
    for (let i = 0; i < count; i++) {
      const kind = buffer[at];
      at += 1;
      if (kind === 0x6e) continue; // n: null
      if (kind !== 0x74) throw new Error(`unexpected value kind 0x${(kind ?? 0).toString(16)} in an inserted row`);
      const length = buffer.readUInt32BE(at);
      at += 4;
      const place = places[i] ?? -1;
      if (at + length > buffer.length) throw new RangeError('a row message ends early');
      if (place >= 0) row[place] = (buffer as Utf8Buffer).utf8Slice(at, at + length);
      at += length;
    }
    return { kind: 'insert', row, bytes };
  }
}

/** What `toString('utf8', …)` calls once it has looked its arguments over, which costs as much again for short values. */
type Utf8Buffer = Buffer & { utf8Slice(start: number, end: number): string };

/** Of the wanted values of an Insert. Where the message makes no sense the count ends: reading the row says so. */
function jsonBytes(buffer: Buffer, start: number, places: Int32Array): number {
  const count = buffer.readUInt16BE(start + 6);
  let sum = 0;
  let at = start + 8;
  for (let i = 0; i < count && at < buffer.length; i++) {
    const kind = buffer[at];
    at += 1;
    if (kind !== 0x74) continue;
    const end = at + 4 + buffer.readUInt32BE(at);
    if ((places[i] ?? -1) >= 0) sum += escapedBytes(buffer, at + 4, Math.min(end, buffer.length));
    at = end;
  }
  return sum;
}

function escapedBytes(buffer: Buffer, from: number, to: number): number {
  let sum = to - from;
  for (let i = from; i < to; i++) {
    const byte = buffer[i]!;
    if (byte < 0x20) sum += maxEscape - 1;
    else if (byte === 0x22 || byte === 0x5c) sum += 1;
  }
  return sum;
}

function placesOf(picked: number[], columns: number): { places: Int32Array; wanted: number } {
  const places = new Int32Array(columns).fill(-1);
  picked.forEach((column, place) => {
    places[column] = place;
  });
  return { places, wanted: picked.length };
}

function truncated(buffer: Buffer, start: number): number[] {
  const count = buffer.readUInt32BE(start + 1);
  return Array.from({ length: count }, (_, i) => buffer.readUInt32BE(start + 6 + 4 * i));
}

function readMicros(buffer: Buffer, offset: number): Micros {
  return Number(buffer.readBigInt64BE(offset)) + postgresEpoch;
}

function readString(buffer: Buffer, offset: number): [text: string, next: number] {
  const end = buffer.indexOf(0, offset);
  if (end < 0) throw new RangeError('a name in a pgoutput message ends early');
  return [buffer.toString('utf8', offset, end), end + 1];
}
