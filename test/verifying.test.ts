import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { gatesVersion } from '../src/compile/compile.ts';
import { loadConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import type { Compiled, QaPair } from '../src/records.ts';
import { type VerifyOptions, verifyStored } from '../src/verifying.ts';
import { pairsOf } from './e2e/pipe.ts';
import { until } from './support/capture.ts';
import { answer, type GeminiServer, rateLimited, type Script, startGeminiServer } from './support/gemini-server.ts';
import { isBlind, knows, reader } from './support/reader.ts';
import { heavierDraft, leadsDraft } from './support/trajectories.ts';
import { byModel, byRules, compileInto, letsLeadPass } from './support/verifiable.ts';

let dir: string;
let gemini: GeminiServer;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tc-verifying-'));
  gemini = await startGeminiServer();
});
afterEach(async () => {
  await gemini.close();
  rmSync(dir, { recursive: true, force: true });
});

function verify(env: Record<string, string> = {}, more: Partial<VerifyOptions> = {}) {
  const given = { TC_DATA_DIR: dir, TC_GEMINI_API_KEY: 'not-a-real-key', TC_GEMINI_BASE_URL: gemini.baseUrl, ...env };
  const { config } = loadConfig({ env: given, flags: {} });
  const [drain, abort] = [new AbortController().signal, new AbortController().signal];
  const plain = { since: new Date(Date.now() - 3_600_000).toISOString(), limit: 100, all: false };
  return verifyStored({ config, log: createLogger('silent'), drain, abort, onProgress: () => {}, ...plain, ...more });
}

const cheap = { TC_COMPILE_TIER: 'cheap', TC_REDACT_MODE: 'off' };
const changed =
  (change: (pair: QaPair) => Partial<QaPair>) =>
  (message: Compiled): Compiled => ({
    ...message,
    pairs: message.pairs.map((pair) => ({ ...pair, ...change(pair) })),
  });

it('without a model the gates look again, once a version, and what they recompute is proved', async () => {
  await compileInto(
    dir,
    byRules,
    [[heavierDraft]],
    changed(() => ({ verification: { status: 'unverified', reason: null } })),
  );
  expect(await verify()).toMatchObject({ due: 1, done: 1, verdicts: { proved: 1 }, costUsd: 0 });
  expect(pairsOf(dir)).toMatchObject([{ verification: 'proved', verdict_version: gatesVersion, same_family: null }]);
  expect(await verify()).toMatchObject({ due: 0 });
  // Proved is proved.
  expect(await verify({}, { all: true })).toMatchObject({ due: 0 });
});

it('what a gate refuses now fails with its reason, and no model is asked about it', async () => {
  await compileInto(
    dir,
    byModel,
    [[leadsDraft]],
    changed(() => ({ answer: 'badge zz_9981' })),
  );
  expect(await verify(cheap)).toMatchObject({ verdicts: { fail: 1 }, reasons: { ungrounded_literal: 1 } });
  expect(pairsOf(dir)).toMatchObject([
    {
      verification: 'fail',
      verification_reason: 'ungrounded_literal',
      verdict_version: gatesVersion,
      status: 'active',
    },
  ]);
  expect(gemini.received).toEqual([]);
});

it('what a gate of before refused and none refuses now is without a verdict until a model has looked', async () => {
  const refused = {
    status: 'fail' as const,
    reason: 'single_turn',
    version: 'gates/0',
    at: '2026-01-02T00:00:00.000Z',
  };
  await compileInto(
    dir,
    byModel,
    [[leadsDraft]],
    changed(() => ({ verification: refused })),
  );
  expect(await verify()).toMatchObject({ verdicts: { unverified: 1 } });
  expect(pairsOf(dir)).toMatchObject([{ verification: 'unverified', verdict_version: gatesVersion }]);
  gemini.play(letsLeadPass);
  expect(await verify(cheap)).toMatchObject({ verdicts: { pass: 1 } });
  // A model's verdict stands where none can be asked.
  expect(await verify({}, { all: true })).toMatchObject({ due: 1, done: 1, verdicts: {} });
  expect(pairsOf(dir)).toMatchObject([{ verification: 'pass' }]);
});

