import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteBefore, bytesBetween, later, lsnOf, numberOf, parseLsn, readLsn, shortLsn } from '../../src/stream/lsn.ts';

const position = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });

test('text order is WAL order', () => {
  fc.assert(
    fc.property(position, position, (a, b) => {
      expect(lsnOf(a) < lsnOf(b)).toBe(a < b);
      expect(later(lsnOf(a), lsnOf(b))).toBe(a > b ? lsnOf(a) : lsnOf(b));
    }),
  );
});

test('a position survives every way of writing it', () => {
  fc.assert(
    fc.property(position, (a) => {
      const lsn = lsnOf(a);
      expect(numberOf(lsn)).toBe(a);
      expect(parseLsn(lsn)).toBe(lsn);
      expect(parseLsn(shortLsn(lsn))).toBe(lsn);
      expect(parseLsn(shortLsn(lsn).toLowerCase())).toBe(lsn);
      expect(bytesBetween(byteBefore(lsn), lsn)).toBe(1);
    }),
  );
});

test('eight bytes of a message are a position, wherever they stand; fewer are an error', () => {
  fc.assert(
    fc.property(position, fc.nat(9), (a, offset) => {
      const message = Buffer.alloc(offset + 8, 0xff);
      message.writeBigUInt64BE(a, offset);
      expect(readLsn(message, offset)).toBe(lsnOf(a));
      expect(() => readLsn(message, offset + 1)).toThrow(RangeError);
    }),
  );
});

test('the byte before borrows from the upper half', () => {
  expect(byteBefore(parseLsn('1/0'))).toBe('00000000/FFFFFFFF');
  expect(shortLsn(parseLsn('0/0'))).toBe('0/0');
});

test.each(['', '1', '1/2/3', 'G/0', '123456789/0'])('%j is no position', (text) => {
  expect(() => parseLsn(text)).toThrow(RangeError);
});
