/** What the journal knows of a row, long after its text is gone. */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isoOf, microsOf, type ResumeLsn, type Turn } from '../../src/records.ts';
import { createDigester } from '../../src/row-digest.ts';
import { packTurns } from '../../src/sessionizer/chunk.ts';
import { openJournal } from '../../src/sessionizer/journal.ts';
import { readFact } from '../../src/sessionizer/journal-facts.ts';
import { openJournalReader } from '../../src/sessionizer/journal-reader.ts';
import { journalMigrations } from '../../src/sessionizer/journal-schema.ts';
import { hashKey } from '../../src/sessionizer/key-hash.ts';
import { bucketOf, digestBits, type Fate, type Ledger } from '../../src/sessionizer/ledger.ts';
import { LedgerWriter } from '../../src/sessionizer/ledger-write.ts';
import { sessionize, watermarkOf } from '../../src/sessionizer/sessionize.ts';
import { openSqlite } from '../../src/sqlite.ts';
import { batchOf, day, hour, LogWriter, lsn, rules, start, watermark } from './log.ts';
import { MemoryJournal } from './memory-journal.ts';
import { TemporaryJournal } from './temporary-journal.ts';

const firstHour = start / hour;

let log: LogWriter;
let temporary: TemporaryJournal;

beforeEach(() => {
  log = new LogWriter();
  temporary = new TemporaryJournal();
});

afterEach(() => temporary.remove());

function turns(times: number[], session = 's'): Turn[] {
  return times.map((at) => log.turn({ at, session }));
}

/** By row key, of all that the ledger holds. */
function fatesOf(ledger: Ledger, rows: readonly Turn[]): Map<string, Fate[]> {
  const fates = new Map<bigint, Fate[]>();
  for (const bucket of ledger.buckets()) {
    const entries = ledger.entries(bucket);
    for (const [i, key] of entries.keys.entries()) fates.set(key, [...(fates.get(key) ?? []), entries.fateAt(i)]);
  }
  return new Map(rows.map(({ rowKey }) => [rowKey, fates.get(hashKey(rowKey)) ?? []]));
}

describe('a bucket', () => {
  test('is the hour of the row, and none for a row without a finite time', () => {
    const times = ['2026-01-05 00:00:00+00', '2026-01-05 00:59:59.999999+00', '2026-01-05 01:00:00+00'];
    expect(times.map(bucketOf)).toEqual([firstHour, firstHour, firstHour + 1]);
    expect(['1969-12-31 23:59:59.5+00', '2026-01-05 02:30:00+02'].map(bucketOf)).toEqual([-1, firstHour]);
    expect([null, 'infinity', '-infinity', 'yesterday', '0044-03-15 00:00:00+00 BC'].map(bucketOf)).toEqual(
      Array(5).fill(null),
    );
  });

  test('is the same however the time is written', () => {
    const zone = fc.constantFrom('+00', 'Z', '', '+00:00', '+05:30', '-08');
    const text = fc.tuple(fc.integer({ min: -(2 ** 50), max: 2 ** 52 }), zone, fc.nat(6), fc.constantFrom(' ', 'T'));
    fc.assert(
      fc.property(text, ([at, suffix, digits, between]) => {
        const [date = '', fraction = ''] = isoOf(at).replace('Z', '').replace('T', between).split('.');
        const written = `${date}${digits === 0 ? '' : `.${fraction.slice(0, digits)}`}${suffix}`;
        expect(bucketOf(written)).toBe(Math.floor(microsOf(written)! / hour));
      }),
    );
  });
});

