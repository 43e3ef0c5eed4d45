import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { fleet } from '../../src/demo/fleet.ts';
import { isoOf } from '../../src/records.ts';
import { pipeSuite } from './pipe-suite.ts';

const begunAt = Date.UTC(2026, 2, 2, 9) * 1000;
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tc-fleet-'));
  const lines = [...fleet({ seed: 11, sessions: 60 })].map((row) =>
    JSON.stringify({
      session_id: row.sessionId,
      agent: row.agent,
      tool: row.tool,
      arguments: row.arguments,
      response: row.response,
      cost_usd: row.costUsd,
      duration_ms: row.durationMs,
      created_at: isoOf(begunAt + row.offsetMs * 1000),
    }),
  );
  writeFileSync(join(dir, 'fleet.jsonl'), `${lines.join('\n')}\n`);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

pipeSuite('the simulated fleet', () => join(dir, 'fleet.jsonl'));
