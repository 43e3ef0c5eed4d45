/**
 * Takes each guard out of a copy of the checkout in turn, and shows which test goes red. A guard that nothing misses is a
 * finding: exit code 1.
 *
 *     npm run test:guards -- [--list] [--only WORDS]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Guard } from './guard.ts';
import { guards } from './guards.ts';
import { copyCheckout, withGuardOut } from './mutate.ts';
import { redFiles, runTests } from './verdict.ts';

const { values } = parseArgs({ options: { list: { type: 'boolean' }, only: { type: 'string', multiple: true } } });
const chosen = guards.filter(({ name }) => values.only?.some((words) => name.includes(words)) ?? true);
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

if (values.list) for (const { name, tests } of chosen) say(`${name}  (${tests.join(', ')})`);
else process.exitCode = (await takeOut(chosen)) ? 0 : 1;

async function takeOut(list: readonly Guard[]): Promise<boolean> {
  if (list.length === 0) {
    say('no guard has such a name: see --list');
    return false;
  }
  const root = mkdtempSync(join(tmpdir(), 'guards-'));
  try {
    copyCheckout(fileURLToPath(new URL('../..', import.meta.url)), root);
    return await areMissed(root, list, await filesThatFailAnyway(root, list));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** They would miss every guard, and so tell nothing. */
async function filesThatFailAnyway(root: string, list: readonly Guard[]): Promise<string[]> {
  const files = [...new Set(list.flatMap(({ tests }) => tests))];
  say(`with all guards in place: ${files.length} test files`);
  const red = await redFiles(root, files, stopping.signal);
  for (const file of red) say(`${file} fails with all guards in place: it judges none`);
  return red;
}

async function areMissed(root: string, list: readonly Guard[], red: readonly string[]): Promise<boolean> {
  const startedAt = performance.now();
  let caught = 0;
  const findings: string[] = [];
  for (const [i, guard] of list.entries()) {
    const began = performance.now();
    const tests = guard.tests.filter((file) => !red.includes(file));
    if (tests.length === 0) {
      findings.push(guard.name);
      say(`[${i + 1}/${list.length}] ${guard.name}: NOT JUDGED, its tests fail anyway`);
      continue;
    }
    const verdict = await withGuardOut(root, guard, () => runTests(root, tests, stopping.signal));
    if (stopping.signal.aborted) return false;
    const place = `[${i + 1}/${list.length}, ${((performance.now() - began) / 1_000).toFixed(0)} s] ${guard.name}:`;
    if (verdict.kind === 'failed') {
      caught += 1;
      say(`${place} caught by ${verdict.by}`);
      continue;
    }
    findings.push(guard.name);
    if (verdict.kind === 'passed') say(`${place} NOT MISSED: ${guard.name}`);
    else say(`${place} BROKEN, no test could say: ${verdict.said}`);
  }
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(0);
  say(`${caught} of ${list.length} guards are missed when they are out, in ${minutes} min`);
  for (const name of findings) say(`finding: ${name}`);
  return findings.length === 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
