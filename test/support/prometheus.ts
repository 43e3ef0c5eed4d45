/** A real Prometheus for tests, and its promtool; see prometheus/binaries.ts for where they come from. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe } from 'vitest';
import { pause } from '../../src/lifecycle.ts';
import { freePort } from './free-port.ts';
import { missingForPrometheus, prometheusBinaries } from './prometheus/binaries.ts';

export interface Sample {
  labels: Record<string, string>;
  value: number;
}

export interface Rule {
  name: string;
  type: 'alerting' | 'recording';
  query: string;
  health: 'ok' | 'err' | 'unknown';
  lastError?: string;
  /** Of alerting rules. */
  state?: 'inactive' | 'pending' | 'firing';
  labels?: Record<string, string>;
}

export interface TestPrometheus {
  baseUrl: string;
  /** A vector or a scalar at a moment, by default now. @throws where the expression does not parse or run */
  query(expr: string, at?: Date): Promise<Sample[]>;
  /** The `data` of any other path of the API, such as `series?match[]=up`. */
  get(path: string): Promise<unknown>;
  /** Every rule with how its last evaluation went. */
  rules(): Promise<Rule[]>;
  stop(): Promise<void>;
}

const startTimeoutMs = 60_000;

/** `describe` for tests that need Prometheus: skipped, loudly, where it can't be had; under CI=true they then fail. */
export const describePrometheus = canRun() ? describe : describe.skip;

/**
 * Runs until it ends or standard input closes, which happens however this process dies: it leaves nobody behind.
 * $1 is the folder.
 */
const keeper = `folder=$1; shift; exec 3<&0
"$@" 3<&- </dev/null & server=$!
{ read -r _ <&3; kill -KILL $server; rm -rf "$folder"; } & watcher=$!
trap 'kill -TERM $server' TERM
wait $server; wait $server
kill $watcher 2>/dev/null`;

/** Starts a server with the files of its folder, such as `prometheus.yml` and the rules that it names. */
export async function startPrometheus(files: {
  'prometheus.yml': string;
  [path: string]: string;
}): Promise<TestPrometheus> {
  const { prometheus } = await prometheusBinaries();
  const folder = await mkdtemp(join(tmpdir(), 'tc-prometheus-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  for (let attempt = 1; ; attempt++) {
    const baseUrl = `http://127.0.0.1:${await freePort()}`;
    const child = await launch(prometheus, folder, baseUrl);
    if (await isReady(child, baseUrl)) return running(child, folder, baseUrl);
    await end(child);
    const log = await readFile(join(folder, 'server.log'), 'utf8');
    // Somebody took a free port in between.
    if (attempt < 3 && log.includes('address already in use')) continue;
    await rm(folder, { recursive: true, force: true });
    throw new Error(`the test's Prometheus did not start: ${log.trim().split('\n').slice(-5).join(' | ')}`);
  }
}

async function launch(prometheus: string, folder: string, baseUrl: string): Promise<ChildProcess> {
  const log = await open(join(folder, 'server.log'), 'w');
  const options = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${new URL(baseUrl).host}`,
  ];
  const child = spawn('/bin/sh', ['-c', keeper, 'keeper', folder, prometheus, ...options], {
    cwd: folder,
    detached: true,
    stdio: ['pipe', log.fd, log.fd],
  });
  child.on('error', () => {});
  child.stdin?.on('error', () => {});
  await log.close();
  child.unref();
  return child;
}

async function isReady(child: ChildProcess, baseUrl: string): Promise<boolean> {
  const deadline = Date.now() + startTimeoutMs;
  while (!hasEnded(child) && Date.now() < deadline) {
    if (
      await fetch(`${baseUrl}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return true;
    await pause(50);
  }
  return false;
}

function running(child: ChildProcess, folder: string, baseUrl: string): TestPrometheus {
  const get = async (path: string) => {
    const response = await fetch(`${baseUrl}/api/v1/${path}`);
    const body = (await response.json()) as { status: string; data: unknown; error?: string };
    if (body.status !== 'success') throw new Error(`${decodeURIComponent(path)}: ${body.error}`);
    return body.data;
  };
  return {
    baseUrl,
    get,
    query: async (expr, at) => {
      const time = at === undefined ? {} : { time: String(at.getTime() / 1000) };
      return samplesOf(await get(`query?${new URLSearchParams({ query: expr, ...time })}`));
    },
    rules: async () => ((await get('rules')) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules),
    stop: async () => {
      await end(child);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

type Point = [time: number, value: string];
type Result =
  | { resultType: 'vector'; result: { metric: Record<string, string>; value: Point }[] }
  | { resultType: 'scalar'; result: Point };

function samplesOf(data: unknown): Sample[] {
  const { resultType, result } = data as Result;
  if (resultType === 'scalar') return [{ labels: {}, value: numberOf(result) }];
  return result.map(({ metric, value }) => ({ labels: metric, value: numberOf(value) }));
}

const numberOf = ([, value]: Point) => Number(value.replace('Inf', 'Infinity'));

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.ref();
  child.kill('SIGTERM');
  await ended;
  child.stdin?.destroy();
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

export interface Verdict {
  /** 0 for nothing found. */
  code: number;
  /** Everything that it said. */
  output: string;
}

/** Runs promtool, such as `promtool(['check', 'rules', path])`; `stdin` is what `check metrics` reads. */
export async function promtool(args: string[], { cwd, stdin = '' }: { cwd?: string; stdin?: string } = {}) {
  const { promtool: path } = await prometheusBinaries();
  return await new Promise<Verdict>((resolve, reject) => {
    const child = execFile(path, args, { cwd, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code !== 'number') reject(error);
      else resolve({ code, output: `${stdout}${stderr}` });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(stdin);
  });
}

function canRun(): boolean {
  const missing = missingForPrometheus();
  if (missing.length === 0 || process.env.CI === 'true') return true;
  process.stderr.write(
    `\nNO PROMETHEUS TESTS: ${missing.join(' and ')} not found. ` +
      'Put prometheus and promtool on the PATH, or set TC_TEST_PROMETHEUS to their folder.\n\n',
  );
  return false;
}
