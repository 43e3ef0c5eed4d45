/** Commands as a person runs them: in a folder, with an environment, their output as it comes. */
import { type ChildProcess, spawn } from 'node:child_process';

export interface Shell {
  folder: string;
  env: Record<string, string>;
}

export interface Ended {
  code: number | null;
  /** Of both streams, in the order in which it came. */
  output: string;
  /** Of standard output alone. */
  stdout: string;
}

export interface Started {
  output(): string;
  /** As Ctrl-C does: to the whole group. */
  interrupt(): void;
  ended: Promise<Ended>;
}

/** npm's own settings and those of this program stay outside. */
function environmentOf({ env }: Shell): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(TC_|GEMINI_|GOOGLE_|npm_)/.test(name));
  return { ...Object.fromEntries(inherited), NO_COLOR: '1', ...env };
}

export function start(shell: Shell, command: string, args: readonly string[]): Started {
  const child: ChildProcess = spawn(command, [...args], {
    cwd: shell.folder,
    env: environmentOf(shell),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output, stdout }));
  });
  return {
    output: () => output,
    interrupt: () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT');
    },
    ended,
  };
}

/** @throws where it ends otherwise than with one of `codes`. */
export async function run(
  shell: Shell,
  command: string,
  args: readonly string[],
  codes: readonly number[] = [0],
): Promise<Ended> {
  const ended = await start(shell, command, args).ended;
  if (ended.code !== null && codes.includes(ended.code)) return ended;
  throw new Error(`${command} ${args.join(' ')} ended with ${ended.code}: ${ended.output}`);
}
