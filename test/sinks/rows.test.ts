import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Row, tableNames, tables } from '../../src/dataset-tables.ts';
import { rowsOf } from '../../src/sinks/rows.ts';
import { callOf, compiledArbitrary, compiledOf, pairOf, segmentOf, trajectoryOf } from '../support/records.ts';

describe('a message as rows', () => {
  it('names every column of its table, and no key twice', () => {
    fc.assert(
      fc.property(compiledArbitrary, (compiled) => {
        const rows = rowsOf(compiled);
        for (const table of tableNames) {
          const keys = rows[table].map((row: Row) => JSON.stringify(tables[table].key.map((column) => row[column])));
          expect(new Set(keys).size).toBe(keys.length);
          for (const row of rows[table]) expect(Object.keys(row)).toEqual([...tables[table].columns]);
        }
      }),
    );
  });

  it('is the first of what one message says twice', () => {
    const trajectory = trajectoryOf();
    const segment = segmentOf(trajectory);
    const pairs = ['first', 'second'].map((answer) => pairOf(trajectory, segment, { answer }));
    const calls = [1, 2].map((costUsd) => callOf(segment, { id: 'call\0', costUsd }));
    const rows = rowsOf(compiledOf({ trajectory, segments: [segment, segment], pairs, calls }));
    expect(rows.qa_pairs).toMatchObject([{ answer: 'first' }]);
    expect(rows.llm_calls).toMatchObject([{ id: 'call\ufffd', cost_usd: 1 }]);
    expect(rows.segments).toHaveLength(1);
  });

  it.each(['yesterday', 'infinity'])('parks a message that was compiled at %s', (compiledAt) => {
    const bad = expect.objectContaining({ kind: 'park', code: 'bad_message' });
    expect(() => rowsOf(compiledOf({ compiledAt }))).toThrow(bad);
  });
});
