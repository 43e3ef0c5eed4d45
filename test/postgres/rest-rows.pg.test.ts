import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TableSettings } from '../../src/postgres/audit-table.ts';
import { openRestAuditReader, type RestReaderOptions } from '../../src/postgres/rest-rows.ts';
import { openAuditReader } from '../../src/postgres/rows.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { fakeKey, type RestServer, refuse, startRestServer } from './rest-rows-server.ts';

let server: TestPostgres;
let url: string;
let rest: RestServer;
let said: string[];

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  url = await server.createDatabase();
  said = [];
});
afterEach(() => rest.close());

const log = pino(
  { level: 'warn' },
  { write: (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg) },
);

async function serve(sql: string, maxRows?: number): Promise<void> {
  await queryOn(url, sql);
  rest = await startRestServer(url, maxRows);
}

const openRest = (options: Partial<RestReaderOptions> = {}) =>
  openRestAuditReader({
    url: rest.url,
    key: fakeKey,
    table: 'public.audit_log',
    log,
    backoff: { baseMs: 1, maxMs: 2 },
    ...options,
  });

async function directly<T>(
  settings: TableSettings,
  work: (reader: Awaited<ReturnType<typeof openAuditReader>>) => Promise<T>,
) {
  const reader = await openAuditReader({ url, ...settings });
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

const tableSql = `CREATE TABLE audit_log (
  id bigint PRIMARY KEY, session_id text, agent text, tool text, arguments jsonb, response json, cost_usd numeric,
  duration_ms double precision, created_at timestamptz, "odd, na.me" text, done boolean, at_plain timestamp);`;

describe('the audit log read through PostgREST', () => {
  it('gives the very text that a direct connection gives', async () => {
    await serve(`${tableSql} INSERT INTO audit_log VALUES
      (9007199254740993, 'a', 'clerk', 'read', '{"b": 1.10, "a": 9007199254740993, "slash": "\\\\u0001"}', '{"z":1.10,  "a":1e400}',
       0.1000000, 0.30000000000000004, '2026-01-05 08:26:59.153001+00', 'plain', true, '2026-01-05 08:26:59.1'),
      (2, 'a', NULL, '', '"text"', '"half \\ud83d\\ude00"', 1e-9, 'Infinity', 'infinity', 'with "quotes", commas', false, NULL),
      (3, 'a', 'clérk', 'x', '[1, 2.50]', '[]', NULL, 1e21, '2026-01-05 08:26:59.153+05:30', E'tab\\t', NULL, 'infinity'),
      (4, 'a', 'clerk', 'x', NULL, NULL, NULL, NULL, NULL, NULL, true, NULL),
      (-5, 'a', 'clerk', 'x', 'true', 'null', 'NaN', -0.0, '0044-03-15 12:00:00+00 BC', '', false, NULL),
      (6, NULL, 'clerk', 'x', NULL, NULL, NULL, NULL, now(), NULL, NULL, NULL)`);
    const metadata = ['odd, na.me', 'done', 'at_plain'];
    const settings = { table: 'audit_log', columns: { metadata } };
    const reader = await openRest(settings);
    const turns = await reader.readSession('a');
    expect(turns.map(({ rowKey }) => rowKey)).toEqual(['-5', '3', '9007199254740993', '2', '4']);
    expect(turns[2]).toMatchObject({
      arguments: '{"a": 9007199254740993, "b": 1.10, "slash": "\\\\u0001"}',
      response: '{"z":1.10,  "a":1e400}',
      createdAt: '2026-01-05 08:26:59.153001+00',
      metadata: { done: 't' },
    });
    expect(turns).toEqual(await directly(settings, (direct) => direct.readSession('a')));
    const keys = ['4', '-5', '77', '9007199254740993'];
    const found = await reader.readRows(keys);
    const text = ({ position: _, ...turn }: (typeof found)[number]) => turn;
    expect(found.map(text)).toEqual((await directly(settings, (direct) => direct.readRows(keys))).map(text));
    expect(found.map(({ rowKey }) => rowKey)).toEqual(['4', '-5', '9007199254740993']);
  });

  it('gives it whatever time zone the database has for a default', async () => {
    await serve(`${tableSql} INSERT INTO audit_log (id, session_id, created_at) VALUES (1, 'a', '2026-01-05 08:26:59.153001+00');
      ALTER DATABASE ${new URL(url).pathname.slice(1)} SET timezone = 'Asia/Kolkata'`);
    const reader = await openRest();
    expect((await reader.readSession('a'))[0]?.createdAt).toBe('2026-01-05 08:26:59.153001+00');
    expect(rest.received.every(({ headers }) => headers.prefer === 'timezone=UTC')).toBe(true);
  });

  it.each([
    ['many rows at one moment', 1_000],
    ['a server that gives fewer rows than are asked for', 97],
  ])('loses and doubles no row over pages: %s', async (_what, maxRows) => {
    await serve(
      `${tableSql} INSERT INTO audit_log (id, session_id, agent, created_at)
         SELECT n * 7919 % 100003, CASE WHEN n <= 2600 THEN 'long' ELSE 'other-' || n % 40 END, 'agent-' || n % 3,
                CASE WHEN n % 5 = 0 THEN NULL ELSE timestamptz '2026-01-05 08:00:00.000001+00' + (n / 900) * interval '1 second' END
           FROM generate_series(1, 3200) n`,
      maxRows,
    );
    const reader = await openRest();
    const settings = { table: 'audit_log' };
    const turns = await reader.readSession('long');
    expect(turns).toHaveLength(2600);
    expect(turns).toEqual(await directly(settings, (direct) => direct.readSession('long')));
    for (const ask of [
      { minTurns: 10, limit: 5 },
      { minTurns: 16, limit: 100 },
    ]) {
      expect(await reader.listSessions(ask)).toEqual(await directly(settings, (direct) => direct.listSessions(ask)));
    }
    const keys = turns.map(({ rowKey }) => rowKey).reverse();
    expect((await reader.readRows(keys)).map(({ rowKey }) => rowKey)).toEqual(keys);
    const longest = Math.max(...rest.received.map((request) => request.url.href.length));
    expect(longest).toBeLessThan(8_000);
  });

  it('keeps to its place while rows are added', async () => {
    await serve(
      `${tableSql} INSERT INTO audit_log (id, session_id, created_at)
         SELECT n * 2, 'a', timestamptz '2026-01-05 08:00:00+00' + n * interval '1 second' FROM generate_series(1, 600) n`,
    );
    let added = false;
    const reader = await openRest({
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        if (!added && String(input).includes('limit=100')) {
          added = true;
          await queryOn(
            url,
            `INSERT INTO audit_log (id, session_id, created_at) VALUES (1, 'a', '2026-01-05 07:00:00+00')`,
          );
        }
        return response;
      },
    });
    const keys = (await reader.readSession('a')).map(({ rowKey }) => rowKey);
    expect(keys).toEqual(Array.from({ length: 600 }, (_, n) => String(2 * n + 2)));
    expect(added).toBe(true);
  });

  it('leaves out what the rules exclude, also by a boolean, in lists and in sessions', async () => {
    await serve(`${tableSql} INSERT INTO audit_log (id, session_id, tool, done) VALUES
      (1, 'a', 'read', false), (2, 'a', 'router', false), (3, 'a', 'read', true), (4, 'a', NULL, NULL)`);
    const exclude = [
      { column: 'tool', equals: 'router' },
      { column: 'done', equals: 't' },
    ];
    const reader = await openRest({ exclude });
    expect((await reader.readSession('a')).map(({ rowKey }) => rowKey)).toEqual(['1', '4']);
    expect((await reader.listSessions({ minTurns: 1, limit: 9 })).sessions).toMatchObject([{ turns: 2 }]);
  });

  it('reads tables and columns of any name, and sessions and keys of any text', async () => {
    const session = `it's "a", (b) & c=d %20 +1/é*`;
    await serve(
      `CREATE TABLE "Audit Log" ("order" text PRIMARY KEY, "and" text, "limit" timestamptz, "my, note" text);
       INSERT INTO "Audit Log" SELECT 'key ' || n || ',(x).y', $tc$${session}$tc$, timestamptz '2026-01-05 08:00:00+00' FROM generate_series(1, 5) n`,
      2,
    );
    const columns = { key: 'order', sessionId: 'and', time: 'limit', metadata: ['my, note'] };
    const reader = await openRest({ table: '"Audit Log"', columns });
    const keys = ['key 1,(x).y', 'key 2,(x).y', 'key 3,(x).y', 'key 4,(x).y', 'key 5,(x).y'];
    expect((await reader.readSession(session)).map(({ rowKey }) => rowKey)).toEqual(keys);
    expect((await reader.listSessions({ minTurns: 1, limit: 9 })).sessions).toMatchObject([
      { sessionId: session, turns: 5 },
    ]);
    expect((await reader.readRows(keys.slice(1, 3))).map(({ rowKey }) => rowKey)).toEqual(keys.slice(1, 3));
  });

  it('counts the sessions once, however often they are asked for', async () => {
    await serve(`${tableSql} INSERT INTO audit_log (id, session_id) VALUES (1, 'a')`);
    const reader = await openRest();
    await reader.listSessions({ minTurns: 1, limit: 9 });
    const before = rest.received.length;
    expect(await reader.listSessions({ minTurns: 2, limit: 0 })).toEqual({ sessions: [], total: 0, below: 1 });
    expect(rest.received).toHaveLength(before);
  });

  it('has a source that is stable and not that of a direct connection', async () => {
    await serve(`${tableSql} CREATE TABLE other AS SELECT * FROM audit_log; INSERT INTO audit_log (id) VALUES (1)`);
    const { source, snapshotAt } = await openRest();
    expect((await openRest()).source).toBe(source);
    expect((await openRest({ table: 'other' })).source).not.toBe(source);
    expect(await directly({ table: 'audit_log' }, async (direct) => direct.source)).not.toBe(source);
    expect(Math.abs(snapshotAt / 1000 - Date.now())).toBeLessThan(60_000);
  });
});

