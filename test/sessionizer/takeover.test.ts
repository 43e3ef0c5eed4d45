/** The memory of other captures, taken over by one that goes on with their sessions. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogWriter, watermark } from './log.ts';
import { TemporaryJournal } from './temporary-journal.ts';

let log: LogWriter;
let former: TemporaryJournal;
let next: TemporaryJournal;

beforeEach(() => {
  log = new LogWriter();
  former = new TemporaryJournal();
  next = new TemporaryJournal();
});
afterEach(() => {
  former.remove();
  next.remove();
});

/** Takes in `n` rows of a session, seals and publishes them. */
function seal(journal: TemporaryJournal, session: string, n: number) {
  const turns = Array.from({ length: n }, () => log.turn({ session }));
  journal.take(turns);
  journal.take([watermark(Number.MAX_SAFE_INTEGER / 2)]);
  journal.finishAll();
  return turns;
}

function entriesOf({ journal }: TemporaryJournal): number {
  return journal.ledger.buckets().reduce<number>((sum, bucket) => sum + journal.ledger.entries(bucket).size, 0);
}

test('a journal that is taken over again, after an attempt that was cut short, counts once', () => {
  const rows = seal(former, 'a', 4);
  former.journal.close();
  for (const _ of [1, 2]) {
    next.journal.takeOver(former.path, 'same key');
    expect([next.journal.totals().ledgerRows, entriesOf(next)]).toEqual([4, 4]);
  }
  expect(next.journal.ledger.knows(rows)).not.toContain(false);
});

test('what it took in since the first attempt is known after the second, and so is another journal', () => {
  const other = new TemporaryJournal();
  const rows = [...seal(former, 'a', 3), ...seal(other, 'b', 5)];
  const middle = new TemporaryJournal();
  middle.journal.takeOver(former.path, 'same key');
  middle.journal.takeOver(other.path, 'same key');
  next.journal.takeOver(middle.path, 'same key');
  rows.push(...seal(middle, 'c', 3));
  next.journal.takeOver(middle.path, 'same key');
  expect([next.journal.totals().ledgerRows, entriesOf(next)]).toEqual([11, 11]);
  expect(next.journal.ledger.knows(rows)).not.toContain(false);
  other.remove();
  middle.remove();
});
