import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AckWindow, maxSpan } from '../../src/topic/kafka/ack-window.ts';
import { readNote, writeNote } from '../../src/topic/kafka/commit-note.ts';

/** Of `count` offsets from `base`, in any order of finishing, those that are finished. */
const histories = fc
  .record({ base: fc.integer({ min: 0, max: 1e12 }), count: fc.integer({ min: 1, max: 60 }) })
  .chain(({ base, count }) =>
    fc.record({
      base: fc.constant(base),
      count: fc.constant(count),
      finished: fc.shuffledSubarray(Array.from({ length: count }, (_, index) => base + index)),
    }),
  );

function windowOf({ base, count, finished }: { base: number; count: number; finished: number[] }): AckWindow {
  const window = new AckWindow(base);
  for (let offset = base; offset < base + count; offset++) window.file(offset);
  for (const offset of finished) window.finish(offset);
  return window;
}

describe('the window of a partition', () => {
  it('commits the first offset that is not finished, whatever is finished beyond it', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { base, count, finished } = history;
        const all = Array.from({ length: count + 1 }, (_, index) => base + index);
        expect(windowOf(history).base).toBe(all.find((offset) => !finished.includes(offset)));
      }),
    );
  });

  it('lets the next owner read what was not finished, and nothing else', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { base, count, finished } = history;
        const before = windowOf(history);
        const note = readNote(writeNote({ holder: 'a', finished: before.bits(), begun: [] }));
        const after = new AckWindow(before.base, note.finished);
        const delivered: number[] = [];
        for (let offset = after.next; offset < base + count; offset++) if (after.file(offset)) delivered.push(offset);
        const open = Array.from({ length: count }, (_, index) => base + index).filter((o) => !finished.includes(o));
        expect(delivered).toEqual(open);
        for (const offset of delivered) after.finish(offset);
        expect(after.base).toBe(base + count);
      }),
    );
  });

  it('delivers nothing twice that is read twice', () => {
    const window = new AckWindow(5);
    expect([5, 6, 5, 6, 7].map((offset) => window.file(offset))).toEqual([true, true, false, false, true]);
  });

  it('passes over offsets that hold no message', () => {
    const window = new AckWindow(0);
    window.skipTo(1_000_000_000);
    expect(window.base).toBe(1_000_000_000);
    window.file(1_000_000_000);
    window.skipTo(1_000_000_010);
    expect([window.base, window.next]).toEqual([1_000_000_000, 1_000_000_010]);
    window.finish(1_000_000_000);
    expect(window.base).toBe(1_000_000_010);
  });

  it('has no room for more than fits beside a commit', () => {
    const window = new AckWindow(0);
    let offset = 0;
    for (; window.hasRoom; offset++) window.file(offset);
    expect(offset).toBe(maxSpan);
    for (let finished = 1; finished < offset; finished++) window.finish(finished);
    const holder = 'a-client-id-of-some-length-0f0e0d0c-0b0a-0908-0706-050403020100'.repeat(3);
    const begun = Array.from({ length: 200 }, (_, index): [number, number] => [maxSpan - index, 25]);
    expect(Buffer.byteLength(writeNote({ holder, finished: window.bits(), begun }))).toBeLessThan(4_096);
    window.finish(0);
    expect(window.base).toBe(maxSpan);
  });
});

describe('the note beside a commit', () => {
  it.each([null, '', 'reset by hand', '[]', '{"v":2,"holder":"a","done":""}', '{"v":1}'])(
    'means that nobody works on it where it is %j',
    (text) => {
      expect(readNote(text)).toEqual({ holder: null, finished: new Uint8Array(), begun: [] });
    },
  );
});
