import { expect, test } from 'vitest';
import { mapColumns } from '../../src/postgres/audit-table.ts';
import { columnPicker } from '../../src/stream/columns.ts';

const names = ['session_id', 'id'];
const mapping = mapColumns(
  names.map((name) => ({ name })),
  { table: 'public.audit_log' },
  'public.audit_log',
);
const pick = columnPicker({ oid: 7, schema: 'public', name: 'audit_log', mapping });

test('rows of another table are no rows of the log, though it has the same columns', () => {
  expect(pick({ oid: 8, schema: 'public', name: 'other_log', columns: names })).toBeNull();
});

test('a table that was renamed is still the log', () => {
  expect(pick({ oid: 7, schema: 'public', name: 'old_log', columns: ['at', ...names] })).toEqual([1, 2]);
});
