import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type HourRange, openPageReader } from '../../src/postgres/row-pages.ts';
import { bucketOf } from '../../src/sessionizer/ledger.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let url: string;
const everything: HourRange = { since: null, until: null };
const never = new AbortController().signal;

beforeAll(async () => {
  postgres = await startPostgres();
  url = await postgres.createDatabase();
});
afterAll(() => postgres?.stop());

async function pagesOf(table: string, range: HourRange, pageRows: number, time?: string) {
  const reader = await openPageReader({ url, table, pageRows, columns: { time } });
  try {
    const keys: string[] = [];
    for await (const rows of reader.pages(range, never)) {
      expect(rows.length).toBeLessThanOrEqual(pageRows);
      keys.push(...rows.map((row) => row[reader.table.mapping.at.key]!));
    }
    const found: { rowKey: string; createdAt: string | null }[] = [];
    for await (const some of reader.keys(range, never)) found.push(...some);
    expect(found.map(({ rowKey }) => rowKey)).toEqual(keys);
    return { keys, found, order: reader.order, withoutKey: await reader.countWithoutKey(range) };
  } finally {
    await reader.close();
  }
}

const rowsRead = async (table: string) => {
  const sql = `SELECT seq_tup_read + idx_tup_fetch AS n FROM pg_stat_user_tables WHERE relname = '${table}'`;
  return Number((await queryOn(url, sql))[0]?.n);
};

describe('pages of a table', () => {
  it.each([
    ['an index on the time', 'CREATE INDEX ON audit_log_1 (created_at)', 'time'],
    ['an index on the key alone', '', 'key'],
  ])('hold every row once, with %s, equal and unusable times among them', async (_, index, order) => {
    await queryOn(
      url,
      `DROP TABLE IF EXISTS audit_log_1; CREATE TABLE audit_log_1 (id uuid UNIQUE, session_id text, created_at timestamptz);
       INSERT INTO audit_log_1 SELECT gen_random_uuid(), 's', '2026-03-02 09:00:00+00'::timestamptz + (n / 50) * interval '20 min'
         FROM generate_series(0, 499) AS n;
       INSERT INTO audit_log_1 SELECT gen_random_uuid(), 's', t::timestamptz
         FROM unnest(ARRAY[NULL, 'infinity', '-infinity', '0044-03-15 BC', '250000-01-01']) AS t;
       INSERT INTO audit_log_1 VALUES (NULL, 's', '2026-03-02 09:00:00+00'); ${index}`,
    );
    const all = await queryOn(url, 'SELECT id FROM audit_log_1 WHERE id IS NOT NULL ORDER BY id');
    const { keys, found, withoutKey, ...rest } = await pagesOf('audit_log_1', everything, 7);
    expect({ order: rest.order, withoutKey }).toEqual({ order, withoutKey: 1 });
    expect([...keys].sort()).toEqual(all.map(({ id }) => id));
    const hours = found.map(({ createdAt }) => bucketOf(createdAt));
    const nine = bucketOf('2026-03-02 09:00:00+00')!;
    expect(hours.filter((hour) => hour === nine)).toHaveLength(150);
    expect((await pagesOf('audit_log_1', { since: nine, until: nine + 2 }, 40)).keys).toHaveLength(300);
    expect((await pagesOf('audit_log_1', { since: null, until: nine + 1 }, 40)).keys).toHaveLength(150);
  });

  it('are read off the index, each row once, though the table has no statistics', async () => {
    await queryOn(
      url,
      `CREATE TABLE audit_log_3 (id bigint PRIMARY KEY, session_id text, created_at timestamptz)
         WITH (autovacuum_enabled = off);
       INSERT INTO audit_log_3 SELECT n, 's', '2026-03-02'::timestamptz + n * interval '1 s' FROM generate_series(1, 2000) AS n;
       CREATE INDEX ON audit_log_3 (created_at)`,
    );
    const before = await rowsRead('audit_log_3');
    expect((await pagesOf('audit_log_3', everything, 20)).keys).toHaveLength(2000);
    // The rows and their keys: twice, and the row before each of a hundred pages.
    await vi.waitFor(async () => expect((await rowsRead('audit_log_3')) - before).toBeGreaterThanOrEqual(4000));
    expect((await rowsRead('audit_log_3')) - before).toBeLessThan(6000);
  });

  it('go by the key where times are no timestamps', async () => {
    await queryOn(
      url,
      `CREATE TABLE audit_log_2 (id bigint PRIMARY KEY, session_id text, created_at text);
       INSERT INTO audit_log_2 SELECT n, 's', 'yesterday' FROM generate_series(1, 30) AS n; CREATE INDEX ON audit_log_2 (created_at)`,
    );
    const { keys, order } = await pagesOf('audit_log_2', everything, 8);
    expect({ order, keys }).toEqual({ order: 'key', keys: Array.from({ length: 30 }, (_, n) => String(n + 1)) });
  });
});
