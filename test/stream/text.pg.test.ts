/** What a row reads like and when it happened, whichever way it came. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAuditReader } from '../../src/postgres/rows.ts';
import type { SourceOptions } from '../../src/stream/contract.ts';
import { createCapture } from '../../src/stream/provision.ts';
import { capture, createAuditLog, optionsOf, until } from '../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let server: TestPostgres;

beforeAll(async () => {
  server = await startPostgres({ settings: { wal_sender_timeout: '2s', track_commit_timestamp: 'on' } });
});
afterAll(() => server?.stop());

async function freshLog(more: Partial<SourceOptions> = {}): Promise<SourceOptions> {
  return createAuditLog(await server.createDatabase(), more);
}

function insert(url: string, n: number, session = 's'): Promise<unknown> {
  return queryOn(
    url,
    `INSERT INTO audit_log (session_id, tool) SELECT '${session}', 't' FROM generate_series(1, ${n})`,
  );
}

describe('text and time', () => {
  test('numbers, microseconds, infinity and JSON arrive as the text that Postgres holds', async () => {
    const options = await freshLog();
    await queryOn(
      options.url,
      `INSERT INTO audit_log (session_id, arguments, response, cost_usd, created_at) VALUES
         ('s', '{"n": 9007199254740993, "p": 1.10, "t": "\\u00e4\\n\\"q\\" \\\\ 😀"}', '[1.0e2]', 1.10, '2026-01-05 08:26:59.153001+00'),
         ('s', NULL, 'null', NULL, 'infinity')`,
    );
    const run = await capture({ ...options, from: 'beginning' });
    await until('history', () => run.memory.historyDone);
    await queryOn(
      options.url,
      'INSERT INTO audit_log (session_id, arguments, response, cost_usd, created_at) SELECT session_id, arguments, response, cost_usd, created_at FROM audit_log ORDER BY id',
    );
    await until('the stream', () => run.memory.turns.length === 4);
    await run.stop();
    const [first, second, third, fourth] = run.memory.turns;
    expect(first).toMatchObject({
      arguments: '{"n": 9007199254740993, "p": 1.10, "t": "ä\\n\\"q\\" \\\\ 😀"}',
      response: '[100]',
      costUsd: '1.100000',
      createdAt: '2026-01-05 08:26:59.153001+00',
    });
    expect(second).toMatchObject({ arguments: null, response: 'null', costUsd: null, createdAt: 'infinity' });
    const text = ({ arguments: a, response, costUsd, createdAt }: NonNullable<typeof first>) => ({
      a,
      response,
      costUsd,
      createdAt,
    });
    expect([text(third!), text(fourth!)]).toEqual([text(first!), text(second!)]);
  });

  test('what is kept of a row is a copy: twenty thousand rows later it is still what the table holds', async () => {
    const options = await freshLog({ maxBufferBytes: 64 * 2 ** 20 });
    const run = await capture(options);
    await queryOn(
      options.url,
      "INSERT INTO audit_log (session_id, response) SELECT 's', to_jsonb(md5(i::text) || repeat(md5((i + 1)::text), i % 9)) FROM generate_series(1, 20000) i",
    );
    await until('all rows', () => run.memory.turns.length === 20_000, 60_000);
    await run.stop();
    const rows = await queryOn(options.url, 'SELECT response::text AS r FROM audit_log ORDER BY id');
    expect(run.memory.turns.every((turn, i) => turn.response === rows[i]!.r)).toBe(true);
  });

  test('thirty megabytes of JSON in one row', async () => {
    const options = await freshLog({ maxBufferBytes: 4 * 2 ** 20 });
    const run = await capture(options);
    await queryOn(
      options.url,
      "INSERT INTO audit_log (session_id, response) SELECT 's', to_jsonb(string_agg(md5(i::text), '')) FROM generate_series(1, 940000) i",
    );
    await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
    await until('both rows', () => run.memory.turns.length === 2, 60_000);
    expect(run.memory.turns[0]!.response!.length).toBe(940_000 * 32 + 2);
    await run.stop();
  }, 90_000);

  test('times are those of the commits, to the microsecond', async () => {
    const options = await freshLog();
    const run = await capture(options);
    for (let i = 0; i < 3; i++) await insert(options.url, 1);
    await until('the rows', () => run.memory.turns.length === 3);
    await until('a watermark', () => run.memory.watermark !== null);
    await run.stop();
    const rows = await queryOn(
      options.url,
      'SELECT (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint::text AS at FROM audit_log ORDER BY id',
    );
    expect(run.memory.turns.map((turn) => String(turn.committedAt))).toEqual(rows.map((row) => row.at));
  });

  test('a role’s own time zone and date style change no text, in the stream, in history and in reads', async () => {
    const options = await freshLog({ from: 'beginning' });
    const { url } = options;
    await queryOn(url, "INSERT INTO audit_log (session_id, created_at) VALUES ('s', '2026-03-01 12:00:00.5+00')");
    const database = new URL(url).pathname.slice(1);
    await queryOn(
      url,
      `ALTER DATABASE ${database} SET TimeZone = 'Asia/Kolkata'; ALTER DATABASE ${database} SET DateStyle = 'German'`,
    );
    const run = await capture(options);
    await until('history', () => run.memory.historyDone);
    await queryOn(url, "INSERT INTO audit_log (session_id, created_at) VALUES ('s', '2026-03-01 12:00:00.5+00')");
    await until('both rows', () => run.memory.turns.length === 2);
    await run.stop();
    const reader = await openAuditReader(options);
    const read = await reader.readSession('s');
    await reader.close();
    const times = [...run.memory.turns, ...read].map((turn) => turn.createdAt);
    expect(times).toEqual(Array(4).fill('2026-03-01 12:00:00.5+00'));
  });

  test('a quiet stream’s watermark follows the server’s clock; rows that commit later never fall behind it', async () => {
    const options = await freshLog();
    const run = await capture(options);
    await until('a first watermark', () => run.memory.watermark !== null);
    const first = run.memory.watermark!;
    await until('a later one', () => run.memory.watermark! > first + 200_000);
    const before = run.memory.watermark!;
    await insert(options.url, 1);
    await until('the row', () => run.memory.turns.length === 1);
    expect(run.memory.turns[0]!.committedAt).toBeGreaterThan(before);
    await run.stop();
  });
});

describe('rows that decoding and reading treat differently', () => {
  test('rows of every partition stream as rows of the root; one that was attached filled is only in history', async () => {
    const url = await server.createDatabase();
    await queryOn(
      url,
      `CREATE TABLE audit_log (id bigint GENERATED BY DEFAULT AS IDENTITY, session_id text, created_at timestamptz DEFAULT now()) PARTITION BY LIST (session_id);
       CREATE TABLE audit_a PARTITION OF audit_log FOR VALUES IN ('a');
       CREATE TABLE audit_b PARTITION OF audit_log FOR VALUES IN ('b');
       CREATE TABLE audit_c (id bigint NOT NULL, session_id text, created_at timestamptz)`,
    );
    const options = optionsOf(url);
    await createCapture(options);
    const run = await capture(options);
    await queryOn(
      url,
      "INSERT INTO audit_c VALUES (99, 'c', now()); ALTER TABLE audit_log ATTACH PARTITION audit_c FOR VALUES IN ('c')",
    );
    await queryOn(url, "INSERT INTO audit_log (session_id) VALUES ('a'), ('b')");
    await until('both rows', () => run.memory.turns.length === 2);
    await run.stop();
    expect(run.memory.turns.map((turn) => turn.sessionId)).toEqual(['a', 'b']);
    const history = await capture({ ...options, from: 'beginning' });
    await until('history', () => history.memory.historyDone);
    await history.stop();
    expect(history.memory.turns.map((turn) => turn.sessionId).sort()).toEqual(['a', 'b', 'c']);
  });

  test('row level security is an error for reads, never a shorter answer', async () => {
    const options = await freshLog();
    const role = `r_${new URL(options.url).pathname.slice(1)}`;
    await insert(options.url, 2);
    await queryOn(
      options.url,
      `CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'x'; GRANT SELECT ON audit_log TO ${role};
       ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON audit_log USING (false)`,
    );
    const url = new URL(options.url);
    url.username = role;
    url.password = 'x';
    const reader = await openAuditReader({ url: url.href, table: 'audit_log' });
    await expect(reader.readSession('s')).rejects.toMatchObject({ code: 'source_permission' });
    await reader.close();
    const run = await capture({ ...options, url: url.href, from: 'beginning' });
    await expect(run.done).rejects.toMatchObject({ code: 'source_permission' });
    await run.stop();
  });
});
