import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCompiling } from '../src/compiling.ts';
import { loadConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import { answer, type GeminiServer, startGeminiServer } from './support/gemini-server.ts';
import { parcelRows, trajectoryOf } from './support/trajectories.ts';

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

function open(env: Record<string, string>) {
  const given = { TC_DATA_DIR: dir, TC_GEMINI_API_KEY: 'not-a-real-key', TC_GEMINI_BASE_URL: gemini.baseUrl };
  const cheap = { TC_COMPILE_TIER: 'cheap', TC_REDACT_MODE: 'off', TC_VERIFY_MODE: 'off' };
  const { config } = loadConfig({ env: { ...given, ...cheap, ...env }, flags: {} });
  return openCompiling(config, createLogger('silent'));
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