describe('what can go wrong with PostgREST', () => {
  const jwt = (role: string) =>
    ['{"alg":"none"}', JSON.stringify({ role }), 'fake']
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.');
  const failureOf = async (options: Partial<RestReaderOptions> = {}) => {
    const error = await openRest(options).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    return error as Error;
  };

  it('a wrong key, table, schema or column is named with its setting', async () => {
    await serve(`${tableSql} INSERT INTO audit_log (id, session_id) VALUES (1, 'a')`);
    const refused = await failureOf({ key: 'sb_secret_fake_and_wrong' });
    expect(refused).toMatchObject({ kind: 'stop', code: 'source_auth', exitCode: 3 });
    expect(refused.message).toContain('supabase.key');
    expect(refused.message).not.toContain('fake_and_wrong');
    expect(await failureOf({ table: 'nowhere' })).toMatchObject({ kind: 'stop', code: 'source_table', exitCode: 3 });
    expect(await failureOf({ table: 'hidden.audit_log' })).toMatchObject({ kind: 'stop', code: 'source_table' });
    const column = await failureOf({ columns: { agent: 'bot' } });
    expect(column).toMatchObject({ kind: 'stop', code: 'source_column' });
    expect(column.message).toContain('columns.agent');
    expect(await failureOf({ url: 'abcdefgh.supabase.co' })).toMatchObject({ kind: 'stop', code: 'source_url' });
    const withPassword = await failureOf({ url: 'https://someone:not-a-real-password@abcdefgh.supabase.co' });
    expect(withPassword).toMatchObject({ kind: 'stop', code: 'source_url' });
    expect(withPassword.message).not.toContain('not-a-real-password');
  });

  it('row level security hides nothing from the secret key', async () => {
    await serve(`${tableSql} INSERT INTO audit_log (id, session_id) VALUES (1, 'a');
      ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY`);
    expect(await (await openRest()).readSession('a')).toHaveLength(1);
    expect(said).toEqual([]);
  });

  it('a key that row level security binds is not used', async () => {
    await serve(tableSql);
    for (const key of ['sb_publishable_fake', jwt('anon')]) {
      expect(await failureOf({ key })).toMatchObject({ kind: 'stop', code: 'source_auth', exitCode: 3 });
    }
    expect(rest.received).toEqual([]);
  });

  it('a table without rows is told as one, with the doubt where the key leaves one', async () => {
    await serve(tableSql);
    const reader = await openRest();
    expect(await reader.listSessions({ minTurns: 1, limit: 9 })).toEqual({ sessions: [], total: 0, below: 0 });
    expect(await reader.readSession('a')).toEqual([]);
    expect(said).toEqual([expect.stringMatching(/gave no rows: it is empty$/)]);
    const empty = (response: Parameters<typeof refuse>[0]) => refuse(response, 200, []);
    rest.play(empty, empty);
    await openRest({ key: jwt('reporting') });
    await openRest({ key: jwt('service_role') });
    expect(said[1]).toMatch(/is it the service-role key\?$/);
    expect(said[2]).toMatch(/it is empty$/);
  });

  it('keys that are tokens are sent as such too, others are not', async () => {
    await serve(`${tableSql} INSERT INTO audit_log (id, session_id) VALUES (1, 'a')`);
    await openRest();
    rest.play((response) => refuse(response, 200, []));
    await openRest({ key: jwt('service_role') });
    expect(rest.received.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      `Bearer ${jwt('service_role')}`,
    ]);
  });

  it('what passes by itself is tried again', async () => {
    await serve(`${tableSql} INSERT INTO audit_log (id, session_id) VALUES (1, 'a')`);
    rest.play(
      (response) => refuse(response, 503, 'busy'),
      (response) => void response.destroy(),
      (response) => refuse(response, 429, { message: 'slow down' }, { 'retry-after': '0' }),
    );
    expect(await (await openRest()).readSession('a')).toHaveLength(1);
    const half = (response: Parameters<typeof refuse>[0]) => refuse(response, 200, '[{"id":secret row te');
    rest.play(half, half, half, half);
    const refused = await failureOf();
    expect(refused).toMatchObject({ kind: 'retry', code: 'source_unreachable', exitCode: 5 });
    expect(`${refused.message}${refused.stack}`).not.toContain('secret row te');
    rest.play((response) => refuse(response, 429, {}, { 'retry-after': '3600' }));
    expect(await failureOf()).toMatchObject({ kind: 'retry', retryAfterMs: 3_600_000 });
  });

  it('a refusal in the middle ends the reading', async () => {
    await serve(`${tableSql} INSERT INTO audit_log (id, session_id) VALUES (1, 'a')`);
    const reader = await openRest();
    rest.play((response) => refuse(response, 403, { code: '42501', message: 'permission denied for table audit_log' }));
    await expect(reader.readSession('a')).rejects.toMatchObject({ kind: 'stop', code: 'source_permission' });
  });

  it('a redirect is not followed: the key stays with its host', async () => {
    await serve(tableSql);
    const away = (response: Parameters<typeof refuse>[0]) =>
      refuse(response, 302, '', { location: `${rest.url}/elsewhere` });
    rest.play(away, away, away, away);
    expect(await failureOf()).toMatchObject({ kind: 'retry' });
    expect(rest.received.map((request) => request.url.pathname)).toEqual(Array(4).fill('/rest/v1/audit_log'));
  });

  it('a server that tells no time stops the reading', async () => {
    await serve(`${tableSql} INSERT INTO audit_log (id, session_id) VALUES (1, 'a')`);
    rest.play((response) => {
      response.sendDate = false;
      refuse(response, 200, [{ id: 1, session_id: 'a' }]);
    });
    expect(await failureOf()).toMatchObject({ kind: 'stop', code: 'source_clock' });
  });
});
