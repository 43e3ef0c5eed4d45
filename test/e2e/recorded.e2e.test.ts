import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { countRows } from './pipe.ts';
import { pipeSuite } from './pipe-suite.ts';

/** Recordings of real agents, where they lie beside the checkout. */
const file = fileURLToPath(new URL('../../../shared/data/audit_log.jsonl.gz', import.meta.url));

if (existsSync(file)) {
  it('the recordings hold 5,488 rows of 166 sessions, 114 of them with ten turns or more', () => {
    expect(countRows(file)).toEqual({ rows: 5488, sessions: 166, long: 114 });
  });
  pipeSuite('recorded sessions', () => file);
} else {
  it('the recordings are not beside this checkout: the simulated fleet stands for them', () => {
    expect(existsSync(file)).toBe(false);
  });
}
