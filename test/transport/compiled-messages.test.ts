import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Compiled, CompiledTurns } from '../../src/records.ts';
import { compiledCodec, messagesOf } from '../../src/transport/compiled-messages.ts';
import type { CompiledMessage } from '../../src/transport/transport.ts';
import { compiledOf, trajectoryOf, turnOf } from '../support/records.ts';

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const isTurns = (value: CompiledMessage): value is CompiledTurns => value.spec === 'compiled_turns/1';

/** Compiled from turns whose responses are so long. */
function compiledFrom(lengths: number[]): Compiled {
  const turns = lengths.map((length, index) => turnOf('session-1', index, { response: 'x'.repeat(length) }));
  return compiledOf({ trajectory: trajectoryOf({ turns }) });
}

describe('a compiled trajectory as messages', () => {
  it('is one message while it is below the limit', () => {
    const compiled = compiledOf();
    const [message, ...more] = messagesOf(compiled, bytesOf(compiled));
    expect(more).toEqual([]);
    expect(message!.value).toBe(compiled);
    expect(message!.key).toBe('session-1');
  });

  it('is its turns, none doubled or lost, and then the rest, which says how many turns travel apart', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(3000), { minLength: 2, maxLength: 60 }),
        fc.integer({ min: 50, max: 9000 }),
        (lengths, limit) => {
          const compiled = compiledFrom(lengths);
          fc.pre(bytesOf(compiled) > limit);
          const messages = messagesOf(compiled, limit);
          const rest = messages.at(-1)!.value as Compiled;
          expect(rest.turnsApart).toBe(lengths.length);
          const pieces = messages.slice(0, -1).map(({ value }) => value as CompiledTurns);
          expect(pieces.flatMap(({ turns }) => turns)).toEqual(compiled.trajectory.turns);
          let next = 0;
          for (const { first, turns } of pieces) {
            expect(first).toBe(next);
            next += turns.length;
            // A turn is never cut: one that is larger travels alone.
            if (turns.length > 1)
              expect(turns.reduce((sum, turn) => sum + bytesOf(turn), 0)).toBeLessThanOrEqual(limit);
          }
          expect({
            ...rest,
            turnsApart: undefined,
            trajectory: { ...rest.trajectory, turns: compiled.trajectory.turns },
          }).toEqual({
            ...compiled,
            turnsApart: undefined,
          });
          expect(new Set(messages.map(({ id }) => id)).size).toBe(messages.length);
          expect(new Set(messages.map(({ key }) => key))).toEqual(new Set(['session-1']));
        },
      ),
    );
  });

  it('gives the same messages again, so that a redelivery is absorbed', () => {
    const lengths = [900, 20, 700, 4000];
    expect(messagesOf(compiledFrom(lengths), 1000)).toEqual(messagesOf(compiledFrom(lengths), 1000));
  });

  it('comes back from bytes as what it was, in either form', async () => {
    for (const { value } of messagesOf(compiledFrom([900, 20, 700, 4000]), 1000)) {
      expect(await compiledCodec.decode(compiledCodec.encode(value))).toEqual(value);
    }
  });

  it.each([['compiled/2'], ['compiled_turns/2'], ['trajectory/1']])('of kind %s is parked', (spec) => {
    const bytes = new TextEncoder().encode(JSON.stringify({ spec }));
    expect(() => compiledCodec.decode(bytes)).toThrowError(
      expect.objectContaining({ kind: 'park', code: 'unknown_spec' }),
    );
  });

  it('has pieces that are told by their own kind', () => {
    const kinds = messagesOf(compiledFrom([900, 900]), 1000).map(({ value }) => isTurns(value));
    expect(kinds).toEqual([true, true, false]);
  });
});
