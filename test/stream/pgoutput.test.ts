import { expect, test } from 'vitest';
import { PgoutputDecoder } from '../../src/stream/pgoutput.ts';

const string = (text: string) => Buffer.from(`${text}\0`);
const int16 = (n: number) => Buffer.from([n >> 8, n & 255]);
const int32 = (n: number) => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(n);
  return buffer;
};

function relation(oid: number, columns: string[]): Buffer {
  const parts = columns.flatMap((name) => [Buffer.from([0]), string(name), int32(25), int32(0)]);
  return Buffer.concat([
    Buffer.from('R'),
    int32(oid),
    string('public'),
    string('audit_log'),
    Buffer.from('d'),
    int16(columns.length),
    ...parts,
  ]);
}

function insert(oid: number, values: (string | null)[]): Buffer {
  const parts = values.map((value) =>
    value === null
      ? Buffer.from('n')
      : Buffer.concat([Buffer.from('t'), int32(Buffer.byteLength(value)), Buffer.from(value)]),
  );
  return Buffer.concat([Buffer.from('I'), int32(oid), Buffer.from('N'), int16(values.length), ...parts]);
}

const pickBA = () => new PgoutputDecoder(({ columns }) => [columns.indexOf('b'), columns.indexOf('a')]);

test('picks the wanted columns by name, whatever their order, nulls included', () => {
  const decoder = pickBA();
  decoder.decode(relation(1, ['a', 'x', 'b']));
  expect(decoder.decode(insert(1, ['ä', 'skipped', '😀']))).toMatchObject({ row: ['😀', 'ä'] });
  decoder.decode(relation(1, ['x', 'b', 'a']));
  expect(decoder.decode(insert(1, ['skipped', null, '']))).toMatchObject({ row: [null, ''] });
});

test('what it keeps does not change with the buffer it came from', () => {
  const decoder = pickBA();
  decoder.decode(relation(1, ['a', 'b']));
  const buffer = insert(1, ['first', 'second']);
  const message = decoder.decode(buffer);
  buffer.fill(0x58);
  expect(message).toMatchObject({ row: ['second', 'first'] });
});

test('a message behind a header reads as one without', () => {
  const decoder = pickBA();
  const behind = (message: Buffer) => Buffer.concat([Buffer.alloc(25, 0x49), message]);
  const row = insert(1, ['ä', '😀']);
  const begin = Buffer.from(`42${'00000001abcdef02'}${'0000000000000001'}00000007`, 'hex');
  const commit = Buffer.from(`4300${'00'.repeat(8)}${'00000001abcdef12'}${'0000000000000001'}`, 'hex');
  const truncate = Buffer.concat([Buffer.from('T'), int32(1), Buffer.from([0]), int32(1)]);
  for (const message of [relation(1, ['a', 'b']), row, begin, commit, truncate]) {
    expect(decoder.decode(behind(message), 25)).toEqual(decoder.decode(message));
  }
});

test('a message that ends early is an error at every length', () => {
  const decoder = pickBA();
  decoder.decode(relation(1, ['a', 'b']));
  const whole = insert(1, ['first', 'second']);
  for (let length = 1; length < whole.length; length++) {
    expect(() => decoder.decode(Buffer.from(whole.subarray(0, length))), `${length} bytes`).toThrow();
  }
});

test('a row of more text than fits into a string of JSON is told before a string is made; what is not read does not count', () => {
  const decoder = new PgoutputDecoder(({ columns }) => [columns.indexOf('a'), columns.indexOf('b')], 100);
  decoder.decode(relation(1, ['a', 'x', 'b']));
  const [half, over] = ['y'.repeat(50), 'y'.repeat(51)];
  expect(decoder.decode(insert(1, [half, null, half]))).toMatchObject({ row: [half, half] });
  expect(decoder.decode(insert(1, [half, over, null]))).toMatchObject({ row: [half, null] });
  const large = insert(1, [over, null, half]);
  expect(decoder.decode(large)).toEqual({ kind: 'insert', row: 'too_large', bytes: large.length });
  for (const [text, most] of [
    ['"', 50],
    ['\\', 50],
    ['\n', 16],
    ['é', 50],
  ] as const) {
    const row = (n: number) => decoder.decode(insert(1, [null, null, text.repeat(n)]));
    expect(row(most)).toMatchObject({ row: [null, text.repeat(most)] });
    expect(row(most + 1)).toMatchObject({ row: 'too_large' });
  }
  expect(() => decoder.decode(large.subarray(0, 40))).toThrow(RangeError);
  expect(decoder.decode(insert(1, ['next', null, null]))).toMatchObject({ row: ['next', null] });
});

test('a row before its relation, an unknown message and an unchanged value are errors', () => {
  const decoder = pickBA();
  expect(() => decoder.decode(insert(9, ['x']))).toThrow(/relation 9/);
  expect(() => decoder.decode(Buffer.from('?'))).toThrow(/unknown pgoutput message/);
  decoder.decode(relation(1, ['a', 'b']));
  const unchanged = Buffer.concat([Buffer.from('I'), int32(1), Buffer.from('N'), int16(1), Buffer.from('u')]);
  expect(() => decoder.decode(unchanged)).toThrow(/value kind/);
});

test('types, origins and logical messages are passed over', () => {
  for (const kind of ['Y', 'O', 'M']) expect(pickBA().decode(Buffer.from(kind))).toEqual({ kind: 'other' });
});
