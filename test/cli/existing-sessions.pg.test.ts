import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { noRedaction, type Redactor } from '../../src/compile/redact/redactor.ts';
import { loadConfig } from '../../src/config.ts';
import { type DryRequest, dryRun, renderDryRequest } from '../../src/dry-run.ts';
import { compileExisting } from '../../src/existing.ts';
import { createLogger } from '../../src/log.ts';
import { answer, startGeminiServer } from '../support/gemini-server.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let dataDir: string;
let env: Record<string, string>;

beforeAll(async () => {
  postgres = await startPostgres();
  dataDir = mkdtempSync(join(tmpdir(), 'tc-session-'));
  const url = await postgres.createDatabase();
  env = { TC_POSTGRES_URL: url, TC_DATA_DIR: dataDir };
  await queryOn(
    url,
    `CREATE TABLE audit_log (id bigint PRIMARY KEY, session_id text, agent text, tool text, arguments jsonb,
       response jsonb, created_at timestamptz);
     INSERT INTO audit_log SELECT n, 'session ' || n % 3, 'tester', 'probe', jsonb_build_object('n', n),
       jsonb_build_object('seen', n), timestamptz '2026-01-05 08:00Z' + n * interval '1 s' FROM generate_series(1, 36) n`,
  );
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

/** In this process: what it printed, and what it said beside. */
async function run(...args: string[]) {
  const said = { out: '', err: '' };
  const terminal = {
    env,
    version: '0',
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
  };
  const code = await runCommandLine(['--log-level', 'error', '--json', ...args], terminal);
  return { code, ...said };
}

function onDataset<T>(use: (db: Database.Database) => T): T {
  const db = new Database(join(dataDir, 'qa_pairs.sqlite'));
  try {
    return use(db);
  } finally {
    db.close();
  }
}

it('compile --session works on that session alone, and on what of it was left out for its shape', async () => {
  const compile = async (...flags: string[]) => JSON.parse((await run('compile', ...flags)).out);
  const skipped = () =>
    onDataset((db) => db.prepare("SELECT session_id FROM segments WHERE outcome = 'skipped'").pluck().all());

  expect(await compile('--session', 'session 1')).toMatchObject({ sessions: 1, total: 1, compiled: 1 });
  expect(await compile()).toMatchObject({ compiled: 2, known: 1 });
  onDataset((db) =>
    db.exec("UPDATE segments SET outcome = 'skipped', reason = 'coverage', generation = '0 ' || generation"),
  );
  expect(await compile()).toMatchObject({ compiled: 0, known: 3 });
  expect(skipped()).toHaveLength(3);
  const asked = await compile('--session', 'session 0', '--session', 'session 2', '--session', 'session 0');
  expect(asked).toMatchObject({ sessions: 2, compiled: 2, known: 0 });
  expect(skipped()).toEqual(['session 1']);

  expect(await run('compile', '--session', 'session 9')).toMatchObject({
    code: 1,
    err: expect.stringContaining('the table holds no session session 9'),
  });
});

it('extract and compile say what a model would cost, and estimate reads the log and writes nothing', async () => {
  expect((await run('extract')).err).toMatch(
    /about 0\.0\d+–0\.\d+ USD at list prices for these sessions with --tier cheap/,
  );
  const fresh = join(dataDir, 'fresh');
  const estimated = JSON.parse((await run('estimate', '--data-dir', fresh)).out);
  expect(estimated.volume).toMatchObject({ of: 'log', sessions: 3, sampledSessions: 3, turns: 36, segments: 3 });
  expect(estimated.ways).toHaveLength(5);
  expect(existsSync(fresh)).toBe(false);
  // Without a key the estimate is all that there is.
  const { code, err } = await run('compile', '--tier', 'cheap', '--data-dir', fresh);
  expect(code).toBe(3);
  expect(err).toMatch(/^about 0\.0\d+–0\.\d+ USD at list prices for what is to be compiled\nerror: /);
});

it('a dry run shows the requests that compile sends, and sends none', async () => {
  const gemini = await startGeminiServer();
  try {
    gemini.play(answer(JSON.stringify({ pairs: [] })));
    const flags = { 'compile.tier': 'cheap', 'redact.mode': 'off', 'gemini.apiKey': 'not-a-real-key' } as const;
    const where = { 'gemini.baseUrl': gemini.baseUrl, dataDir: join(dataDir, 'dry') };
    const { config } = loadConfig({ env, flags: { ...flags, ...where } });
    const log = createLogger('silent');
    const requests: DryRequest[] = [];
    for await (const one of dryRun({ config, redactor: noRedaction, limit: 9, log })) requests.push(one);
    expect(requests.map(({ sessionId }) => sessionId)).toEqual(['session 0', 'session 1', 'session 2']);
    expect(gemini.received).toEqual([]);

    const { signal } = new AbortController();
    await compileExisting({ config, limit: 9, force: false, log, drain: signal, abort: signal, onProgress: () => {} });
    const sent = gemini.received.map(({ body }) => [
      body.systemInstruction?.parts[0]?.text,
      body.contents[0]?.parts[0]?.text,
    ]);
    expect(sent.sort()).toEqual(requests.map(({ system, prompt }) => [system, prompt]).sort());
    expect(renderDryRequest(requests[0]!)).toContain(requests[0]!.prompt);
    // What a model has been over is not to come any more.
    for await (const one of dryRun({ config, redactor: noRedaction, limit: 9, log })) expect(one).toBeUndefined();
  } finally {
    await gemini.close();
  }
});

it('a dry run says what was redacted, and what would keep a prompt from being sent', async () => {
  const { config } = loadConfig({ env, flags: { dataDir: join(dataDir, 'masked') } });
  const masking: Redactor = {
    ...noRedaction,
    redact: async (trajectory) => ({
      trajectory: {
        ...trajectory,
        turns: trajectory.turns.map((turn) => ({ ...turn, response: '"⟦IP_1⟧ \u001b[2J"' })),
      },
      counts: { IP: 12 },
    }),
    leaks: () => ['CARD'],
  };
  const requests = dryRun({ config, redactor: masking, limit: 1, log: createLogger('silent') });
  const text = renderDryRequest((await requests.next()).value as DryRequest);
  await requests.return(undefined);
  expect(text).toContain('⟦IP_1⟧');
  expect(text).not.toContain('seen');
  expect(text).not.toContain('\u001b');
  expect(text).toMatch(/^--- session session 0, turns 0 to 11/);
  expect(text).toContain('--- redacted: IP 12\n--- would not be sent: it still holds CARD');
});
