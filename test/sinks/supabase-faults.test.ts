import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/log.ts';
import { rowsOf } from '../../src/sinks/rows.ts';
import { openSupabaseSink, type SupabaseSinkOptions } from '../../src/sinks/supabase/rest.ts';
import { compiledOf, pairOf, segmentOf, trajectoryOf } from '../support/records.ts';

const never = new AbortController().signal;
const log = createLogger('silent');
const key = 'sb_secret_not_a_real_key';

interface Received {
  url: URL;
  method: string | undefined;
  headers: IncomingMessage['headers'];
  rows: Record<string, unknown>[];
}
type Respond = (request: Received, response: ServerResponse) => void;

const written: Respond = (_, response) => response.writeHead(201).end();
const refuse =
  (status: number, body: object = {}, headers: Record<string, string> = {}): Respond =>
  (_, response) =>
    response.writeHead(status, headers).end(JSON.stringify(body));

let received: Received[];
let respond: Respond;
let server: ReturnType<typeof createServer>;
let url: string;
beforeEach(async () => {
  received = [];
  respond = written;
  server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request.setEncoding('utf8')) text += piece;
    const { method, headers } = request;
    const got = { url: new URL(request.url ?? '', url), method, headers, rows: JSON.parse(text) as Received['rows'] };
    received.push(got);
    respond(got, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function write(message = compiledOf(), changes: Partial<SupabaseSinkOptions> = {}, signal = never) {
  const backoff = { baseMs: 1, maxMs: 2 };
  const sink = await openSupabaseSink({ url, key, schema: 'public', log, backoff, ...changes });
  await sink.write(message, signal);
}

const tablesOf = (requests: Received[]) => requests.map((request) => request.url.pathname.replace('/rest/v1/', ''));

/** Ten pairs, so that there is something to take apart. */
function tenPairs() {
  const trajectory = trajectoryOf();
  const segment = segmentOf(trajectory);
  const pairs = Array.from({ length: 10 }, (_, n) => pairOf(trajectory, segment, { question: `question ${n}?` }));
  return compiledOf({ trajectory, segments: [segment], pairs });
}

describe('what became of the rows', () => {
  const rows = Object.values(rowsOf(compiledOf())).reduce((sum, some) => sum + some.length, 0);
  const effectWith = async (range: string | undefined) => {
    respond = (_, response) => response.writeHead(201, range === undefined ? {} : { 'content-range': range }).end();
    const sink = await openSupabaseSink({ url, key, schema: 'public', log });
    return await sink.write(compiledOf(), never);
  };

  it('is known where the answer counts them, and not where it is silent or can not be', async () => {
    const unknown = { written: 0, unchanged: 0, unknown: rows };
    expect(await effectWith(undefined)).toEqual(unknown);
    expect(await effectWith('*/*')).toEqual(unknown);
    expect(await effectWith('*/999')).toEqual(unknown);
    expect(await effectWith('*/0')).toEqual({ written: 0, unchanged: rows, unknown: 0 });
    // A row of each of six tables.
    expect(await effectWith('*/1')).toEqual({ written: 6, unchanged: rows - 6, unknown: 0 });
    for (const { headers } of received) expect(headers.prefer).toContain('count=exact');
  });
});

describe('what the Supabase sink sends', () => {
  it('is one upsert a table, on its key, segments last', async () => {
    await write();
    expect(tablesOf(received)).toEqual([
      'trajectories',
      'trajectory_turns',
      'verdicts',
      'qa_pairs',
      'compilations',
      'segments',
    ]);
    const turns = received[1]!;
    expect(turns.method).toBe('POST');
    expect(turns.url.searchParams.get('on_conflict')).toBe('trajectory_id,turn');
    expect(turns.url.searchParams.get('columns')?.split(',').sort()).toEqual(Object.keys(turns.rows[0]!).sort());
    expect(turns.rows).toHaveLength(12);
    expect(received[3]!.rows[0]).not.toHaveProperty('status');
  });

  it('is by key within a table, so that two writers lock the same rows in the same order', async () => {
    const { pairs, ...message } = tenPairs();
    await write({ ...message, pairs });
    await write({ ...message, pairs: pairs.toReversed() });
    const [one, other] = received.filter((request) => request.url.pathname.endsWith('qa_pairs'));
    const ids = one!.rows.map((row) => row.id);
    expect(ids).toEqual(ids.toSorted());
    expect(other!.rows.map((row) => row.id)).toEqual(ids);
  });

  it('carries a secret key as apikey alone, and a name of our own', async () => {
    await write();
    const { headers } = received[0]!;
    expect(headers).toMatchObject({
      apikey: key,
      prefer: 'resolution=merge-duplicates,return=minimal,missing=default,count=exact',
      'user-agent': 'trajectory-compiler',
    });
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).not.toHaveProperty('content-profile');
  });

  it('carries an older key, a JWT, as bearer too, and names another schema', async () => {
    await write(compiledOf(), { key: 'header.payload.signature', schema: 'datasets', url: `${url}/rest/v1/` });
    expect(received[0]!.headers).toMatchObject({
      apikey: 'header.payload.signature',
      authorization: 'Bearer header.payload.signature',
      'content-profile': 'datasets',
    });
    expect(tablesOf(received)[0]).toBe('trajectories');
  });

  it('is in pieces of at most 500 rows and about 1 MiB', async () => {
    const turns = trajectoryOf().turns;
    const many = Array.from({ length: 1_100 }, (_, n) => ({ ...turns[0]!, rowKey: `${n}` }));
    await write(compiledOf({ trajectory: trajectoryOf({ turns: many }), pairs: [] }));
    const large = Array.from({ length: 6 }, (_, n) => ({
      ...turns[0]!,
      rowKey: `${n}`,
      response: `"${'x'.repeat(400_000)}"`,
    }));
    await write(compiledOf({ trajectory: trajectoryOf({ turns: large }), pairs: [] }));
    const pieces = received.filter((request) => request.url.pathname.endsWith('trajectory_turns'));
    expect(pieces.map(({ rows }) => rows.length)).toEqual([500, 500, 100, 2, 2, 2]);
  });

  it('goes nowhere without a usable key or address, and tells neither', async () => {
    const fault = (changes: Partial<SupabaseSinkOptions>) =>
      write(compiledOf(), changes).catch((error: Error) => error);
    for (const changes of [{ key: 'sb_publishable_abc' }, { key: 'two\nlines' }]) {
      expect(await fault(changes)).toMatchObject({
        code: 'sink_key',
        kind: 'stop',
        message: expect.not.stringContaining(changes.key),
      });
    }
    for (const changes of [{ url: 'no-address' }, { url: 'http://user:hush@127.0.0.1' }]) {
      expect(await fault(changes)).toMatchObject({
        code: 'sink_url',
        kind: 'stop',
        message: expect.not.stringContaining(changes.url),
      });
    }
    expect(received).toEqual([]);
  });
});

describe('what the answers to the Supabase sink mean', () => {
  it.each([
    ['401', refuse(401, { message: 'Invalid API key' }), 'stop', 'sink_auth', /supabase\.key/],
    ['403', refuse(403, { code: '42501', message: 'permission denied' }), 'stop', 'sink_auth', /supabase\.key/],
    [
      '404',
      refuse(404, { code: 'PGRST205', message: 'no table' }),
      'stop',
      'sink_not_migrated',
      /trajectory-compiler migrate/,
    ],
    ['404 of another server', refuse(404), 'stop', 'sink_url', /supabase\.url/],
    ['400 about a column', refuse(400, { code: 'PGRST204' }), 'stop', 'sink_not_migrated', /migrate/],
    ['406', refuse(406, { code: 'PGRST106' }), 'stop', 'sink_schema', /expose schema public/],
    ['301', refuse(301, {}, { location: 'http://127.0.0.1:1/' }), 'stop', 'sink_url', /supabase\.url/],
    ['500', refuse(500, {}), 'retry', 'sink_unavailable', /HTTP 500/],
    ['503', refuse(503, { code: 'PGRST002' }), 'retry', 'sink_unavailable', /PGRST002/],
    ['408', refuse(408), 'retry', 'sink_unavailable', /HTTP 408/],
    ['a page of a proxy', (_, response) => response.end('<html>'), 'retry', 'sink_answer', /supabase\.url/],
    ['a connection that is dropped', (_, response) => response.destroy(), 'retry', 'sink_unreachable', /trajectories/],
    [
      'half an answer',
      (_, response) => {
        response.writeHead(201, { 'content-length': '1000' }).write('{"code": "23');
        setImmediate(() => response.destroy());
      },
      'retry',
      'sink_unreachable',
      /trajectories/,
    ],
    [
      'half an error',
      (_, response) => response.writeHead(503).end('{"code": "2350'),
      'retry',
      'sink_unavailable',
      /503/,
    ],
  ] satisfies [string, Respond, string, string, RegExp][])('%s', async (_, how, kind, code, message) => {
    respond = how;
    const error = await write().catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ kind, code, message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain(key);
    expect(new Set(tablesOf(received))).toEqual(new Set(['trajectories']));
    expect(received).toHaveLength(kind === 'retry' ? 3 : 1);
  });

  it('429 is asked again when the server wants it, not before', async () => {
    respond = refuse(429, {}, { 'retry-after': '17' });
    await expect(write()).rejects.toMatchObject({ kind: 'retry', retryAfterMs: 17_000 });
    respond = refuse(503, {}, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() });
    const error = (await write().catch((thrown: unknown) => thrown)) as { retryAfterMs: number };
    expect(error.retryAfterMs).toBeGreaterThan(50_000);
    expect(error.retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(received).toHaveLength(2);
  });

  it('a fault that passes is not seen', async () => {
    respond = (request, response) =>
      received.length < 3 ? refuse(502)(request, response) : written(request, response);
    await write();
    expect(tablesOf(received).slice(0, 4)).toEqual([
      'trajectories',
      'trajectories',
      'trajectories',
      'trajectory_turns',
    ]);
  });

  it('409 is narrowed down to the row, which is parked by its key; the others and what follows are written', async () => {
    const message = tenPairs();
    const taken: unknown[] = [];
    respond = (request, response) => {
      const poison = request.rows.find((row) => row.question === 'question 6?');
      if (poison !== undefined)
        return refuse(409, {
          code: '23505',
          message: 'duplicate key value violates unique constraint "once"',
          details: 'Key (question)=(question 6?) already exists.',
        })(request, response);
      if (request.url.pathname.endsWith('qa_pairs')) taken.push(...request.rows.map((row) => row.question));
      return written(request, response);
    };
    const error = (await write(message).catch((thrown: unknown) => thrown)) as Error;
    expect(error).toMatchObject({ kind: 'park', code: 'row_refused' });
    expect(error.message).toMatch(
      /refuses a row of trajectory .* qa_pairs id=[0-9a-f-]{36} \(constraint once, SQLSTATE 23505\)/,
    );
    expect(error.message).not.toContain('question 6');
    expect(taken).toHaveLength(9);
    expect(tablesOf(received).at(-1)).toBe('segments');
  });

  it('413 comes again in halves', async () => {
    const sizes: number[] = [];
    respond = (request, response) => {
      if (!request.url.pathname.endsWith('qa_pairs')) return written(request, response);
      if (request.rows.length > 3) return refuse(413)(request, response);
      sizes.push(request.rows.length);
      return written(request, response);
    };
    await write(tenPairs());
    expect(sizes.reduce((a, b) => a + b)).toBe(10);
  });

  it('a statement that took too long comes again in halves, a single row later', async () => {
    const timeout = refuse(500, { code: '57014', message: 'canceling statement due to statement timeout' });
    respond = (request, response) => (request.rows.length > 3 ? timeout : written)(request, response);
    await write(tenPairs());
    respond = timeout;
    await expect(write()).rejects.toMatchObject({ kind: 'retry', code: 'sink_unavailable' });
  });

  it('no answer at all is given up after a while, and at once when told to', async () => {
    respond = () => {};
    const error = write(compiledOf(), { timeoutMs: 50 });
    await expect(error).rejects.toMatchObject({
      kind: 'retry',
      message: expect.stringContaining('no answer within 50 ms'),
    });
    const aborted = new AbortController();
    respond = () => aborted.abort(new Error('given up'));
    await expect(write(compiledOf(), {}, aborted.signal)).rejects.toThrow('given up');
  });

  it('nobody listening is worth another try', async () => {
    await expect(write(compiledOf(), { url: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      kind: 'retry',
      code: 'sink_unreachable',
    });
  });
});
