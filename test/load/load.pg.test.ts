import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadOptions, type LoadPlan, type LoadProgress, loadFile, prepareTable } from '../../src/load/load.ts';
import type { AuditTable } from '../../src/postgres/audit-table.ts';
import { clientConfig, openClient } from '../../src/postgres/connection.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

let server: TestPostgres;
let client: pg.Client;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'load-'));
  server = await startPostgres();
  client = await openClient(clientConfig(await server.createDatabase(), { purpose: 'test' }));
}, 120_000);
afterAll(async () => {
  await client?.end();
  await server?.stop();
  rmSync(folder, { recursive: true });
});

let tables = 0;
const freshTable = () => prepareTable(client, { table: `load_${tables++}` }, true);

const line = (i: number, more: Record<string, unknown> = {}) =>
  JSON.stringify({
    session_id: `s-${i % 3}`,
    seq: i,
    agent: 'todos',
    tool: 'get_todo',
    arguments: { i },
    response: 'done',
    cost_usd: null,
    duration_ms: 5,
    created_at: new Date(Date.UTC(2026, 0, 5, 8, 0, i)).toISOString(),
    ...more,
  });
const lines = (count: number) => Array.from({ length: count }, (_, i) => line(i));
const big = line(0).replace('{"i":0}', '{"i":9007199254740993,"p":1.10}');

function file(content: string | Buffer): string {
  const path = join(folder, `file-${tables++}`);
  writeFileSync(path, content);
  return path;
}

const load = (table: AuditTable, source: LoadOptions['source'], more: Partial<LoadOptions> = {}) =>
  loadFile({ source, client, table, speed: 'max', ...more });

const stored = async ({ sql }: AuditTable) => (await client.query(`SELECT * FROM ${sql} ORDER BY id`)).rows;

