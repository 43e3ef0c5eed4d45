/** WAL positions: text for comparing and storing, 64-bit numbers for arithmetic. */
import type { Lsn, ResumeLsn } from '../records.ts';

/** `0/1B793920` or `00000000/1B793920` to padded text. @throws RangeError where it is no position. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (match === null) throw new RangeError(`not a WAL position: ${text}`);
  return `${match[1]!.padStart(8, '0')}/${match[2]!.padStart(8, '0')}`.toUpperCase() as Lsn;
}

/** As Postgres writes it: `0/1B793920`. */
export function shortLsn(lsn: Lsn): string {
  const [high, low] = lsn.split('/') as [string, string];
  const trim = (half: string) => half.replace(/^0+(?=.)/, '');
  return `${trim(high)}/${trim(low)}`;
}

export function lsnOf(value: bigint): Lsn {
  const hex = value.toString(16).toUpperCase().padStart(16, '0');
  return `${hex.slice(0, 8)}/${hex.slice(8)}` as Lsn;
}

export function numberOf(lsn: Lsn): bigint {
  return (BigInt(`0x${lsn.slice(0, 8)}`) << 32n) | BigInt(`0x${lsn.slice(9)}`);
}

const hexDigits = Buffer.from('0123456789ABCDEF');
const written = Buffer.from('00000000/00000000');

/** Eight bytes of a message. Every transaction brings two: by way of a bigint one costs three times as much. */
export function readLsn(buffer: Buffer, offset: number): Lsn {
  if (offset + 8 > buffer.length) throw new RangeError('a position in a message ends early');
  for (let i = 0; i < 8; i++) {
    const byte = buffer[offset + i]!;
    const at = i < 4 ? 2 * i : 2 * i + 1;
    written[at] = hexDigits[byte >> 4]!;
    written[at + 1] = hexDigits[byte & 15]!;
  }
  return written.toString('latin1') as Lsn;
}

/** Only a Commit's end or an idle keepalive's position may become one: see {@link ResumeLsn}. */
export function resumeAt(lsn: Lsn): ResumeLsn {
  return lsn as ResumeLsn;
}

/** The byte before: what `acknowledge` of pg-logical-replication must be given, since it adds one. */
export function byteBefore(lsn: Lsn): Lsn {
  return lsnOf(numberOf(lsn) - 1n);
}

/** Bytes from `from` to `to`; negative where `to` lies before. */
export function bytesBetween(from: Lsn, to: Lsn): number {
  return Number(numberOf(to) - numberOf(from));
}

/** Text order is WAL order, since both halves are padded. */
export function later<T extends Lsn>(a: T, b: T): T {
  return a >= b ? a : b;
}