describe('a row', () => {
  test('is known once it is committed, whatever becomes of it, and after a restart', () => {
    const rows = [...turns([0, 1, 2], 'sealed'), ...turns([0], 'let go'), ...turns([8 * day], 'open')];
    expect(temporary.journal.ledger.knows(rows)).toEqual(rows.map(() => false));
    temporary.take(rows.slice(0, 4));
    expect(temporary.journal.ledger.knows(rows)).toEqual([true, true, true, true, false]);
    temporary.take([...rows.slice(4), watermark(8 * day)]);
    temporary.finishAll();
    expect(temporary.journal.ledger.knows(rows)).toEqual(rows.map(() => true));
    temporary.restart();
    expect(temporary.journal.ledger.knows(rows)).toEqual(rows.map(() => true));
    expect(temporary.journal.totals().ledgerRows).toBe(5);
    expect(temporary.journal.ledger.knows(turns([0]))).toEqual([false]);
    expect(temporary.journal.ledger.gap).toBeNull();
  });

  test('without a time is known too', () => {
    const [row] = [log.turn({ at: 0, createdAt: null })];
    temporary.take([row!]);
    expect(temporary.journal.ledger.buckets()).toEqual([null]);
    expect(temporary.journal.ledger.knows([row!, log.turn({ createdAt: 'infinity' })])).toEqual([true, false]);
  });

  test('of a commit that failed is not known', () => {
    const rows = turns([0, 1]);
    const blocker = new Database(temporary.path);
    blocker.exec(`CREATE TRIGGER full BEFORE INSERT ON counters BEGIN SELECT RAISE(ABORT, 'no'); END`);
    expect(() => temporary.take(rows)).toThrow();
    expect(temporary.journal.ledger.knows(rows)).toEqual([false, false]);
    blocker.exec('DROP TRIGGER full');
    blocker.close();
    temporary.take(rows.slice(1));
    expect(temporary.journal.ledger.knows(rows)).toEqual([false, true]);
    expect(temporary.journal.ledger.entries(firstHour).size).toBe(1);
  });

  test('may be digested with another key later: the journal names them all', () => {
    const keys = ['a key of sixteen characters', 'another key of that length'].map(createDigester);
    for (const digester of keys) {
      openJournal(temporary.path, { source: 'test', rules, digester }).close();
    }
    const reader = openJournalReader(temporary.path);
    expect(reader.digestKeys()).toEqual(keys.map(({ keyId }) => keyId));
    reader.close();
  });

  test('from before the first one was before capture: the journal keeps that, and no later one', () => {
    temporary.take([...turns([hour]), watermark(hour - 1000)]);
    temporary.take([...turns([2 * hour]), watermark(2 * hour)]);
    temporary.restart();
    const db = new Database(temporary.path, { readonly: true });
    expect(readFact(db, 'began')).toBe(start + hour);
    db.close();
  });

  test('from a moment before the first watermark was before capture too: a watermark keeps behind the server', () => {
    temporary.take([watermark(hour)], { serverAt: start + hour + 800 });
    temporary.take([...turns([2 * hour]), watermark(2 * hour)], { serverAt: start + 2 * hour + 800 });
    const db = new Database(temporary.path, { readonly: true });
    expect(readFact(db, 'began')).toBe(start + hour + 800);
    db.close();
  });

  test('carries its digest: 64 bits in the ledger, all of it in its trajectory', () => {
    const digester = createDigester('a key of sixteen characters');
    const digested = new TemporaryJournal({ digester });
    try {
      const rows = turns(Array.from({ length: 300 }, (_, i) => i * 1000));
      digested.take([...rows, watermark(hour)]);
      const entries = digested.journal.ledger.entries(firstHour);
      const stored = new Map([...entries.keys].map((key, i) => [key, entries.digests[i]]));
      for (const row of rows) expect(stored.get(hashKey(row.rowKey))).toBe(digestBits(digester.digestOf(row)));
      expect(new Set(stored.values()).size).toBe(300);
      const [ref] = digested.journal.outbox.pending(1);
      for (const turn of digested.journal.outbox.assemble(ref!.trajectoryId).turns) {
        expect(turn.digest).toBe(digester.digestOf(turn));
      }
    } finally {
      digested.remove();
    }
  });

  test('can be looked up by another process, which sees what comes later', () => {
    const rows = turns([0, 1]);
    temporary.take(rows.slice(0, 1));
    const reader = openJournalReader(temporary.path);
    expect(reader.ledger.knows(rows)).toEqual([true, false]);
    temporary.take(rows.slice(1));
    expect(reader.ledger.knows(rows)).toEqual([true, true]);
    reader.close();
  });
});