describe('loadFile', () => {
  it.each([
    ['a plain file', (text: string) => file(text)],
    ['a gzip file', (text: string) => file(gzipSync(text))],
    ['a pipe', (text: string) => Readable.from([Buffer.from(text)])],
    ['a pipe of gzip', (text: string) => Readable.from([gzipSync(text)])],
  ])('loads %s, in order, with times and JSON text as they stand', async (_, source) => {
    const table = await freshTable();
    const result = await load(table, source(`${[big, ...lines(700).slice(1)].join('\n')}\n\n`));
    expect(result).toEqual({ rows: 700, sessions: 3, skipped: 0, nextLine: null });
    const rows = await stored(table);
    expect(rows).toHaveLength(700);
    expect(rows[0]).toMatchObject({
      arguments: '{"i": 9007199254740993, "p": 1.10}',
      created_at: '2026-01-05 08:00:00+00',
    });
    expect(rows.slice(1).map((row) => row.arguments)).toEqual(rows.slice(1).map((_, i) => `{"i": ${i + 1}}`));
  });

  it('stops at a bad line with everything before it stored, and goes on from there', async () => {
    const table = await freshTable();
    const text = lines(10);
    text[6] = '{"session_id": "s-1"}';
    await expect(load(table, file(text.join('\n')), { batchRows: 4 })).rejects.toMatchObject({
      code: 'load_line',
      message: expect.stringMatching(/line 7 created_at: .*--from-line 7/),
    });
    expect(await stored(table)).toHaveLength(6);
    text[6] = line(6);
    expect(await load(table, file(text.join('\n')), { fromLine: 7 })).toMatchObject({ rows: 4 });
    expect((await stored(table)).map((row) => row.arguments)).toEqual(
      Array.from({ length: 10 }, (_, i) => `{"i": ${i}}`),
    );
  });

  it('stops at a row that Postgres refuses with whole batches stored, and names the line', async () => {
    const table = await freshTable();
    const text = lines(10);
    text[6] = line(6, { response: 'a\u0000b' });
    await expect(load(table, file(text.join('\n')), { batchRows: 4 })).rejects.toMatchObject({
      code: 'load_line',
      message: expect.stringMatching(/line 7 is refused.*u0000.*--from-line 5/),
    });
    expect(await stored(table)).toHaveLength(4);
    expect(await load(table, file(text.join('\n')), { fromLine: 5, skipBad: true })).toMatchObject({
      rows: 5,
      skipped: 1,
    });
  });

  it('leaves bad lines out with skipBad, tells of each and counts them', async () => {
    const table = await freshTable();
    const text = lines(9);
    text[2] = 'not json';
    text[5] = line(5, { response: { a: 'x\u0000' } });
    const told: number[] = [];
    const result = await load(table, file(text.join('\n')), {
      skipBad: true,
      onSkipped: (number) => told.push(number),
    });
    expect(result).toEqual({ rows: 7, sessions: 3, skipped: 2, nextLine: null });
    expect(told).toEqual([3, 6]);
    expect(await stored(table)).toHaveLength(7);
  });

  it('stores what a damaged file held before the damage, then says so', async () => {
    const table = await freshTable();
    const noisy = lines(3000).map((text, i) => text.replace('done', String(Math.sin(i))));
    const packed = gzipSync(noisy.join('\n'));
    const half = file(packed.subarray(0, packed.length - 2000));
    await expect(load(table, half)).rejects.toMatchObject({ code: 'file_damaged' });
    const rows = await stored(table);
    expect(rows.length).toBeGreaterThan(1000);
    expect(rows.map((row) => row.arguments)).toEqual(rows.map((_, i) => `{"i": ${i}}`));
  });

  it('keeps the recorded gaps divided by the speed, and says beforehand how long it will take', async () => {
    const table = await freshTable();
    const plans: LoadPlan[] = [];
    const startedAt = performance.now();
    await load(table, file([line(0), line(1), line(60)].join('\n')), {
      speed: 200,
      onPlan: (plan) => plans.push(plan),
    });
    expect(plans).toEqual([{ rows: 3, recordedMs: 60_000, takesMs: 300 }]);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(300);
    expect((await stored(table)).map((row) => row.created_at).at(-1)).toBe('2026-01-05 08:01:00+00');
  });

  it('stops between two batches when the signal fires, and says with which line it would go on', async () => {
    const table = await freshTable();
    const controller = new AbortController();
    const result = await load(table, file(lines(100).join('\n')), {
      batchRows: 10,
      signal: controller.signal,
      onProgress: ({ rows }) => rows === 30 && controller.abort(),
    });
    expect(result).toMatchObject({ rows: 30, nextLine: 31 });
    expect(await stored(table)).toHaveLength(30);
  });

  it('stops while it waits for the next row', async () => {
    const table = await freshTable();
    const controller = new AbortController();
    const result = load(table, file([line(0), line(3600)].join('\n')), {
      speed: 1,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect(await result).toMatchObject({ rows: 1, nextLine: 2 });
  });

  it('stops when the signal fires while a pipe is quiet, with the rows that came stored', async () => {
    const table = await freshTable();
    const controller = new AbortController();
    const pipe = new PassThrough();
    pipe.write(`${line(0)}\n${line(1)}\n`);
    const result = await load(table, pipe, { signal: controller.signal, onProgress: () => controller.abort() });
    expect(result).toMatchObject({ rows: 2, nextLine: 3 });
    expect(await stored(table)).toHaveLength(2);
  });

  it('stops at a refused row at once, though the pipe that it came from is quiet', async () => {
    const table = await freshTable();
    const pipe = new PassThrough();
    pipe.write(`${line(0, { response: 'a\u0000' })}\n`);
    await expect(load(table, pipe)).rejects.toMatchObject({ code: 'load_line' });
    expect(pipe.destroyed).toBe(true);
  });

  it('reports progress in rows and bytes', async () => {
    const table = await freshTable();
    const seen: LoadProgress[] = [];
    const path = file(lines(25).join('\n'));
    await load(table, path, { batchRows: 10, onProgress: (progress) => seen.push(progress) });
    expect(seen.map(({ rows }) => rows)).toEqual([10, 20, 25]);
    expect(seen.at(-1)!.bytes).toBe(seen.at(-1)!.totalBytes);
  });

  const recorded = join(import.meta.dirname, '../../../shared/data/audit_log.jsonl.gz');
  if (existsSync(recorded)) {
    it('loads the recorded audit log whole', async () => {
      const table = await freshTable();
      expect(await load(table, recorded)).toEqual({ rows: 5488, sessions: 166, skipped: 0, nextLine: null });
      expect(await stored(table)).toHaveLength(5488);
    });
  }
});
