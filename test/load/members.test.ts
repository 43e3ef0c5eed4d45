import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rawMembers } from '../../src/load/members.ts';

describe('rawMembers', () => {
  it('keeps numbers, spaces and escapes as they stand', () => {
    const json =
      '{ "a" : 9007199254740993,"b":1.10 , "c": {"x" : [1.0, "}\\"]"]}, "d":"\\u00e9\\\\","e":[ ], "f":-0e+5}';
    expect([...rawMembers(json)]).toEqual([
      ['a', '9007199254740993'],
      ['b', '1.10'],
      ['c', '{"x" : [1.0, "}\\"]"]}'],
      ['d', '"\\u00e9\\\\"'],
      ['e', '[ ]'],
      ['f', '-0e+5'],
    ]);
  });

  it('takes the last of a key that occurs twice, also where its spelling differs', () => {
    expect([...rawMembers('{"a":1,"\\u0061":2}')]).toEqual([['a', '2']]);
  });

  it('agrees with JSON.parse on every object, however it is spaced', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue({ depthSize: 'medium' }));
    const indent = fc.constantFrom(undefined, 1, '\t', '\r\n');
    fc.assert(
      fc.property(object, indent, (value, space) => {
        const json = JSON.stringify(value, null, space as string);
        const members = [...rawMembers(json)].map(([key, raw]) => [key, JSON.parse(raw) as unknown] as const);
        expect(new Map(members)).toEqual(new Map(Object.entries(JSON.parse(json) as object)));
      }),
      { numRuns: 500 },
    );
  });

  it('puts together to the text it was taken from', () => {
    const keys = fc.uniqueArray(fc.string(), { maxLength: 6 });
    fc.assert(
      fc.property(keys, fc.array(fc.json(), { minLength: 6, maxLength: 6 }), (names, values) => {
        const parts = names.map((name, i) => [name, values[i] as string] as const);
        const json = `{${parts.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
        expect([...rawMembers(json)]).toEqual(parts.map(([name, value]) => [name, value]));
      }),
    );
  });
});
