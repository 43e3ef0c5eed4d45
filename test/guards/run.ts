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
import { runTests } from './verdict.ts';

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
    return (await areGreen(root, list)) && (await areMissed(root, list));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** A test that fails anyway would miss every guard. */
async function areGreen(root: string, list: readonly Guard[]): Promise<boolean> {
  const files = [...new Set(list.flatMap(({ tests }) => tests))];
  say(`with all guards in place: ${files.length} test files`);
  const verdict = await runTests(root, files, stopping.signal);
  if (verdict.kind === 'passed') return true;
  say(`they do not pass: ${verdict.kind === 'failed' ? verdict.by : verdict.said}`);
  return false;
}

async function areMissed(root: string, list: readonly Guard[]): Promise<boolean> {
  const startedAt = performance.now();
  let caught = 0;
  const findings: string[] = [];
  for (const [i, guard] of list.entries()) {
    const began = performance.now();
    const verdict = await withGuardOut(root, guard, () => runTests(root, guard.tests, stopping.signal));
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
