import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AskedModel, type CompilingHooks, openCompiling } from '../src/compiling/compiling.ts';
import { loadConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import { createCompileObserver } from '../src/metrics/compile-observer.ts';
import { createMetrics } from '../src/metrics/registry.ts';
import { counted } from './metrics/reading.ts';
import { answer, type GeminiServer, startGeminiServer } from './support/gemini-server.ts';
import { leadsDraft, parcelRows, trajectoryOf } from './support/trajectories.ts';

let dir: string;
let gemini: GeminiServer;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tc-compiling-'));
  gemini = await startGeminiServer();
});
afterEach(async () => {
  await gemini.close();
  rmSync(dir, { recursive: true, force: true });
});

const forever = new AbortController().signal;

function open(env: Record<string, string>, hooks: CompilingHooks = {}) {
  const given = { TC_DATA_DIR: dir, TC_GEMINI_API_KEY: 'not-a-real-key', TC_GEMINI_BASE_URL: gemini.baseUrl };
  const cheap = { TC_COMPILE_TIER: 'cheap', TC_REDACT_MODE: 'off', TC_VERIFY_MODE: 'off' };
  const { config } = loadConfig({ env: { ...given, ...cheap, ...env }, flags: {} });
  return openCompiling(config, createLogger('silent'), hooks);
}

it('under a cap no more is asked of a model that answers under a name without a price, unless that is allowed', async () => {
  gemini.play(answer('{"pairs":[]}', { modelVersion: 'nobody-knows' }));
  const compile = async (env: Record<string, string>) => {
    const { stage, close } = await open(env);
    try {
      // Two prompts: an answer that is known is not asked for.
      for (const name of ['a', 'b']) {
        const rows = parcelRows.map((row) => ({ ...row, agent: `${name} ${env.TC_BUDGET_UNPRICED ?? ''}` }));
        await stage.compileTrajectory(trajectoryOf(rows, { id: name, sessionId: name }), forever);
      }
    } finally {
      await close();
    }
  };
  await expect(compile({ TC_BUDGET_PER_DAY: '1' })).rejects.toMatchObject({
    kind: 'stop',
    code: 'budget_unpriced',
    message: expect.stringMatching(/^nobody-knows has no price, so budget\.perDay would not hold/),
  });
  expect(gemini.received).toHaveLength(1);
  await compile({ TC_BUDGET_PER_DAY: '1', TC_BUDGET_UNPRICED: 'allow' });
  expect(gemini.received).toHaveLength(3);
});

it('tells which models will be asked for what, before anything is asked', async () => {
  const asked: AskedModel[] = [];
  const opened = async (env: Record<string, string>) => {
    asked.length = 0;
    const { close } = await open(env, { onModel: (model) => asked.push(model) });
    await close();
    return asked.map(({ provider, model, stage, tiers }) => [provider, model, stage, ...tiers].join(' '));
  };
  expect(await opened({})).toEqual(['gemini gemini-3.5-flash-lite compile standard']);
  expect(await opened({ TC_VERIFY_MODE: 'on', TC_COMPILE_SERVICE_TIER: 'flex' })).toEqual([
    'gemini gemini-3.5-flash-lite compile flex standard',
    'gemini gemini-3.8-flash verify flex standard',
  ]);
  expect(await opened({ TC_COMPILE_TIER: 'rules' })).toEqual([]);
});

it('counts what is compiled and paid for once, and what is known neither again', async () => {
  const { question, answer: told, evidence } = leadsDraft;
  gemini.play(answer(JSON.stringify({ pairs: [{ evidence, question, answer: told, qa_type: 'factoid' }] })));
  const metrics = createMetrics('test');
  const { stage, close } = await open({}, createCompileObserver(metrics, []));
  const model = 'gemini-3.5-flash-lite,gemini,compile';
  const read = async () => ({
    segments: await counted(metrics, 'tc_segments_total'),
    pairs: await counted(metrics, 'tc_pairs_total'),
    cost: await counted(metrics, 'tc_llm_cost_usd_total'),
    tokens: await counted(metrics, 'tc_llm_tokens_total'),
  });
  const once = {
    segments: ['compiled, 1'],
    pairs: ['unverified,factoid 1'],
    cost: [`${model},standard 0.0008`],
    tokens: [`${model},input 1000`, `${model},output 200`],
  };
  try {
    await stage.compileTrajectory(trajectoryOf(parcelRows), forever);
    expect(await read()).toEqual(once);
    await stage.compileTrajectory(trajectoryOf(parcelRows), forever);
    expect(await read()).toEqual(once);
  } finally {
    await close();
  }
  expect(await counted(metrics, 'tc_compile_stage_duration_seconds_count')).toEqual([
    'redact 2',
    'propose 1',
    'gates 1',
    'store 1',
  ]);
});
