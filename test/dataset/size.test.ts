import Database from 'better-sqlite3';
import { describe, expect, it, vi } from 'vitest';
import { followSize } from '../../src/dataset/size.ts';
import { datasetTotals } from '../../src/dataset/stats.ts';
import type { SqliteDatabase } from '../../src/sqlite.ts';
import { callOf, compiledOf, pairOf, rejectionOf, rulesVersion, segmentOf, trajectoryOf } from '../support/records.ts';
import { withDataset } from './dataset.ts';

const trajectory = trajectoryOf();
const segment = segmentOf(trajectory);
const worked = compiledOf({
  trajectory,
  segments: [segment],
  pairs: [pairOf(trajectory, segment, { question: 'one?' }), pairOf(trajectory, segment, { question: 'two?' })],
  rejected: [rejectionOf(segment)],
  calls: [callOf(segment, { costUsd: 0.02 }), callOf(segment, { costUsd: null, outcome: 'timeout', model: null })],
});

/** Pairs of another program, as many as several pieces hold. */
const earlier = (rows: number) => `
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
  INSERT INTO qa_pairs (id, pair_key, question, cost_usd, verification, status)
  SELECT 'p' || i, 'p' || i, 'q' || i, CASE WHEN i % 4 > 0 THEN 0.25 END, 'unverified', iif(i % 10 > 0, 'active', 'superseded') FROM n`;

function writing(db: SqliteDatabase, sql: string): void {
  const writer = new Database(db.name);
  writer.exec(sql);
  writer.close();
}

/** What is counted in more time than an asker waits is there when asked again. */
const settled = (size: ReturnType<typeof followSize>, db: SqliteDatabase) =>
  vi.waitFor(async () => expect(await size()).toEqual(datasetTotals(db)), { timeout: 10_000, interval: 10 });

describe('the size of a dataset', () => {
  it('is what stats count: in force, refused, and what is known of the cost', () => {
    const newer = { ...rulesVersion, promptVersion: 'rules/2' };
    const again = compiledOf({ trajectory, segments: [segment], compiler: newer, compiledAt: '2026-03-05T00:00:00Z' });
    return withDataset([worked, again], (db) => settled(followSize(db), db));
  });

  it('of nothing is nothing, at no cost', () =>
    withDataset([], async (db) => {
      const size = followSize(db);
      await settled(size, db);
      expect(await size()).toEqual({ pairs: 0, rejected: 0, costUsd: 0, unknownCosts: 0 });
    }));

  it('follows what others write, also over many pieces', () =>
    withDataset([worked], async (db) => {
      const size = followSize(db);
      await settled(size, db);
      writing(db, earlier(2_500));
      await settled(size, db);
      expect(await size()).toMatchObject({ pairs: 2 + 2_250, rejected: 1, unknownCosts: 1 + 625 });
      writing(db, 'DELETE FROM qa_pairs WHERE segment_id IS NULL');
      await settled(size, db);
    }));

  it('has no known cost where none of what was paid for has one', () =>
    withDataset([], async (db) => {
      writing(db, `${earlier(3)}; UPDATE qa_pairs SET cost_usd = NULL`);
      const size = followSize(db);
      await settled(size, db);
      expect((await size())?.costUsd).toBeNull();
    }));

  it('lets others take their turn between two pieces', () =>
    withDataset([], async (db) => {
      writing(db, earlier(20_000));
      const size = followSize(db);
      let turns = 0;
      const taking = () => {
        turns += 1;
        handle = setImmediate(taking);
      };
      let handle = setImmediate(taking);
      await settled(size, db);
      clearImmediate(handle);
      expect(turns).toBeGreaterThanOrEqual(20);
    }));

  it('is not counted anew while nobody writes', () =>
    withDataset([worked], async (db) => {
      const size = followSize(db);
      await settled(size, db);
      expect(await size()).toBe(await size());
    }));

  it('of a file that can no longer be read is not known', () =>
    withDataset([worked], async (db) => {
      const copy = new Database(db.name, { readonly: true });
      const size = followSize(copy);
      await settled(size, db);
      copy.close();
      await vi.waitFor(async () => expect(await size()).toBeNull(), { timeout: 10_000, interval: 10 });
    }));
});