test('the fate of every row is told: live, in which trajectory and whether published, or why it was let go', () => {
  const short = { ...rules, maxTurns: 4 };
  const row = fc.record({
    gap: fc.constantFrom(0, 1, hour / 7, hour, 3 * day),
    session: fc.constantFrom('a', 'b', 'c'),
    size: fc.constantFrom(10, 10, 1000, 40_000),
    timed: fc.nat(5).map((n) => n > 0),
  });
  const after = fc.constantFrom('nothing', 'nothing', 'restart', 'publish', 'finish');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.array(row, { maxLength: 8 }), after), { maxLength: 12 }), (batches) => {
      const real = new TemporaryJournal({ rules: short });
      const model = new MemoryJournal();
      const writer = new LogWriter();
      const all: Turn[] = [];
      const published = new Set<string>();
      let at = 0;
      try {
        for (const [list, then] of batches) {
          const some = list.map(({ gap, session, size, timed }) => {
            at += gap;
            return writer.turn({ session, at, response: 'x'.repeat(size), ...(timed ? {} : { createdAt: null }) });
          });
          all.push(...some);
          const changes = [...some, watermark(at)];
          real.take(changes);
          model.apply(batchOf(changes), short);
          const ids = real.journal.outbox.pending(1000).map(({ trajectoryId }) => trajectoryId);
          if (then === 'restart') real.restart();
          if (then === 'publish') real.journal.outbox.published(ids);
          if (then === 'finish') real.finishAll();
          if (then === 'publish' || then === 'finish') for (const id of ids) published.add(id);
        }
        const expected = new Map<string, Fate[]>();
        for (const { fate, rows, id } of model.parts()) {
          const [kind, reason = ''] = fate.split(' ');
          const told: Fate =
            id !== null
              ? { kind: 'sealed', trajectoryId: id, published: published.has(id) }
              : kind === 'released'
                ? { kind: 'released', reason }
                : { kind: 'live' };
          for (const key of rows) expected.set(key, [told]);
        }
        const told = fatesOf(real.journal.ledger, all);
        for (const { rowKey } of all) expect(told.get(rowKey)).toEqual(expected.get(rowKey));
        expect(real.journal.totals().ledgerRows).toBe(all.length);
        expect(real.journal.ledger.knows(all)).toEqual(all.map(() => true));
      } finally {
        real.remove();
      }
    }),
    { numRuns: 25 },
  );
}, 30_000);

test('rows that were in open parts of a journal that is taken over count as unknown, and those of ended parts do not', () => {
  const [ended, open] = [turns([0, 1, 2]), turns([hour, hour + 1], 'open')];
  temporary.take([...ended, ...open, watermark(hour)]);
  temporary.finishAll();
  const next = new TemporaryJournal();
  try {
    next.journal.takeOver(temporary.path, 'same key');
    for (const again of [false, true]) {
      if (again) next.restart();
      expect(next.journal.ledger.knows([...ended, ...open])).toEqual([true, true, true, false, false]);
      expect(next.journal.ledger.entries(firstHour + 1).size).toBe(0);
      expect(next.journal.totals().ledgerRows).toBe(3);
    }
    next.take(open, { history: { state: 'reading' }, injected: true });
    expect(next.journal.ledger.knows(open)).toEqual([true, true]);
  } finally {
    next.remove();
  }
});

test('parts whose ids lie far apart are told apart', () => {
  const ids = [3, 2 ** 33, 4, 2 ** 45];
  const rows = turns(ids.map(() => 0));
  const db = new Database(temporary.path);
  const writer = new LedgerWriter(db);
  for (const [i, row] of rows.entries()) writer.add(row, ids[i]!, undefined);
  for (const id of ids) writer.ended(id, 1, { kind: 'sealed', trajectoryId: id.toString(16).padStart(64, '0') });
  expect(writer.finish().rows).toBe(4);
  db.close();
  const told = [...fatesOf(temporary.journal.ledger, rows).values()].flat();
  expect(told.map((fate) => (fate.kind === 'sealed' ? Number.parseInt(fate.trajectoryId, 16) : fate))).toEqual(ids);
});

test('a history that broke off leaves nothing in the ledger', () => {
  const rows = [0, 1, 2].map((at) => log.historyTurn({ at }));
  temporary.take(rows, { history: { state: 'reading' } });
  expect(temporary.journal.ledger.knows(rows)).toEqual([true, true, true]);
  temporary.journal.dropHistory();
  expect(temporary.journal.ledger.knows(rows)).toEqual([false, false, false]);
  expect(temporary.journal.ledger.buckets()).toEqual([]);
  expect(temporary.journal.totals().ledgerRows).toBe(0);
});

test('the columns that rows are known by are those of the first row, also for a journal that takes them over', () => {
  const [first, other] = [
    { key: 'id (integer)', time: null },
    { key: 'id (integer)', time: 'at (date)' },
  ];
  const { journal } = temporary;
  journal.setRowColumns(other);
  expect(journal.rowColumns).toBeNull();
  journal.setRowColumns(first);
  temporary.take([...turns([0, 1, 2]), watermark(hour)]);
  temporary.finishAll();
  journal.setRowColumns(other);
  temporary.restart();
  expect(temporary.journal.rowColumns).toEqual(first);
  const next = new TemporaryJournal();
  try {
    next.journal.takeOver(temporary.path, 'same key');
    next.journal.setRowColumns(other);
    expect(next.journal.rowColumns).toEqual(first);
  } finally {
    next.remove();
  }
});

