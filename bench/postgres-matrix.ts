/**
 * `npm run test:postgres-matrix [-- 14 18]`: what depends on the server, on each version of it, one after the other.
 * Prints a line for each: `14: 80 passed, 0 failed`.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { postgresBinaries, postgresVersions } from '../test/support/postgres-versions.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));

/** The folders whose `.pg.test.ts` ask the source's server: its stream, its tables, the statements for it. */
const folders = ['stream', 'postgres', 'reconcile', 'load', 'deploy'];

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
  }[];
}

const asked = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'tc-matrix-'));
let failures = 0;
try {
  for (const major of asked.length > 0 ? asked : Object.keys(postgresVersions)) {
    await postgresBinaries(major);
    const report = await testOn(major, join(folder, `${major}.json`));
    const failed = failuresOf(report);
    for (const failure of failed) process.stderr.write(`${failure}\n`);
    process.stdout.write(`${major}: ${report.numPassedTests} passed, ${failed.length} failed\n`);
    failures += failed.length;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;

async function suites(): Promise<string[]> {
  const found = folders.map(async (name) => {
    const files = await readdir(join(root, 'test', name));
    return files.filter((file) => file.endsWith('.pg.test.ts')).map((file) => `test/${name}/${file}`);
  });
  return (await Promise.all(found)).flat();
}

async function testOn(major: string, outputFile: string): Promise<Report> {
  const args = [vitest, 'run', ...(await suites()), '--reporter=json', `--outputFile=${outputFile}`, '--maxWorkers=1'];
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, TC_TEST_POSTGRES_VERSION: major, TC_TEST_POSTGRES_URL: undefined },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const report = await readFile(outputFile, 'utf8').catch(() => null);
  if (report === null) throw new Error(`the tests on PostgreSQL ${major} ended with ${code} and without a report`);
  return JSON.parse(report) as Report;
}

/** A file that can't be loaded is a failure, and so is a test that was skipped: it proves nothing. */
function failuresOf({ testResults }: Report): string[] {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((result) => result.status !== 'passed');
    if (failed.length === 0 && status !== 'passed') return [`${name}: ${message}`];
    return failed.map((result) => `${name}: ${result.fullName}: ${result.failureMessages[0] ?? result.status}`);
  });
}
