/** Whether a call failed, and why, in the tool's own words. */
import { isObject } from './flatten.ts';
import { fold } from './text.ts';

const errorHead =
  /^\s*(?:\[?error\]?\b|exception\b|traceback\b|failed\b|failure\b|invalid\b|no replacement was performed|permission denied|access denied|not found\b|unknown\b|could not\b|cannot\b|unable to\b|your proposed edit has introduced syntax error)/i;
/** What programs say before they give up: `grep: src/x.ts: No such file or directory`. */
const complaint =
  /^[\w./-]+: .{0,120}(no such file or directory|command not found|not a directory|permission denied|cannot access)/i;
const errorLine =
  /(?:command not found|no such file or directory|syntax error|\b\w*(?:Error|Exception): \S|fatal: |error: |permission denied|\*\*\* \[|can't cd to|not recognized|was not found|does not exist)/i;
const errorKeys = ['error', 'error_message', 'errors', 'detail', 'stderr', 'reason', 'message', 'content', 'output'];

/** A sentence of at most 200 characters from the response; null where the call did not fail. */
export function failureOf(response: unknown): string | null {
  if (typeof response === 'string') {
    const head = response.slice(0, 200);
    return errorHead.test(head) || complaint.test(head) ? reasonIn(response) : null;
  }
  if (!isObject(response)) return null;
  const code = response.exit_code ?? response.exitCode ?? response.returncode;
  const failed =
    (code !== undefined && code !== null && String(code) !== '0') ||
    (response.error !== undefined && response.error !== null && response.error !== false && response.error !== '') ||
    response.success === false ||
    response.ok === false ||
    /^(error|failed|failure|rejected|denied)$/i.test(String(response.status ?? ''));
  if (!failed) return null;
  for (const key of errorKeys) {
    const value = response[key];
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
  const line = said.length > 2 ? named.at(-1) : (named[0] ?? said[0]);
  if (line === undefined) return null;
  return line.length <= 200 ? withoutOpenQuote(line) : null;
}

/** A line that begins to repeat its input (`old_str \`int x;` and more lines) ends before that. */
function withoutOpenQuote(line: string): string | null {
  if ((line.match(/`/g) ?? []).length % 2 === 0) return line;
  const cut = line.slice(0, line.lastIndexOf('`')).replace(/[,;:]?\s*\w*\s*$/, '');
  return cut.length >= 8 ? cut : null;
}
