import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { datasetRows } from '../../src/dataset/rows.ts';
import { type Row, type TableName, tableNames, tables } from '../../src/dataset-tables.ts';
import { rowsOf } from '../../src/sinks/rows.ts';
import type { SqliteDatabase } from '../../src/sqlite.ts';
import { callOf, compiledOf, oddTexts, pairOf, rejectionOf, segmentOf, trajectoryOf } from '../support/records.ts';
import { withDataset } from './dataset.ts';

const trajectory = trajectoryOf();
const segments = [segmentOf(trajectory), segmentOf(trajectory, {}, 1)];
const message = compiledOf({
  trajectory,
  segments,
  pairs: oddTexts.map((answer, n) => pairOf(trajectory, segments[n % 2]!, { answer, question: `question ${n}?` })),
  rejected: [rejectionOf(segments[0]!)],
  calls: ['a', 'b', 'c'].map((id) => callOf(segments[0]!, { id, costUsd: null })),
});

const readAll = (db: SqliteDatabase, table: TableName, batch: number): Row[] =>
  [...datasetRows(db, table, batch)].flat();

describe('the rows of a dataset, to fill another sink with', () => {
  it.each([1, 5, 1000])('are those that the message gave, in batches of %i', (batch) =>
    withDataset([message], (db) => {
      const given = rowsOf(message);
      for (const table of tableNames) {
        const expected = given[table].map((row) => ({
          ...row,
          ...('status' in row ? { status: 'active' } : {}),
          ...Object.fromEntries(tables[table].later.map((column) => [column, null])),
        }));
        const found = readAll(db, table, batch);
        expect(found).toHaveLength(expected.length);
        expect(found).toEqual(expect.arrayContaining(expected));
        for (const some of datasetRows(db, table, batch)) expect(some.length).toBeLessThanOrEqual(batch);
      }
    }),
  );

  it('come with what later passes set, and with text that every database can hold', () =>
    withDataset([message], (db) => {
      const writer = new Database(db.name);
      writer.exec(`UPDATE qa_pairs SET duplicate_of = 'another', status = 'superseded', answer = 'a' || char(0),
        raw_extraction = '["\\u0000"]'`);
      writer.close();
      const [row] = readAll(db, 'qa_pairs', 100);
      expect(row).toMatchObject({ duplicate_of: 'another', status: 'superseded', answer: 'a\ufffd' });
      expect(row!.raw_extraction).toBe('["\\ufffd"]');
    }));

  it('leave the dataset free to be read between two batches', () =>
    withDataset([message], (db) => {
      for (const _ of datasetRows(db, 'trajectory_turns', 5)) readAll(db, 'segments', 1);
    }));

  it('put in force what is there: segments are the last table', () => {
    expect(tableNames.at(-1)).toBe('segments');
  });
});
