/** Running test files of a copy of the checkout, and what they said. */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export type Verdict =
  | { kind: 'passed' }
  /** By the title of the first test that failed. */
  | { kind: 'failed'; by: string }
  /** No test said anything: a file could not be loaded, or an error came outside of any. */
  | { kind: 'broken'; said: string };

interface Result {
  status: string;
  fullName: string;
  failureMessages: string[];
}

interface Report {
  testResults: { name: string; status: string; assertionResults: Result[] }[];
}

const limitMs = 300_000;

/** Histories enough to find each of the planted faults, the same ones each time. */
const simulator = { TC_SIMULATOR_SEED: '1', TC_SIMULATOR_RUNS: '20000' };

/** Runs test files up to the first failure. */
export async function runTests(root: string, files: readonly string[], signal: AbortSignal): Promise<Verdict> {
  const { code, late, said, report } = await vitest(root, ['--bail=1', ...files], signal);
  if (code === 0) return { kind: 'passed' };
  if (late) return { kind: 'failed', by: `its time limit of ${limitMs / 1_000} s` };
  const failed = report === null ? null : firstFailure(report);
  return failed === null ? { kind: 'broken', said: said.trim() } : { kind: 'failed', by: failed };
}

/** Those of the files that do not pass. */
export async function redFiles(root: string, files: readonly string[], signal: AbortSignal): Promise<string[]> {
  const { code, report } = await vitest(root, files, signal);
  if (code === 0) return [];
  const green = report?.testResults.filter(({ status }) => status === 'passed').map(({ name }) => name) ?? [];
  return files.filter((file) => !green.includes(join(root, file)));
}

async function vitest(root: string, args: readonly string[], signal: AbortSignal) {
  const path = join(root, 'report.json');
  rmSync(path, { force: true });
  const script = join(root, 'node_modules/vitest/vitest.mjs');
  const flags = ['--no-cache', '--reporter=json', `--outputFile=${path}`];
  const child = spawn(process.execPath, [script, 'run', ...flags, ...args], {
    cwd: root,
    env: { ...process.env, ...simulator, NO_COLOR: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
    // A group of its own, so that servers of a run that is cut short go with it.
    detached: true,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000);
  });
  let late = false;
  const end = () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  const timer = setTimeout(() => {
    late = true;
    end();
  }, limitMs);
  signal.addEventListener('abort', end);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  clearTimeout(timer);
  signal.removeEventListener('abort', end);
  return { code, late, said, report: readReport(path) };
}

function readReport(path: string): Report | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report;
  } catch {
    return null;
  }
}

function firstFailure({ testResults }: Report): string | null {
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = results.find(({ status }) => status === 'failed');
  if (failed === undefined) return null;
  // Of the simulator the message matters: it tells how many histories it took.
  const said = /^Error: (history .*)/.exec(failed.failureMessages[0] ?? '')?.[1];
  return said === undefined ? failed.fullName.trim() : `${failed.fullName.trim()} (${said.slice(0, 120)})`;
}
