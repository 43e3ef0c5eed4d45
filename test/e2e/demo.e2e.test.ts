import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lastJson, runCli, startCli } from '../support/cli.ts';
import { pairsOf } from './pipe.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tc-demo-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it('shows the whole pipe on a machine with nothing installed, and can be shown again', async () => {
  const env = { TC_DATA_DIR: dir };
  const totals = lastJson(await runCli(['demo', '--json'], { env }));
  expect(totals).toMatchObject({ open: 0, parked: 0, costUsd: 0, dataset: join(dir, 'demo', 'qa_pairs.sqlite') });
  expect(totals.trajectories).toBeGreaterThan(50);
  const pairs = pairsOf(join(dir, 'demo'));
  expect(pairs.filter((pair) => pair.duplicate_of === null)).toHaveLength(totals.pairs as number);
  expect(new Set(pairs.map((pair) => pair.qa_type)).size).toBe(4);
  expect(new Set(pairs.map((pair) => pair.agent)).size).toBe(8);

  const second = startCli(['demo'], { env });
  const told = new Promise<void>((resolve) => {
    second.child.stderr?.on('data', () => {
      if (second.output().stderr.includes('eight agents at work')) resolve();
    });
  });
  await told;
  const third = await runCli(['demo'], { env });
  expect(third.code).toBe(3);
  expect(third.stderr).toMatch(/another process captures into .*demo/);
  second.child.kill('SIGINT');
  const { code, stdout, stderr } = await second.finished;
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('The dataset is');
}, 180_000);
