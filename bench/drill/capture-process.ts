/** The command line as a process that may be told where to crash; compiled first, since it is started hundreds of times. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { copyFile, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { CrashPoint } from '../../src/crash-points.ts';
import { within } from '../../src/lifecycle.ts';

export interface Program {
  /** Path of the compiled `main.js`. */
  main: string;
  remove(): Promise<void>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Compiles the sources into a temporary folder. */
export async function compileProgram(): Promise<Program> {
  const folder = await mkdtemp(join(tmpdir(), 'tc-drill-program-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
    const options = ['--outDir', join(folder, 'dist'), '--declaration', 'false', '--sourceMap', 'false'];
    await promisify(execFile)(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), ...options]);
    await copyFile(join(root, 'package.json'), join(folder, 'package.json'));
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    return { main: join(folder, 'dist', 'main.js'), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

export interface Running {
  ended: Promise<Ended>;
  /** SIGKILL, or as the signal says. */
  kill(signal?: NodeJS.Signals): void;
}

export interface Crash {
  point: CrashPoint;
  /** At the how manieth passing. */
  time: number;
}

/** Starts a command; nothing of this process's own settings or keys reaches it. */
export function start(
  { main }: Program,
  args: string[],
  { env, crash }: { env: Record<string, string>; crash?: Crash | undefined },
): Running {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(TC_|GEMINI_|GOOGLE_)/.test(name));
  const armed = crash === undefined ? {} : { TRAJECTORY_COMPILER_CRASH_AT: `${crash.point}:${crash.time}` };
  const child: ChildProcess = spawn(process.execPath, [main, ...args], {
    env: { ...Object.fromEntries(inherited), NO_COLOR: '1', ...env, ...armed },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000);
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stderr }));
  });
  return { ended, kill: (signal = 'SIGKILL') => void child.kill(signal) };
}

/** Runs a command to its end. @throws with what it said where it ended otherwise than with 0, or not in time. */
export async function complete(
  program: Program,
  args: string[],
  env: Record<string, string>,
  timeoutMs = 300_000,
): Promise<void> {
  const running = start(program, args, { env });
  const ended = await within(timeoutMs, running.ended);
  if (ended === undefined) running.kill();
  const { code, stderr } = ended ?? (await running.ended);
  if (code !== 0) throw new Error(`${args[0]} ended with ${ended === undefined ? 'no end' : code}: ${stderr}`);
}
