/** What a log may hold: never row contents, keys or prompts, however much is logged and whatever fails. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';
import { answer, type GeminiServer, type Script, startGeminiServer, status } from '../support/gemini-server.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { settingsFor } from './pipe.ts';

let postgres: TestPostgres;
let gemini: GeminiServer;
let dir: string;

beforeAll(async () => {
  postgres = await startPostgres();
  gemini = await startGeminiServer();
  dir = mkdtempSync(join(tmpdir(), 'tc-logs-'));
});
afterAll(async () => {
  await gemini?.close();
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Stands in rows: in the clear, as personal data, and in what the model answers. */
const rowText = 'zebra-crossing-ledger';
const email = 'canary.person@example.test';
const answerText = 'umbrella-tide-answer';
const key = 'not-a-real-key-of-the-model';

/** Providers word their errors with what they were sent, as some do. */
const echoing =
  (code: number): Script =>
  (response, call) =>
    status(code, { status: 'INVALID_ARGUMENT', message: `bad text: ${JSON.stringify(call.body).slice(0, 20_000)}` })(
      response,
      call,
    );

it('holds no row contents, key or prompt at its most talkative, when all goes well and when it does not', async () => {
  const url = await postgres.createDatabase();
  const env = {
    ...settingsFor(url, join(dir, 'data')),
    TC_POSTGRES_SLOT: 'logs',
    TC_COMPILE_TIER: 'cheap',
    TC_COMPILE_CONCURRENCY: '1',
    TC_GEMINI_API_KEY: key,
    TC_GEMINI_BASE_URL: gemini.baseUrl,
    TC_LOG_LEVEL: 'trace',
  };
  expect((await runCli(['init', '--create-table'], { env })).code).toBe(0);
  for (const session of ['first', 'second', 'third', 'fourth'])
    await queryOn(
      url,
      `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
       SELECT $1, 'depot', CASE WHEN n % 3 = 0 THEN 'look' ELSE 'move' END, jsonb_build_object('parcel', $2 || n),
              jsonb_build_object('mail', $3::text, 'shelf', 'aisle ' || n) FROM generate_series(0, 11) AS n`,
      [session, rowText, email],
    );
  const pair = {
    evidence: [{ turn: 2, quote: answerText }],
    question: `${answerText}?`,
    answer: answerText,
    qa_type: 'factoid',
  };
  gemini.play(
    echoing(400),
    echoing(500),
    answer(`no JSON but ${answerText}`),
    answer(JSON.stringify({ pairs: [pair] })),
  );
  const { code, stdout, stderr } = await runCli(['run', '--until-idle', '--json'], { env });
  expect(code, stderr).toBe(0);
  expect(gemini.received.length).toBeGreaterThan(4);
  expect(JSON.stringify(gemini.received[0]?.body)).toContain(rowText);
  const lines = stderr.split('\n');
  expect(lines.some((line) => line.startsWith('{"level"'))).toBe(true);
  for (const secret of [rowText, email, answerText, key, new URL(url).password].filter((text) => text !== '')) {
    expect(lines.filter((line) => line.includes(secret))).toEqual([]);
    expect(stdout).not.toContain(secret);
  }
  // Nor the words that every prompt begins with.
  const [system = ''] = gemini.received.map(({ body }) => body.systemInstruction?.parts[0]?.text);
  expect(stderr).not.toContain((system ?? '').slice(0, 60));
});
