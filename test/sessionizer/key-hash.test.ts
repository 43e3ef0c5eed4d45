import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashKey, hashKeyInto } from '../../src/sessionizer/key-hash.ts';
import { KeySet } from '../../src/sessionizer/key-set.ts';

test('the hash of a key stays what it was in earlier versions', () => {
  const keys = ['', '1', '41', '12345678', '0190f3a2-1c3e-7c3e-9c3e-000000000041', 'zwölf ☃ 🙂'];
  expect(keys.map((key) => hashKey(key).toString(16).padStart(16, '0'))).toEqual([
    '0000000000000000',
    '48f6b3a9f185a92c',
    'b62f7c4e978b497c',
    'e182fa4f083fc1f2',
    'ac189cf9e075f6ac',
    'fefec505a6876de4',
  ]);
});

test('keys as tables have them do not collide: numbers, and ids that differ in one place', () => {
  const hashes = new Set<bigint>();
  for (let n = 0; n < 100_000; n += 1) {
    hashes.add(hashKey(String(n)));
    hashes.add(hashKey(`0190f3a2-1c3e-7c3e-9c3e-${String(n).padStart(12, '0')}`));
  }
  expect(hashes.size).toBe(200_000);
});

test('a key set is a set, zero and growth included', () => {
  const word = fc.constantFrom(0, 1, 2, 0xffff_ffff);
  const keys = fc.array(fc.tuple(word, word));
  fc.assert(
    fc.property(keys, keys, fc.constantFrom(0, 10, 3000), (added, asked, more) => {
      const set = new KeySet();
      const model = new Set<string>();
      const words = new Uint32Array(2);
      const many = Array.from({ length: more }, (_, n): [number, number] => {
        hashKeyInto(String(n), words, 0);
        return [words[0]!, words[1]!];
      });
      for (const [low, high] of [...added, ...many]) {
        set.add(low, high);
        model.add(`${low} ${high}`);
      }
      expect(set.size).toBe(model.size);
      const wrong = [...asked, ...many].filter(([low, high]) => set.has(low, high) !== model.has(`${low} ${high}`));
      expect(wrong).toEqual([]);
    }),
    { numRuns: 30 },
  );
});
