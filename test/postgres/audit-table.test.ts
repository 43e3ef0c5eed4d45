import { expect, test } from 'vitest';
import { createTableSql, mapColumns, sourceName, turnOf } from '../../src/postgres/audit-table.ts';
import { parseTableName, quoteIdent, quoteLiteral } from '../../src/postgres/quote.ts';
import { rowColumnsOf } from '../../src/postgres/row-columns.ts';
import type { Lsn } from '../../src/records.ts';
import { lsnOf, resumeAt } from '../../src/stream/lsn.ts';
import { checkIdentity, startOf } from '../../src/stream/start.ts';

const names = (...columns: string[]) => columns.map((name) => ({ name }));
const position = { lsn: '00000000/00000001' as Lsn, ordinal: 0 };

test.each([
  ['audit_log', 'public', 'audit_log'],
  ['ops.audit_log', 'ops', 'audit_log'],
  ['"Audit"."log.2026"', 'Audit', 'log.2026'],
  ['"a""b"', 'public', 'a"b'],
])('%s names a table', (text, schema, name) => {
  expect(parseTableName(text)).toEqual({ schema, name });
});

test.each(['', 'a b', 'a.b.c', '.a', 'a.', '"a', "a'; DROP TABLE b"])('%j names none', (text) => {
  expect(parseTableName(text)).toBeNull();
});

test('quoting leaves nothing to break out of', () => {
  expect(quoteIdent('a"b')).toBe('"a""b"');
  expect(quoteLiteral("it's")).toBe("'it''s'");
  expect(quoteLiteral("\\'")).toBe(" E'\\\\'''");
});

test('a column may serve two roles, and is read once', () => {
  const mapping = mapColumns(names('id', 'run'), { table: 't', columns: { sessionId: 'run', agent: 'run' } }, 't');
  expect(mapping.names.filter((name) => name === 'run')).toHaveLength(1);
  expect(
    turnOf(
      mapping.names.map((name) => `${name}!`),
      mapping,
      position,
      1,
    ),
  ).toMatchObject({
    sessionId: 'run!',
    agent: 'run!',
    rowKey: 'id!',
  });
});

test('session and key are required, whatever their name', () => {
  expect(() => mapColumns(names('id'), { table: 't' }, 'public.t')).toThrow(
    /no column session_id: set columns\.sessionId/,
  );
  expect(() => mapColumns(names('session_id'), { table: 't' }, 'public.t')).toThrow(/columns\.key/);
});

test('a rule leaves a row out before anything else is asked of it; null equals nothing', () => {
  const settings = { table: 't', exclude: [{ column: 'origin', equals: 'self' }] };
  const mapping = mapColumns(names('id', 'session_id', 'origin'), settings, 't');
  const row = (session: string | null, origin: string | null) =>
    turnOf(
      mapping.names.map((name) => ({ id: '1', session_id: session, origin })[name] ?? null),
      mapping,
      position,
      1,
    );
  expect(row(null, 'self')).toBe('excluded');
  expect(row(null, null)).toBe('no_session');
  expect(row('s', null)).toMatchObject({ sessionId: 's' });
});

test('the table that is created has the mapped names', () => {
  const sql = createTableSql({ table: 'ops.log', columns: { sessionId: 'run', metadata: ['region'] } }).join(';\n');
  expect(sql).toContain('CREATE TABLE IF NOT EXISTS "ops"."log"');
  expect(sql).toMatch(/"id" bigint .*IDENTITY PRIMARY KEY,\n {2}"run" text NOT NULL/);
  expect(sql).toContain('"region" text');
  expect(sql).toContain('ON "ops"."log" ("run")');
});

test('a source is named by cluster, database and table alone', () => {
  const name = sourceName('7', 'db', { schema: 'public', name: 't' });
  expect(name).toMatch(/^[0-9a-f]{32}$/);
  expect(sourceName('7', 'd', { schema: 'bpublic', name: 't' })).not.toBe(name);
});

test('where a stream begins', () => {
  const slot = {
    confirmedFlush: lsnOf(100n),
    flushed: lsnOf(1_000n),
    restartLsn: lsnOf(90n),
    active: false,
    activePid: null,
    walStatus: 'reserved',
    retainedBytes: 0,
  };
  const stored = (at: bigint) => ({
    progress: { resumeLsn: resumeAt(lsnOf(at)), partial: null },
    identity: null,
    columns: null,
  });
  const nothing = { progress: null, identity: null, columns: null };
  expect(startOf(nothing, slot, 's', 'now')?.resumeLsn).toBe(lsnOf(100n));
  expect(startOf(nothing, slot, 's', 'beginning')).toBeNull();
  expect(startOf(stored(150n), slot, 's', 'beginning')?.resumeLsn).toBe(lsnOf(150n));
  expect(startOf(stored(100n), slot, 's', 'now')?.resumeLsn).toBe(lsnOf(100n));
  expect(() => startOf(stored(99n), slot, 's', 'now')).toThrow(/slot s is at 0\/64, ahead of 0\/63 .*1 bytes/);
});

test('an identity is compared part by part', () => {
  const identity = { system_identifier: '7', timeline: '1', slot: 's', publication: 'p' };
  checkIdentity(null, identity);
  checkIdentity({ ...identity }, identity);
  expect(() => checkIdentity({ ...identity, timeline: '2' }, identity)).toThrow(/another timeline.* 2, now 1/);
});

test('rows are recognised by name and type of key and time, types of the same text being one', () => {
  const known = (columns: { name: string; type: string }[], settings = {}) =>
    rowColumnsOf({ columns, mapping: mapColumns(columns, { table: 't', columns: settings }, 't') });
  const typed = (id: string, at?: string) => [
    { name: 'id', type: id },
    { name: 'session_id', type: 'text' },
    ...(at === undefined ? [] : [{ name: 'created_at', type: at }]),
  ];
  expect(known(typed('bigint', 'date'))).toEqual({ key: 'id (integer)', time: 'created_at (date)' });
  expect(known(typed('integer'))).toEqual({ key: 'id (integer)', time: null });
  expect(known(typed('character varying(40)'))).toEqual(known(typed('text')));
  expect(known(typed('uuid'))).not.toEqual(known(typed('text')));
  expect(known(typed('text'), { key: 'session_id' })).toEqual({ key: 'session_id (text)', time: null });
});

test('a created audit log has no column for what the settings leave out', () => {
  const sql = createTableSql({ table: 'log', columns: { cost: '-', time: '-' } }).join(';\n');
  expect(sql).not.toMatch(/"-"|cost_usd|created_at|log_time/);
  expect(sql).toContain('"duration_ms" integer');
});
