/** What is compared: Postgres' own client writing to nothing, the built command line, and a capture with or without metrics. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publication, table } from './log-server.ts';
import type { Reader } from './pass.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** @throws Error that says where it looked. */
export function findPgRecvlogical(): string {
  const folder = '/usr/lib/postgresql';
  const versions = existsSync(folder) ? readdirSync(folder).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...versions.map((v) => join(folder, v, 'bin'))];
  const found = folders.map((f) => join(f, 'pg_recvlogical')).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(
    `no pg_recvlogical on PATH or in ${folder}/*/bin: it is the limit that capture is measured against; install postgresql-client`,
  );
}

export function pgRecvlogical(command: string, url: string, slot: string, end: string): Reader {
  const options = ['-o', 'proto_version=1', '-o', `publication_names=${publication}`];
  return {
    command,
    args: ['-d', url, '-S', slot, '--start', '--no-loop', '-f', '/dev/null', `--endpos=${end}`, ...options],
    done: 'received',
  };
}

export interface Built {
  main: string;
  remove(): void;
}

/** Builds into a temporary folder that borrows the packages of the checkout. */
export function build(): Built {
  const folder = mkdtempSync(join(tmpdir(), 'bench-capture-built-'));
  for (const name of ['node_modules', 'package.json']) symlinkSync(join(root, name), join(folder, name));
  const main = join(folder, 'dist', 'main.js');
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  const args = ['-p', join(root, 'tsconfig.build.json'), '--outDir', dirname(main), '--noCheck'];
  const { status, stdout, stderr } = spawnSync(tsc, args, { encoding: 'utf8' });
  const remove = () => rmSync(folder, { recursive: true, force: true });
  if (status === 0 && existsSync(main)) return { main, remove };
  remove();
  throw new Error(`the command line could not be built: ${stdout}${stderr}`);
}

export interface CaptureRun {
  url: string;
  slot: string;
  dataDir: string;
  /** Of node. */
  flags?: string[];
  /** Settings beside those that the bench makes. */
  env?: Record<string, string>;
  args?: string[];
}

function captureEnv({ url, slot, dataDir, env = {} }: CaptureRun): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(TC_|GEMINI_|GOOGLE_)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    TC_POSTGRES_URL: url,
    TC_POSTGRES_TABLE: table,
    TC_POSTGRES_SLOT: slot,
    TC_POSTGRES_PUBLICATION: publication,
    TC_DATA_DIR: dataDir,
    TC_METRICS_PORT: '0',
    // However long ago the rows were written: every pass finds the same sessions open, and ends none.
    TC_SESSION_IDLE_TIMEOUT: '1d',
    NO_COLOR: '1',
    ...env,
  };
}

/** `run --role capture`, as a user starts it; with `--once` where nothing else is said. */
export function ourCapture({ main }: Built, run: CaptureRun): Reader {
  const args = [...(run.flags ?? []), main, 'run', '--role', 'capture', ...(run.args ?? ['--once'])];
  return { command: process.execPath, args, env: captureEnv(run), done: 'confirmed' };
}

/** bench/metered.ts over the same settings. */
export function meteredCapture(run: CaptureRun, metrics: 'on' | 'off'): Reader {
  const script = join(root, 'bench', 'metered.ts');
  const args = ['--import', import.meta.resolve('tsx'), script, metrics];
  return {
    command: process.execPath,
    args,
    env: { ...captureEnv(run), TC_ROLES: 'capture' },
    done: 'confirmed',
    held: true,
  };
}