it('an answer that could not be used is asked for anew, a verdict of another version again, no other', async () => {
  await compileInto(dir, byModel, [[leadsDraft]]);
  gemini.play(answer('All of them are right.'));
  expect(await verify(cheap)).toMatchObject({ verdicts: { error: 1 }, reasons: { unparsable: 1 } });
  gemini.play(letsLeadPass);
  const looked = await verify(cheap);
  expect(looked).toMatchObject({ due: 1, verdicts: { pass: 1 }, reasons: {}, failed: {} });
  expect(looked.costUsd).toBeGreaterThan(0);
  expect(pairsOf(dir)).toMatchObject([
    { verification: 'pass', verdict_version: 'verify/1 gemini gemini-3.8-flash', same_family: 1 },
  ]);
  expect(await verify(cheap)).toMatchObject({ due: 0 });
  // Asked for all the same, it is known.
  const asked = gemini.received.length;
  expect(await verify(cheap, { all: true })).toMatchObject({ due: 1, verdicts: { pass: 1 }, costUsd: 0 });
  expect(gemini.received).toHaveLength(asked);
  // An unusable answer undoes no verdict, and is not the last word of that model.
  const another = { ...cheap, TC_VERIFY_MODEL: 'another-model' };
  gemini.play(answer(''));
  expect(await verify(another)).toMatchObject({ verdicts: { error: 1 } });
  expect(pairsOf(dir)).toMatchObject([{ verification: 'pass', verdict_version: 'verify/1 gemini gemini-3.8-flash' }]);
  gemini.play(reader(knows(['lead: Tamsin Okafor'], 'Tamsin Okafor')));
  expect(await verify(another)).toMatchObject({ reasons: { needs_fewer: 1 } });
  expect(gemini.received.slice(asked).map(isBlind)).toEqual([true, true]);
  expect(pairsOf(dir)).toMatchObject([{ verdict_version: 'verify/1 gemini another-model', same_family: 0 }]);
});

it('a model that asks for fewer calls is waited for, and one that is told to stop meanwhile stops', async () => {
  await compileInto(dir, byModel, [[leadsDraft]]);
  gemini.play(rateLimited('61s'));
  const drain = new AbortController();
  const stopped = verify(cheap, { drain: drain.signal });
  await until('it is turned away', () => gemini.received.length === 1);
  drain.abort();
  expect(await stopped).toMatchObject({ due: 1, done: 0, failed: {}, costUsd: 0 });
  gemini.play(...Array<Script>(4).fill(rateLimited('0.01s')), letsLeadPass);
  expect(await verify(cheap)).toMatchObject({ done: 1, verdicts: { pass: 1 }, failed: {} });
});

it('takes the newest first, up to its limit, and nothing once it was told to stop', async () => {
  const at = (pair: QaPair) => ({
    createdAt: new Date(Date.now() - (pair.sessionId === 'session-0' ? 60_000 : 0)).toISOString(),
  });
  await compileInto(dir, byModel, [[leadsDraft], [leadsDraft]], changed(at));
  gemini.play(letsLeadPass);
  expect(await verify(cheap, { drain: AbortSignal.abort() })).toMatchObject({ due: 2, done: 0 });
  expect(await verify(cheap, { limit: 1 })).toMatchObject({ due: 1, done: 1 });
  expect(pairsOf(dir).map((pair) => [pair.session_id, pair.verification])).toEqual([
    ['session-0', 'unverified'],
    ['session-1', 'pass'],
  ]);
  expect(await verify(cheap, { since: new Date(Date.now() - 30_000).toISOString() })).toMatchObject({ due: 0 });
});
