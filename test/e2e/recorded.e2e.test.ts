import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { countRows } from './pipe.ts';
import { pipeSuite } from './pipe-suite.ts';

/** Recordings of real agents, where they lie beside the checkout. */
const file = fileURLToPath(new URL('../../../shared/data/audit_log.jsonl.gz', import.meta.url));

/** What somebody found in the recordings: addresses, telephone and account numbers, names, dates of birth, passwords. */
function personalValues(): string[] {
  const lines = gunzipSync(readFileSync(file.replace('audit_log', 'session_canaries')))
    .toString()
    .trim()
    .split('\n');
  const sessions = lines.map((line) => JSON.parse(line) as { values: { value: string }[] });
  return [...new Set(sessions.flatMap(({ values }) => values.map(({ value }) => value)))];
}

if (existsSync(file)) {
  it('many personal values are known to stand in them', () => {
    expect(personalValues().length).toBeGreaterThan(100);
  });
  it('the recordings hold 5,488 rows of 166 sessions, 114 of them with ten turns or more', () => {
    expect(countRows(file)).toEqual({ rows: 5488, sessions: 166, long: 114 });
  });
  pipeSuite('recorded sessions', () => file, personalValues);
} else {
  it('the recordings are not beside this checkout: the simulated fleet stands for them', () => {
    expect(existsSync(file)).toBe(false);
  });
}
