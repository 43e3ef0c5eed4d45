import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compiledSchema } from '../../src/records.ts';
import { jsonCodec } from '../../src/topic/codec.ts';
import { compiledArbitrary, compiledOf } from '../support/records.ts';

const codec = jsonCodec(compiledSchema, 'compiled/1');
const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const decode = (value: unknown) => codec.decode(bytes(value));

describe('the JSON codec', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(compiledArbitrary, (compiled) => {
        expect(codec.decode(codec.encode(compiled))).toEqual(compiled);
      }),
      { numRuns: 30 },
    );
  });

  it('ignores fields it does not know and minor versions', () => {
    const compiled = compiledOf();
    expect(decode({ ...compiled, spec: 'compiled/1.3', mood: 'good' })).toEqual(compiled);
  });

  it.each([
    ['another major version', { ...compiledOf(), spec: 'compiled/2' }, 'unknown_spec'],
    ['a major version that begins alike', { ...compiledOf(), spec: 'compiled/12' }, 'unknown_spec'],
    ['another kind', { ...compiledOf(), spec: 'trajectory/1' }, 'unknown_spec'],
    ['no spec', { pairs: [] }, 'unknown_spec'],
    ['no JSON', 'secret text {', 'bad_message'],
    ['no object', '["secret text"]', 'bad_message'],
    ['a field of another type', { ...compiledOf(), compiledAt: 1, pairs: 'secret text' }, 'bad_message'],
  ])('parks %s, and repeats nothing of it', (_, value, code) => {
    expect(() => decode(value)).toThrow(expect.objectContaining({ kind: 'park', code }));
    expect(() => decode(value)).not.toThrow(/secret text/);
  });

  it('parks bytes that are no UTF-8', () => {
    expect(() => codec.decode(new Uint8Array([0x22, 0xff, 0x22]))).toThrow(
      expect.objectContaining({ code: 'bad_message' }),
    );
  });
});