describe('a journal from before there was a ledger', () => {
  const sealedId = 'ab'.repeat(32);

  /** Two rows in the outbox, one in a live part, and `gone` more that were taken in and finished. */
  function writeOld(path: string, rows: Turn[], gone: number): void {
    const db = openSqlite(path, { what: 'journal', migrations: journalMigrations.slice(0, 1) });
    const chunk = db.prepare('INSERT INTO chunks (part_id, heads, body) VALUES (?, ?, ?)');
    for (const [i, row] of rows.entries()) {
      const { heads, body } = packTurns([row]);
      chunk.run(i < 2 ? 1 : 2, heads, body);
    }
    db.exec(`
      INSERT INTO sealed VALUES (1, '${sealedId}', 1, 's', 0, 2, 10, 1, 2, 'idle', 1);
      INSERT INTO parts VALUES (40, 'gone', 0, 1, 10, 0, 0, 0, NULL, 0);
      DELETE FROM parts;
      INSERT INTO parts VALUES (2, 's', 1, ${rows.length - 2}, 10, ${start}, ${start}, ${start}, NULL, 1);
      INSERT INTO sessions VALUES ('s', 1);
      INSERT INTO counters VALUES ('rows', '', ${rows.length + gone}), ('closes', 'idle', 1);
    `);
    const position = { lsn: lsn(160), ordinal: 0 };
    const capture = { progress: { resumeLsn: lsn(160), partial: null }, lastPosition: position, watermark: start };
    const fact = db.prepare('INSERT INTO facts VALUES (?, ?)');
    fact.run('source', '"test"');
    fact.run('capture', JSON.stringify({ ...capture, history: 'none' }));
    db.close();
  }

  test.each([0, 7])('has the rows in it that it still held, and says that %d others are not', (gone) => {
    const rows = turns([0, hour, 2 * hour]);
    const path = `${temporary.path}-old`;
    writeOld(path, rows, gone);
    const journal = openJournal(path, { source: 'test', rules });
    try {
      expect(journal.ledger.knows(rows)).toEqual([true, true, true]);
      expect([...fatesOf(journal.ledger, rows).values()].flat()).toEqual([
        { kind: 'sealed', trajectoryId: sealedId, published: true },
        { kind: 'sealed', trajectoryId: sealedId, published: true },
        { kind: 'live' },
      ]);
      const position = { lsn: lsn(160), ordinal: 0 };
      expect(journal.ledger.gap).toEqual(gone === 0 ? null : { rows: 7, lastPosition: position, watermark: start });
      expect(journal.totals()).toMatchObject({ rows: 3 + gone, ledgerRows: 3, open: 0, held: 1, sealed: 1 });
      expect(journal.resumeLsn).toBe(lsn(160) as string as ResumeLsn);
    } finally {
      journal.close();
    }
  });

  test('has its bodies and its live parts as they were, and gives no id of a part again', () => {
    const rows = turns([0, 1, 2, 3]);
    const path = `${temporary.path}-old`;
    writeOld(path, rows, 0);
    const journal = openJournal(path, { source: 'test', rules });
    try {
      expect(journal.outbox.assemble(sealedId).turns).toEqual(rows.slice(0, 2));
      expect(journal.recall(['s'], null).parts.get('s')).toEqual({
        ...{ sessionId: 's', part: 1, turns: 2, bytes: 10, held: true },
        ...{ firstAt: start, openedAt: start, lastAt: start, endMarkerAt: null },
      });
      const later = [20, 21].map((n) => ({ lsn: lsn(16 * n), ordinal: 0 }));
      const next = [log.turn({ at: 4, position: later[0]! }), log.turn({ session: 'new', position: later[1]! })];
      const batch = batchOf([...next, watermark(hour)]);
      journal.commit(sessionize(journal.recall(batch.sessionIds, watermarkOf(batch)), batch, rules), batch);
      const [, ref] = [...journal.outbox.publishedIds(), ...journal.outbox.pending(1).map((r) => r.trajectoryId)];
      expect(journal.outbox.assemble(ref!).turns.map(({ rowKey }) => rowKey)).toEqual(['3', '4', '5']);
      const db = new Database(path, { readonly: true });
      expect(db.prepare('SELECT id FROM parts').pluck().all()).toEqual([41]);
      db.close();
    } finally {
      journal.close();
    }
  });

  test('is refused by who may only read it, in words that say who may write it', () => {
    const path = `${temporary.path}-old`;
    writeOld(path, turns([0, 1, 2]), 0);
    expect(() => openJournalReader(path)).toThrow(expect.objectContaining({ kind: 'stop', code: 'journal_older' }));
  });
});
