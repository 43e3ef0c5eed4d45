/** What the ledger takes in the file is live data: the bound on the file's size rests on it. */
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { createDigester } from '../../src/row-digest.ts';
import { LedgerWriter } from '../../src/sessionizer/ledger-write.ts';
import { LogWriter } from './log.ts';
import { TemporaryJournal } from './temporary-journal.ts';

test.each([1, 8, 1000])('the bytes that are counted are those that it takes, with %d rows a commit', (atOnce) => {
  const temporary = new TemporaryJournal();
  const db = new Database(temporary.path);
  const log = new LogWriter();
  const digester = createDigester('a key of sixteen characters');
  const writer = new LedgerWriter(db);
  const pages = () => db.pragma('page_count', { simple: true }) as number;
  const before = pages();
  let counted = 0;
  try {
    db.transaction(() => {
      for (let n = 0; n < 24_000; n += 1) {
        if (n % atOnce === 0) writer.begin();
        const row = log.turn({ at: n * 200_000 });
        writer.add(row, n >> 3, digester.digestOf(row));
        if ((n + 1) % atOnce === 0) counted += writer.finish().bytes;
      }
    })();
    const taken = (pages() - before) * (db.pragma('page_size', { simple: true }) as number);
    expect(counted / taken).toBeGreaterThan(0.85);
    expect(counted / taken).toBeLessThan(1.15);
  } finally {
    db.close();
    temporary.remove();
  }
});
