import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lastJson, runCli } from '../support/cli.ts';
import { answer, dailyQuota, startGeminiServer } from '../support/gemini-server.ts';
import { leadsDraft } from '../support/trajectories.ts';
import { byModel, compileInto, letsLeadPass } from '../support/verifiable.ts';
import { pairsOf } from './pipe.ts';

it('verify says by its exit code what is missing, keeps what it has, and has the rest the next time', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tc-verify-'));
  const gemini = await startGeminiServer();
  try {
    await compileInto(dir, byModel, [[leadsDraft], [leadsDraft]]);
    const env = {
      TC_DATA_DIR: dir,
      TC_GEMINI_API_KEY: 'not-a-real-key',
      TC_GEMINI_BASE_URL: gemini.baseUrl,
      TC_COMPILE_TIER: 'cheap',
      TC_COMPILE_CONCURRENCY: '1',
      TC_REDACT_MODE: 'off',
    };
    const verify = () => runCli(['verify', '--since', '1h', '--json'], { env });
    const verdicts = () => pairsOf(dir).map((pair) => pair.verification);

    gemini.play(letsLeadPass, letsLeadPass, answer('All of them are right.'));
    const unusable = await verify();
    expect(unusable.code, unusable.stderr).toBe(6);
    expect(verdicts().sort()).toEqual(['error', 'pass']);

    gemini.play(dailyQuota());
    expect((await verify()).code).toBe(4);
    expect(verdicts().sort()).toEqual(['error', 'pass']);

    gemini.play(letsLeadPass);
    expect(lastJson(await verify())).toMatchObject({ due: 1, done: 1, verdicts: { pass: 1 }, failed: {} });
    expect(verdicts()).toEqual(['pass', 'pass']);
  } finally {
    await gemini.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
