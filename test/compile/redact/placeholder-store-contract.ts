/** What every store of placeholders promises, wherever it lies. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NamedValue, PlaceholderStore } from '../../../src/compile/redact/placeholder-store.ts';

export interface PlaceholderStoreHarness {
  /** Another opening of the same store, as another worker has one. */
  open(): Promise<PlaceholderStore>;
  /** Closes what was opened. */
  dispose(): Promise<void>;
}

const session = { source: 'source', sessionId: 'session' };
const value = (hash: string, changes: Partial<NamedValue> = {}): NamedValue => ({
  kind: 'EMAIL',
  hash,
  sealed: null,
  ...changes,
});

export function placeholderStoreContract(name: string, makeHarness: () => Promise<PlaceholderStoreHarness>): void {
  describe(`the contract of a placeholder store, kept by ${name}`, () => {
    let harness: PlaceholderStoreHarness;
    let store: PlaceholderStore;
    beforeEach(async () => {
      harness = await makeHarness();
      store = await harness.open();
    });
    afterEach(() => harness.dispose());

    const numbers = async (values: NamedValue[], of = store, at = session) =>
      (await of.number(at, values)).map(({ kind, number }) => `${kind}_${number}`);

    it('numbers the values of a session by kind, in the order given, and knows them again', async () => {
      const first = await numbers([value('b'), value('a'), value('c', { kind: 'PHONE' }), value('b')]);
      expect(first).toEqual(['EMAIL_1', 'EMAIL_2', 'PHONE_1', 'EMAIL_1']);
      const other = await harness.open();
      expect(await numbers([value('d'), value('a'), value('c', { kind: 'PHONE' })], other)).toEqual([
        'EMAIL_3',
        'EMAIL_2',
        'PHONE_1',
      ]);
      expect(await numbers([])).toEqual([]);
    });

    it('numbers each session from 1, told apart by id and source', async () => {
      await numbers([value('a'), value('b')]);
      expect(await numbers([value('b')], store, { ...session, sessionId: 'another' })).toEqual(['EMAIL_1']);
      expect(await numbers([value('b')], store, { ...session, source: 'another' })).toEqual(['EMAIL_1']);
      expect(await store.sources('session')).toEqual(['another', 'source']);
      expect(await store.sources('nobody')).toEqual([]);
    });

    it('leaves a value the kind that it had first', async () => {
      await numbers([value('a', { kind: 'NATIONAL_ID' })]);
      expect(await numbers([value('a', { kind: 'PHONE' })])).toEqual(['NATIONAL_ID_1']);
    });

    it('gives workers that ask at once the same numbers, each number once', async () => {
      const workers = await Promise.all([store, harness.open(), harness.open(), harness.open()]);
      const hashes = Array.from({ length: 40 }, (_, n) => `hash-${n}`);
      // Each in an order of its own, in several steps.
      const asked = await Promise.all(
        workers.map(async (worker, at) => {
          const given: Record<string, string> = {};
          const own = [...hashes.slice(at * 10), ...hashes.slice(0, at * 10)];
          for (let from = 0; from < own.length; from += 8) {
            const part = own.slice(from, from + 8);
            const named = await numbers(
              part.map((hash) => value(hash)),
              worker,
            );
            for (const [index, hash] of part.entries()) given[hash] = named[index]!;
          }
          return given;
        }),
      );
      for (const given of asked) expect(given).toEqual(asked[0]);
      expect(new Set(Object.values(asked[0]!)).size).toBe(hashes.length);
      expect(Object.values(asked[0]!)).toContain('EMAIL_40');
    });

    it('keeps what is sealed, also where a vault came later, and never replaces it', async () => {
      const sealed = (byte: number) => Buffer.of(1, byte, 255);
      await numbers([value('a', { sealed: sealed(1) }), value('b'), value('c', { kind: 'SECRET' })]);
      await numbers([
        value('a', { sealed: sealed(2) }),
        value('b', { sealed: sealed(3) }),
        value('c', { sealed: sealed(4) }),
      ]);
      expect(await store.sealed(session)).toEqual([
        { kind: 'EMAIL', number: 1, hash: 'a', sealed: sealed(1) },
        { kind: 'EMAIL', number: 2, hash: 'b', sealed: sealed(3) },
      ]);
      expect(await store.sealed({ ...session, source: 'another' })).toEqual([]);
    });
  });
}
