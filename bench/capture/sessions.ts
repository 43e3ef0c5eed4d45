/** Runs bench/sessions.ts, a process of its own whose memory is its subject. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SessionsReport } from '../sessions.ts';

const script = fileURLToPath(new URL('../sessions.ts', import.meta.url));

/** @throws Error with what it wrote, where it failed. */
export function measureSessions(open: number, closedRows: number): SessionsReport {
  const args = ['--import', import.meta.resolve('tsx'), script, String(open), String(closedRows)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`bench/sessions.ts ended with ${status}: ${stderr}`);
  return JSON.parse(stdout.slice(stdout.indexOf('{'))) as SessionsReport;
}
