import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { until } from '../support/capture.ts';
import { lastJson, runCli, startCli } from '../support/cli.ts';
import {
  answer,
  dailyQuota,
  type GeminiServer,
  rateLimited,
  type Script,
  startGeminiServer,
  status,
} from '../support/gemini-server.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { pairsOf, settingsFor } from './pipe.ts';

let postgres: TestPostgres;
let dir: string;
let gemini: GeminiServer;
let env: Record<string, string>;
let cases = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'tc-model-'));
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** One finished session: a parcel is weighed, moved about, and weighed again. */
beforeEach(async () => {
  cases += 1;
  gemini = await startGeminiServer();
  const url = await postgres.createDatabase();
  env = {
    ...settingsFor(url, join(dir, `case-${cases}`)),
    TC_POSTGRES_SLOT: `model_${cases}`,
    TC_COMPILE_TIER: 'cheap',
    TC_VERIFY_MODE: 'off',
    TC_GEMINI_API_KEY: 'not-a-real-key',
    TC_GEMINI_BASE_URL: gemini.baseUrl,
  };
  expect((await runCli(['init', '--create-table'], { env })).code).toBe(0);
  await queryOn(
    url,
    `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
     SELECT 'parcels', 'depot', CASE WHEN n IN (2, 9) THEN 'weigh_parcel' ELSE 'move_parcel' END,
            jsonb_build_object('parcel', 'PX-4471'),
            CASE n WHEN 2 THEN '{"weight": "12.5 kg"}'::jsonb WHEN 9 THEN '{"weight": "11.0 kg"}'
                   ELSE jsonb_build_object('shelf', 'aisle ' || n) END
       FROM generate_series(0, 11) AS n`,
  );
});
afterEach(async () => gemini.close());

const goodPair = {
  evidence: [
    { turn: 2, quote: 'weight: 12.5 kg' },
    { turn: 9, quote: 'weight: 11.0 kg' },
  ],
  question: 'What did parcel PX-4471 weigh at its first weighing, and what at its second?',
  answer: '12.5 kg at first, 11.0 kg at the second.',
  qa_type: 'temporal',
};
const good = answer(JSON.stringify({ pairs: [goodPair] }), {
  modelVersion: 'gemini-3.5-flash-lite',
  usage: { promptTokenCount: 1_000_000, candidatesTokenCount: 100_000, totalTokenCount: 1_100_000 },
});
const run = () => runCli(['run', '--until-idle', '--json'], { env });

it('a session becomes a pair for the price of one call, and nothing is asked again', async () => {
  gemini.play(good);
  const totals = lastJson(await run());
  expect(totals).toMatchObject({ trajectories: 1, pairs: 1, rejected: 0, parked: 0 });
  // 1,000,000 tokens in at $0.30 and 100,000 out at $2.50 a million.
  expect(totals.costUsd).toBeCloseTo(0.55, 9);
  const [pair] = pairsOf(env.TC_DATA_DIR!);
  expect(pair).toMatchObject({
    question: goodPair.question,
    qa_type: 'temporal',
    supporting_turns: '[2,9]',
    verification: 'unverified',
    source_model: 'gemini-3.5-flash-lite',
  });
  expect(pair?.cost_usd).toBeCloseTo(0.55, 9);
  expect(lastJson(await run())).toEqual(totals);
  const known = lastJson(await runCli(['compile', '--json'], { env }));
  expect(known).toMatchObject({ known: 1, compiled: 0 });
  expect(gemini.received).toHaveLength(1);
  expect(gemini.received[0]?.apiKey).toBe('not-a-real-key');
});

it('what the rules went over, a model goes over too, and neither goes over it again', async () => {
  env.TC_COMPILE_TIER = 'rules';
  expect(lastJson(await run())).toMatchObject({ trajectories: 1, costUsd: 0 });
  env.TC_COMPILE_TIER = 'cheap';
  // Turned away as often as a question is tried, it waits and goes on.
  gemini.play(...Array<Script>(4).fill(rateLimited('0.01s')), good);
  expect(lastJson(await runCli(['compile', '--json'], { env }))).toMatchObject({ compiled: 1, pairs: 1, failed: {} });
  expect(lastJson(await runCli(['compile', '--json'], { env }))).toMatchObject({ compiled: 0, known: 1 });
  // The dataset may be thrown away: what was answered is known, and costs nothing the second time.
  for (const ending of ['', '-wal', '-shm'])
    rmSync(join(env.TC_DATA_DIR!, `qa_pairs.sqlite${ending}`), { force: true });
  expect(lastJson(await runCli(['compile', '--json'], { env }))).toMatchObject({ compiled: 1, pairs: 1, costUsd: 0 });
  expect(gemini.received).toHaveLength(5);
  const active = pairsOf(env.TC_DATA_DIR!).filter((pair) => pair.status === 'active');
  expect(active.map((pair) => pair.source_model)).toEqual(['gemini-3.5-flash-lite']);
});

