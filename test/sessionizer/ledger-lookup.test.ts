/** Rows looked up in the ledger: by digest too, however many share a bucket, and without a time. */
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Turn } from '../../src/records.ts';
import { createDigester } from '../../src/row-digest.ts';
import { Ledger } from '../../src/sessionizer/ledger.ts';
import { LedgerWriter } from '../../src/sessionizer/ledger-write.ts';
import type { SqliteDatabase } from '../../src/sqlite.ts';
import { LogWriter } from './log.ts';
import { TemporaryJournal } from './temporary-journal.ts';

const digester = createDigester('a key of sixteen characters');

let log: LogWriter;
let temporary: TemporaryJournal;
let db: SqliteDatabase;

beforeEach(() => {
  log = new LogWriter();
  temporary = new TemporaryJournal();
  db = new Database(temporary.path);
});

afterEach(() => {
  db.close();
  temporary.remove();
});

/** Entered without the rest of a commit. */
function enter(rows: Turn[]): void {
  const writer = new LedgerWriter(db);
  db.transaction(() => {
    for (const row of rows) writer.add(row, 1, row.digest);
    writer.finish();
  })();
}

function digested(row: Turn): Turn {
  return { ...row, digest: digester.digestOf(row) };
}

/** How many rows of the ledger's table a lookup reads. */
function counting(): { ledger: Ledger; read(): number } {
  let read = 0;
  const prepare = db.prepare.bind(db);
  const counted = Object.create(db, {
    pragma: { value: db.pragma.bind(db) },
    prepare: {
      value: (sql: string) => {
        const statement = prepare(sql);
        if (!sql.includes('keys')) return statement;
        return {
          *iterate(...values: unknown[]) {
            for (const row of statement.iterate(...values)) {
              read += 1;
              yield row;
            }
          },
        };
      },
    },
  });
  const ledger = new Ledger(counted, temporary.path, 4096);
  const since = () => {
    const n = read;
    read = 0;
    return n;
  };
  return { ledger, read: since };
}

test('a row whose key is known with another digest alone is told apart from one that reads as it did', () => {
  const rows = [1, 2, 3].map((at) => digested(log.turn({ at })));
  const [once, twice, blank] = rows as [Turn, Turn, Turn];
  const changed = (row: Turn) => digested({ ...row, response: 'other' });
  const { digest: _, ...undigested } = blank;
  enter([once, twice, changed(twice), undigested]);
  const { ledger } = temporary.journal;
  expect(ledger.sightings(rows)).toEqual(['known', 'known', 'known']);
  expect(ledger.sightings(rows.map(changed))).toEqual(['other', 'known', 'known']);
  expect(ledger.sightings([{ ...changed(once), digest: undefined }, log.turn({})])).toEqual(['known', 'unknown']);
  expect(ledger.sightings([once, changed(once)])).toEqual(['known', 'other']);
  expect(ledger.knows([changed(once)])).toEqual([true]);
});

test('an hour of more rows than the cache holds is read once, not for every batch', () => {
  const rows = Array.from({ length: 2000 }, (_, i) => log.turn({ at: i }));
  enter(rows);
  const { ledger, read } = counting();
  expect(ledger.knows(rows.slice(0, 10))).not.toContain(false);
  expect(read()).toBe(16);
  const next = log.turn({ at: 2000 });
  expect(ledger.knows([...rows.slice(10), next]).indexOf(false)).toBe(1990);
  expect(read()).toBe(0);
  enter([next]);
  expect(ledger.knows([next])).toEqual([true]);
  expect(read()).toBe(1);
});

test('rows without a usable time are looked up a part at a time, and stay one bucket to whoever compares', () => {
  const times = [null, 'infinity', 'yesterday'];
  const rows = Array.from({ length: 3000 }, (_, i) => log.turn({ at: 0, createdAt: times[i % 3]! }));
  const timed = log.turn({ at: 0 });
  enter([...rows, timed]);
  const { ledger, read } = counting();
  expect(ledger.knows(rows.slice(0, 3))).toEqual([true, true, true]);
  expect(read()).toBeLessThan(10);
  const { ledger: whole } = temporary.journal;
  expect(whole.buckets()).toEqual([null, expect.any(Number)]);
  expect(whole.entries(null)).toMatchObject({ bucket: null, size: 3000 });
  expect(new Set(whole.entries(null).keys).size).toBe(3000);
  expect(whole.knows([...rows, log.turn({ createdAt: null })])).toEqual([...rows.map(() => true), false]);
});
