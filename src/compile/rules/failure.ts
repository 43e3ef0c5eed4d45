/** Whether a call failed, and why, in the tool's own words. */
import { isObject } from '../flatten.ts';
import { fold } from './text.ts';

const errorHead =
  /^\s*(?:\[?error\]?\b|exception\b|traceback\b|failed\b|failure\b|invalid\b|no replacement was performed|permission denied|access denied|not found\b|unknown\b|could not\b|cannot\b|unable to\b|your proposed edit has introduced syntax error)/i;
/** What programs say before they give up: `grep: src/x.ts: No such file or directory`. */
const complaint =
  /^[\w./-]+: .{0,120}(no such file or directory|command not found|not a directory|permission denied|cannot access)/i;
const errorLine =
  /(?:command not found|no such file or directory|syntax error|\b\w*(?:Error|Exception): \S|fatal: |error: |permission denied|\*\*\* \[|can't cd to|not recognized|was not found|does not exist)/i;
const errorKeys = ['error', 'error_message', 'errors', 'detail', 'stderr', 'reason', 'message', 'content', 'output'];

/** By what tools commonly say: a text that opens with an error, an exit code, an `error` or `success` member. */
export function hasFailed(response: unknown): boolean {
  if (typeof response === 'string') {
    const head = response.slice(0, 200);
    return errorHead.test(head) || complaint.test(head);
  }
  if (!isObject(response)) return false;
  const code = response.exit_code ?? response.exitCode ?? response.returncode;
  return (
    (code !== undefined && code !== null && String(code) !== '0') ||
    isTold(response.error) ||
    response.success === false ||
    response.ok === false ||
    /^(error|failed|failure|rejected|denied)$/i.test(String(response.status ?? ''))
  );
}

function isTold(error: unknown): boolean {
  return error !== undefined && error !== null && error !== false && error !== '';
}

/** Why the call failed, in at most 200 characters; null where it did not, or where no line says why. */
export function failureOf(response: unknown): string | null {
  if (!hasFailed(response)) return null;
  if (typeof response === 'string') return reasonIn(response);
  for (const key of isObject(response) ? errorKeys : []) {
    const value = (response as Record<string, unknown>)[key];
    if (typeof value === 'string' && value.trim().length >= 8) return reasonIn(value);
  }
  return null;
}

/** The line that says what is wrong: the last one that names an error in a long text, else the first. */
function reasonIn(text: string): string | null {
  const lines = text.split('\n').map(fold);
  const said = lines.filter((line) => line.length >= 8);
  const named = said.filter((line) => errorLine.test(line));
  // Of a long output that names no error, no line can be called the reason.
  const opens = errorHead.test(said[0] ?? '') && !/^traceback/i.test(said[0]!);
  const line = opens ? said[0] : said.length > 2 ? named.at(-1) : (named[0] ?? said[0]);
  if (line === undefined) return null;
  return line.length <= 200 ? withoutOpenQuote(line) : null;
}

/** A line that begins to repeat its input (`old_str \`int x;` and more lines) ends before that. */
function withoutOpenQuote(line: string): string | null {
  if ((line.match(/`/g) ?? []).length % 2 === 0) return line;
  const cut = line.slice(0, line.lastIndexOf('`')).replace(/[,;:]?\s*\w*\s*$/, '');
  return cut.length >= 8 ? cut : null;
}
