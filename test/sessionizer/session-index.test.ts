import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NumberQueue } from '../../src/sessionizer/number-queue.ts';
import { noSlot, SessionIndex } from '../../src/sessionizer/session-index.ts';

const lone = String.fromCharCode(0xd83d);

test('every session is found under its own id and no other, whatever came and went', () => {
  const id = fc.oneof(
    { weight: 8, arbitrary: fc.nat(2000).map((n) => `5f0c2b9e-7d41-4b7a-8a55-${n}`) },
    { weight: 1, arbitrary: fc.constantFrom('', 'é', 'Ã©', '日本', '€', lone, `${lone}a`, '\0') },
  );
  const action = fc.record({ id, leaves: fc.nat(3).map((n) => n === 0) });
  fc.assert(
    fc.property(fc.array(action, { minLength: 2000, maxLength: 4000, size: 'max' }), (actions) => {
      const index = new SessionIndex();
      const slots = new Map<string, number>();
      for (const { id: sessionId, leaves } of actions) {
        const slot = slots.get(sessionId);
        if (index.slotOf(sessionId) !== (slot ?? noSlot)) throw new Error(`${sessionId} is not at ${slot}`);
        if (slot === undefined) slots.set(sessionId, index.add(sessionId));
        else if (leaves) {
          index.delete(slot);
          slots.delete(sessionId);
        }
      }
      expect(index.size).toBe(slots.size);
      expect(new Map([...index.slots()].map((slot) => [index.sessionAt(slot), slot]))).toEqual(slots);
      expect([...slots.keys()].map((sessionId) => index.slotOf(sessionId))).toEqual([...slots.values()]);
    }),
    { numRuns: 10 },
  );
});

test('an id of any length has room', () => {
  const index = new SessionIndex();
  const ids = ['a', 'b'.repeat(1_500_000), 'c', '日'.repeat(600_000), 'd'];
  const slots = ids.map((id) => index.add(id));
  expect(slots.map((slot) => index.sessionAt(slot) === ids[slot])).toEqual(ids.map(() => true));
});

test('ids that share their hash are told apart', () => {
  const index = new SessionIndex();
  // Of 250,000 random ids some 7 pairs share 32 bits.
  const ids = Array.from({ length: 250_000 }, () => randomUUID());
  for (const id of ids) index.add(id);
  expect(ids.filter((id, slot) => index.slotOf(id) !== slot)).toEqual([]);
});

test('the first sessions have the slots 0, 1, 2 …, and freed ones are given again', () => {
  const index = new SessionIndex();
  expect(Array.from({ length: 10_000 }, (_, n) => index.add(`session ${n}`))).toEqual([...Array(10_000).keys()]);
  for (const slot of index.slots()) if (slot % 2 === 0) index.delete(slot);
  const again = Array.from({ length: 5000 }, (_, n) => index.add(`other ${n}`));
  expect(again.sort((a, b) => a - b)).toEqual(Array.from({ length: 5000 }, (_, n) => 2 * n));
});

test('a queue of numbers gives them in order, over the ends of its blocks', () => {
  const queue = new NumberQueue();
  let [pushed, dropped] = [0, 0];
  for (let round = 0; round < 40; round += 1) {
    for (let n = 0; n < 5000; n += 1) queue.push(pushed + n);
    pushed += 5000;
    const count = round % 10 === 9 ? queue.length : 4000;
    queue.drop(count);
    dropped += count;
    expect(queue.length).toBe(pushed - dropped);
    expect(Array.from({ length: queue.length }, (_, i) => queue.at(i))).toEqual(
      Array.from({ length: pushed - dropped }, (_, i) => dropped + i),
    );
  }
});
