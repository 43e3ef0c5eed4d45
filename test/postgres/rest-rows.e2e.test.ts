import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fleet } from '../../src/demo/fleet.ts';
import { isoOf } from '../../src/records.ts';
import { digestOfTurns, pairsOf, trajectoriesOf } from '../e2e/pipe.ts';
import { lastJson, runCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { fakeKey, type RestServer, startRestServer } from './rest-rows-server.ts';

let server: TestPostgres;
let dir: string;
let url: string;
let rest: RestServer | undefined;

beforeAll(async () => {
  server = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'tc-rest-'));
  url = await server.createDatabase();
  const begunAt = Date.UTC(2026, 2, 2, 9) * 1000;
  const lines = [...fleet({ seed: 7, sessions: 24 })].map(({ sessionId, costUsd, durationMs, offsetMs, ...row }) =>
    JSON.stringify({
      ...row,
      session_id: sessionId,
      cost_usd: costUsd,
      duration_ms: durationMs,
      created_at: isoOf(begunAt + offsetMs * 1000),
    }),
  );
  writeFileSync(join(dir, 'rows.jsonl'), `${lines.join('\n')}\n`);
  const env = { TC_POSTGRES_URL: url, TC_DATA_DIR: join(dir, 'unused') };
  expect(await runCli(['init', '--create-table'], { env })).toMatchObject({ code: 0 });
  expect(await runCli(['load', join(dir, 'rows.jsonl'), '--speed', 'max'], { env })).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});
afterEach(async () => {
  await rest?.close();
  rest = undefined;
});

/** Nothing but the two variables, and where to put things. */
async function project(dataDir: string): Promise<Record<string, string>> {
  rest = await startRestServer(url, 200);
  return {
    NEXT_PUBLIC_SUPABASE_URL: rest.url,
    SUPABASE_SERVICE_ROLE_KEY: fakeKey,
    TC_DATA_DIR: join(dir, dataDir),
  };
}
const directly = (dataDir: string) => ({ TC_POSTGRES_URL: url, TC_DATA_DIR: join(dir, dataDir) });
const compile = async (env: Record<string, string>, ...more: string[]) =>
  lastJson(await runCli(['compile', '--limit', '1000', '--json', ...more], { env }));

describe('sessions that are read with nothing but a Supabase project and its key', () => {
  it('are the ones that a direct connection finds, and give the same pairs', async () => {
    const env = await project('rest');
    const listed = lastJson(await runCli(['extract', '--json'], { env }));
    expect(listed).toEqual(lastJson(await runCli(['extract', '--json'], { env: directly('direct') })));
    expect(listed.total).toBeGreaterThan(5);

    const done = await compile(env);
    expect(done).toEqual(await compile(directly('direct')));
    expect(done).toMatchObject({ compiled: listed.total, known: 0, notYet: 0, failed: {} });
    expect(done.pairs).toBeGreaterThan(0);

    const texts = (dataDir: string) =>
      trajectoriesOf(join(dir, dataDir)).map(({ sessionId, part, turns }) => [sessionId, part, digestOfTurns(turns)]);
    expect(texts('rest')).toEqual(texts('direct'));
    const questions = (dataDir: string) =>
      pairsOf(join(dir, dataDir)).map(({ question, answer }) => [question, answer]);
    expect(questions('rest')).toEqual(questions('direct'));

    expect(await compile(env)).toMatchObject({ compiled: 0, known: listed.total, pairs: 0 });
  });

  it('are read directly where a connection string is there, too', async () => {
    const env = await project('both');
    lastJson(await runCli(['extract', '--json'], { env: { ...env, TC_POSTGRES_URL: url } }));
    expect(rest?.received).toEqual([]);
  });

  it('are not compiled a second time in the other way without a word', async () => {
    lastJson(await runCli(['compile', '--limit', '1', '--json'], { env: directly('mixed') }));
    const { code, stderr } = await runCli(['compile', '--limit', '1', '--json'], { env: await project('mixed') });
    expect(code).toBe(0);
    expect(stderr).toContain('holds trajectories of another source');
  });

  it('go into the mirror of the same project', async () => {
    const migrated = await runCli(['migrate'], {
      env: { TC_SUPABASE_DATABASE_URL: url, TC_DATA_DIR: join(dir, 'unused') },
    });
    expect(migrated, migrated.stderr).toMatchObject({ code: 0 });
    const [refused] = pairsOf(join(dir, 'direct'));
    await queryOn(url, `ALTER TABLE qa_pairs ADD CONSTRAINT of_the_owner CHECK (question <> $$${refused?.question}$$)`);
    const result = await runCli(['compile', '--limit', '1000', '--json', '--supabase-mirror'], {
      env: await project('mirrored'),
    });
    expect(result, result.stderr).toMatchObject({ code: 6 });
    const done = JSON.parse(result.stdout) as { pairs: number; failed: Record<string, number> };
    const pairs = pairsOf(join(dir, 'mirrored'));
    // What the mirror refuses is in the dataset all the same, and the rest is in both.
    expect(pairs.map(({ question }) => question)).toEqual(pairsOf(join(dir, 'direct')).map(({ question }) => question));
    const mirrored = await queryOn(
      url,
      'SELECT question FROM qa_pairs ORDER BY session_id COLLATE "C", question COLLATE "C"',
    );
    const kept = pairs.filter(({ question }) => question !== refused?.question);
    expect(mirrored.map(({ question }) => question)).toEqual(kept.map(({ question }) => question));
    expect(kept.length).toBeLessThan(done.pairs);
    expect(Object.values(done.failed)).toEqual([pairs.length - kept.length]);
  });
});
