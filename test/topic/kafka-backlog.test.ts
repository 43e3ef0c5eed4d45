import { describe, expect, it } from 'vitest';
import { AckWindow } from '../../src/topic/kafka/ack-window.ts';
import { Backlog } from '../../src/topic/kafka/backlog.ts';
import { type Entry, entryOf } from '../../src/topic/kafka/entry.ts';

function entry(offset: number, headers: Record<string, string> = {}): Entry {
  const key = Buffer.from(`key-${offset}`);
  const message = { key, value: Buffer.alloc(3), headers, offset: String(offset), timestamp: '0', attributes: 0 };
  return entryOf('parcels', 0, message);
}

const always = () => true;

describe('the backlog of a partition', () => {
  it('counts deliveries without an outcome from owner to owner, read again or not', () => {
    const first = new Backlog('parcels', 0, new AckWindow(5), [
      [1, 24],
      [9, 3],
    ]);
    const one = entry(6);
    first.add(one);
    expect(one.attempts).toBe(24);
    expect(first.begun(() => false)).toEqual([
      [9, 3],
      [1, 24],
    ]);
    const second = new Backlog('parcels', 0, new AckWindow(5), first.begun(always));
    const again = entry(6);
    second.add(again);
    expect(again.attempts).toBe(25);
  });

  it('does not count what failed as without an outcome, nor what the headers say twice', () => {
    const backlog = new Backlog('parcels', 0, new AckWindow(0), [[0, 2]]);
    const failed = entry(0, { attempts: '5', failures: '3' });
    backlog.add(failed);
    expect(failed.attempts).toBe(5);
    expect(backlog.begun(always)).toEqual([[0, 3]]);
  });

  it('is full at a number of messages or bytes, and has much room when half is gone', () => {
    const backlog = new Backlog('parcels', 0, new AckWindow(0));
    const held = Array.from({ length: 2_000 }, (_, offset) => entry(offset));
    for (const one of held) {
      expect(backlog.hasRoom).toBe(true);
      backlog.window.file(one.offset);
      backlog.add(one);
    }
    expect(backlog.hasRoom).toBe(false);
    for (const one of held.slice(0, 999)) backlog.finish(one);
    expect([backlog.hasRoom, backlog.hasMuchRoom]).toEqual([true, false]);
    backlog.finish(held[999]!);
    expect(backlog.hasMuchRoom).toBe(true);
  });
});
