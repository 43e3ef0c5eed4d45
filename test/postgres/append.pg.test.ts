import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appendRows, type NewRow } from '../../src/postgres/append.ts';
import { type ColumnSettings, createTableSql, describeTable } from '../../src/postgres/audit-table.ts';
import { clientConfig, openClient } from '../../src/postgres/connection.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

let server: TestPostgres;
let client: pg.Client;
beforeAll(async () => {
  server = await startPostgres();
  client = await openClient(clientConfig(await server.createDatabase(), { purpose: 'test' }));
}, 120_000);
afterAll(async () => {
  await client?.end();
  await server?.stop();
});

let tables = 0;
async function freshTable(columns: ColumnSettings = {}, sql?: (name: string) => string) {
  const table = `append_${tables++}`;
  for (const statement of sql === undefined ? createTableSql({ table, columns }) : [sql(table)])
    await client.query(statement);
  return describeTable(client, { table, columns });
}

const row = (over: Partial<NewRow> = {}): NewRow => ({
  sessionId: 's-1',
  agent: 'todos',
  tool: 'get_todo',
  arguments: '{"id":1}',
  response: '"fine"',
  costUsd: '0.001200',
  durationMs: '12',
  createdAt: '2026-01-05 08:26:59.153001+00',
  ...over,
});

const all = async (sql: string) => (await client.query(`SELECT * FROM ${sql} ORDER BY id`)).rows;

describe('appendRows', () => {
  it('stores text as it was handed over: big integers, trailing zeros, microseconds, quotes and backslashes', async () => {
    const table = await freshTable();
    const hard = row({
      arguments: '{"n": 9007199254740993, "p": 1.10}',
      response: '"{\\"a,b\\": \\\\ \\u00e9 NULL}"',
      agent: 'a "quoted", {braced} \\ NULL',
    });
    expect(
      await appendRows(client, table, [hard, row({ agent: null, arguments: null, response: null, costUsd: null })]),
    ).toEqual({
      inserted: 2,
      refused: [],
    });
    const [first, second] = await all(table.sql);
    expect(first).toMatchObject({
      arguments: '{"n": 9007199254740993, "p": 1.10}',
      agent: hard.agent,
      created_at: '2026-01-05 08:26:59.153001+00',
      cost_usd: '0.001200',
    });
    expect(JSON.parse(first.response)).toBe(JSON.parse(hard.response as string));
    expect(second).toMatchObject({ agent: null, arguments: null, response: null, cost_usd: null });
  });

  it('keeps the order of the rows', async () => {
    const table = await freshTable();
    await appendRows(
      client,
      table,
      Array.from({ length: 700 }, (_, i) => row({ sessionId: `s-${i}` })),
    );
    expect((await all(table.sql)).map(({ session_id }) => session_id)).toEqual(
      Array.from({ length: 700 }, (_, i) => `s-${i}`),
    );
  });

  it('isolates the rows that Postgres refuses, names them without their content, and stores the rest in order', async () => {
    const table = await freshTable();
    const rows = Array.from({ length: 100 }, (_, i) => row({ sessionId: `s-${i}` }));
    rows[3] = row({ response: '"hush \\u0000"' });
    rows[40] = row({ arguments: '{"a":"hush \\ud800"}' });
    rows[41] = row({ durationMs: '12.5' });
    rows[99] = row({ createdAt: '2026-02-31T00:00:00Z' });
    const { inserted, refused } = await appendRows(client, table, rows);
    expect(inserted).toBe(96);
    expect(refused.map(({ index }) => index)).toEqual([3, 40, 41, 99]);
    expect(refused[0]?.reason).toContain('\\u0000');
    expect(JSON.stringify(refused)).not.toContain('hush');
    const expected = rows.filter((_, i) => ![3, 40, 41, 99].includes(i)).map(({ sessionId }) => sessionId);
    expect((await all(table.sql)).map(({ session_id }) => session_id)).toEqual(expected);
  });

  it('stores nothing with allOrNone where one row is refused, and leaves no transaction open', async () => {
    const table = await freshTable();
    const rows = [row(), row({ response: '"\\u0000"' }), row()];
    expect(await appendRows(client, table, rows, { allOrNone: true })).toMatchObject({
      inserted: 0,
      refused: [{ index: 1 }],
    });
    expect(await all(table.sql)).toEqual([]);
    expect(await appendRows(client, table, [row()])).toMatchObject({ inserted: 1 });
  });

  it('throws what concerns the whole statement', async () => {
    const table = await freshTable();
    await client.query(`DROP TABLE ${table.sql}`);
    await expect(appendRows(client, table, [row()])).rejects.toMatchObject({ code: '42P01' });
  });

  it('serves other names and types: text columns take the string itself, missing columns are left out', async () => {
    const columns = { key: 'k', sessionId: 'Trace "id"', time: 'at', response: 'answer', metadata: ['source', 'tags'] };
    const table = await freshTable(
      columns,
      (name) =>
        `CREATE TABLE ${name} (k bigserial PRIMARY KEY, "Trace ""id""" varchar(8), at timestamptz(3), answer text, source text, tags jsonb)`,
    );
    const rows = [
      row({ metadata: { source: '"web"', tags: '["a", 1.0]' } }),
      row({ response: '{"a": 1.10}' }),
      row({ sessionId: 'longer than eight' }),
      row({ response: '"\\ud800"' }),
    ];
    expect(await appendRows(client, table, rows)).toMatchObject({ inserted: 2, refused: [{ index: 2 }, { index: 3 }] });
    expect((await client.query(`SELECT * FROM ${table.sql} ORDER BY k`)).rows).toMatchObject([
      { 'Trace "id"': 's-1', at: '2026-01-05 08:26:59.153+00', answer: 'fine', source: 'web', tags: '["a", 1.0]' },
      { answer: '{"a": 1.10}', source: null, tags: null },
    ]);
  });

  it('names the column or constraint that refuses a row', async () => {
    const table = await freshTable();
    await client.query(
      `ALTER TABLE ${table.sql} ALTER agent SET NOT NULL, ADD CONSTRAINT short CHECK (length(tool) < 20)`,
    );
    const { refused } = await appendRows(client, table, [row({ agent: null }), row({ tool: 'x'.repeat(30) })]);
    expect(refused.map(({ reason }) => reason)).toEqual([
      'column agent must not be null',
      'constraint short refuses it',
    ]);
  });
});
