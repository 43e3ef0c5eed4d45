/** Taking a guard out of a copy of the checkout. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Guard } from './guard.ts';

/** Copies what git tracks or would track, as it is now; the packages are linked. */
export function copyCheckout(from: string, to: string): void {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: from, encoding: 'utf8' });
  for (const file of listed.split('\0')) {
    // A file that was deleted and not committed yet is listed too, and so is a link to packages of another checkout.
    if (statSync(join(from, file), { throwIfNoEntry: false })?.isFile() !== true) continue;
    mkdirSync(dirname(join(to, file)), { recursive: true });
    copyFileSync(join(from, file), join(to, file));
  }
  symlinkSync(join(from, 'node_modules'), join(to, 'node_modules'));
}

/** @throws Error where the guard does not stand in its file exactly once: the table of guards is out of date. */
export function without(text: string, { name, file, old, new: replacement }: Guard): string {
  const times = old === '' ? 0 : text.split(old).length - 1;
  if (times !== 1)
    throw new Error(`guard "${name}" stands in ${file} ${times} times, not once: ${JSON.stringify(old)}`);
  // By a function: a dollar sign in the replacement means itself.
  return text.replace(old, () => replacement);
}

/** Runs `work` while the guard is out of the copy at `root`. */
export async function withGuardOut<T>(root: string, guard: Guard, work: () => Promise<T>): Promise<T> {
  const path = join(root, guard.file);
  const whole = readFileSync(path, 'utf8');
  writeFileSync(path, without(whole, guard));
  try {
    return await work();
  } finally {
    writeFileSync(path, whole);
  }
}
