import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DueQueue } from '../../src/sessionizer/due-queue.ts';

test('it gives exactly the slots that are due, however often they moved, until they are deleted', () => {
  const action = fc.record({
    kind: fc.constantFrom('set', 'set', 'delete', 'ask'),
    slot: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 5000),
    at: fc.nat(20),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80, size: 'max' }), (actions) => {
      const times = new Map<number, number>();
      const queued = new Set<number>();
      const queue = new DueQueue((slot) => times.get(slot)!);
      for (const { kind, slot, at } of actions) {
        if (kind === 'set') {
          times.set(slot, at);
          queue.set(slot);
          queued.add(slot);
        } else if (kind === 'delete') {
          queue.delete(slot);
          queued.delete(slot);
        } else {
          const due = queue.before(at);
          expect(new Set(due)).toEqual(new Set([...queued].filter((other) => times.get(other)! < at)));
          expect(new Set(due).size).toBe(due.length);
        }
      }
    }),
    { numRuns: 500 },
  );
});
