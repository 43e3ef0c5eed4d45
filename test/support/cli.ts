/** Runs the command line as its users do: in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  /** What was written so far. */
  output(): { stdout: string; stderr: string };
  finished: Promise<Finished>;
}

export interface CliOptions {
  env?: Record<string, string>;
  cwd?: string;
  stdin?: string;
}

/** Starts a command; nothing of this process's own TC_ settings or keys reaches it. */
export function startCli(args: string[], { env = {}, cwd, stdin }: CliOptions = {}): Running {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(TC_|GEMINI_|GOOGLE_)/.test(name));
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, ...args], {
    env: { ...Object.fromEntries(inherited), NO_COLOR: '1', ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin?.on('error', () => {});
  child.stdin?.end(stdin ?? '');
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, output: () => ({ stdout, stderr }), finished };
}

export async function runCli(args: string[], options: CliOptions = {}): Promise<Finished> {
  return await startCli(args, options).finished;
}

/** The last line of stdout as JSON. @throws with what the command said where it ended otherwise than with 0. */
export function lastJson({ code, stdout, stderr }: Finished): Record<string, unknown> {
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
}