it('the first signal lets a call that is under way finish, and its answer is kept', async () => {
  env.TC_COMPILE_TIER = 'rules';
  await run();
  env.TC_COMPILE_TIER = 'cheap';
  const asked = new Promise<void>((resolve) => {
    gemini.play((response, call) => {
      resolve();
      setTimeout(() => good(response, call), 1500);
    });
  });
  const compiling = startCli(['compile', '--json'], { env });
  await asked;
  compiling.child.kill('SIGINT');
  const { stdout, stderr } = await compiling.finished;
  expect(JSON.parse(stdout), stderr).toMatchObject({ compiled: 1, pairs: 1, failed: {} });
});

it('what is no pair is kept with its reason and paid for all the same', async () => {
  gemini.play(
    answer(
      `Here you are:\n\`\`\`json\n${JSON.stringify({ pairs: [{ ...goodPair, evidence: [goodPair.evidence[0]] }] })}\n\`\`\``,
    ),
  );
  const totals = lastJson(await run());
  expect(totals).toMatchObject({ trajectories: 1, pairs: 0, rejected: 1, parked: 0 });
  expect(totals.costUsd).toBeGreaterThan(0);
});

it('a refused key stops it with what to do, and the session is compiled once the key is right', async () => {
  gemini.play(status(403, { status: 'PERMISSION_DENIED', message: 'key not valid' }));
  const refused = await run();
  expect(refused.code).toBe(3);
  expect(refused.stderr).toMatch(/TC_GEMINI_API_KEY|gemini\.apiKey/);
  expect(refused.stderr).not.toContain('not-a-real-key');
  gemini.play(good);
  expect(lastJson(await run())).toMatchObject({ rows: 12, trajectories: 1, pairs: 1, parked: 0 });
});

it('a request that the model refuses parks its session alone, which is listed, put back and compiled', async () => {
  gemini.play(status(400, { status: 'INVALID_ARGUMENT', message: 'the request is not valid' }));
  expect(lastJson(await run())).toMatchObject({ trajectories: 1, pairs: 0, parked: 1 });
  const listed = lastJson(await runCli(['dlq', 'list', '--json'], { env }));
  expect(listed).toMatchObject({ topic: 'trajectories', key: 'parcels', code: 'model_request_refused', attempts: 1 });
  const shown = lastJson(await runCli(['dlq', 'show', String(listed.id), '--json'], { env }));
  expect(shown).toMatchObject({
    id: listed.id,
    topic: 'trajectories',
    value: expect.stringContaining(String(listed.id)),
  });
  expect((await runCli(['dlq', 'requeue', 'no-such-id'], { env })).code).toBe(1);
  expect((await runCli(['dlq', 'requeue', String(listed.id)], { env })).stdout).toBe('1 message put back\n');
  gemini.play(good);
  expect(lastJson(await run())).toMatchObject({ trajectories: 1, pairs: 1, parked: 0 });
});

it('calls that are too many a minute are no failures of their session, however long that lasts', async () => {
  env.TC_COMPILE_MAX_ATTEMPTS = '1';
  gemini.play(rateLimited('61s'));
  const running = startCli(['run', '--json'], { env });
  await until('it waits', () => running.output().stderr.includes('compiling waits: '));
  running.child.kill('SIGINT');
  expect((await running.finished).code).toBe(0);
  gemini.play(rateLimited('1s'), good);
  expect(lastJson(await run())).toMatchObject({ trajectories: 1, pairs: 1, parked: 0 });
});

it('a day that is used up stops it with an exit code of its own, and loses nothing', async () => {
  gemini.play(dailyQuota());
  expect((await run()).code).toBe(4);
  gemini.play(good);
  expect(lastJson(await run())).toMatchObject({ trajectories: 1, pairs: 1, parked: 0 });
});
