import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DueQueue } from '../../src/sessionizer/due-queue.ts';

interface Item {
  at: number;
}

test('it gives exactly the items that are due, however often they moved, until they are deleted', () => {
  const action = fc.record({
    kind: fc.constantFrom('set', 'set', 'delete', 'ask'),
    item: fc.nat(7),
    at: fc.nat(20),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const items: Item[] = Array.from({ length: 8 }, () => ({ at: 0 }));
      const queued = new Set<Item>();
      const queue = new DueQueue<Item>((item) => item.at);
      for (const { kind, item: n, at } of actions) {
        const item = items[n]!;
        if (kind === 'set') {
          item.at = at;
          queue.set(item);
          queued.add(item);
        } else if (kind === 'delete') {
          queue.delete(item);
          queued.delete(item);
        } else {
          expect(new Set(queue.before(at))).toEqual(new Set([...queued].filter((other) => other.at < at)));
        }
      }
    }),
    { numRuns: 500 },
  );
});
