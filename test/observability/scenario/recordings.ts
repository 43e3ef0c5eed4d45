/** Rows as agents leave them: of recorded sessions, where they lie beside the checkout, else of the simulated fleet. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { fleet } from '../../../src/demo/fleet.ts';

export interface LoggedRow {
  session_id: string;
  agent: string;
  tool: string;
  /** JSON text. */
  arguments: string;
  response: string;
}

const file = fileURLToPath(new URL('../../../../shared/data/audit_log.jsonl.gz', import.meta.url));
const [sessions, longestSession] = [24, 60] as const;

/** Some two dozen whole sessions, none of them long. */
export function recordedRows(): LoggedRow[] {
  const bySession = new Map<string, LoggedRow[]>();
  for (const row of existsSync(file) ? rowsOfFile() : rowsOfFleet()) {
    const rows = bySession.get(row.session_id) ?? [];
    bySession.set(row.session_id, rows);
    rows.push(row);
  }
  const short = [...bySession.values()].filter((rows) => rows.length <= longestSession);
  // Spread over the recordings: neighbours come from the same agents.
  const every = Math.max(1, Math.floor(short.length / sessions));
  return short
    .filter((_, at) => at % every === 0)
    .slice(0, sessions)
    .flat();
}

function rowsOfFile(): LoggedRow[] {
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n');
  return lines.map((line) => logged(JSON.parse(line)));
}

function rowsOfFleet(): LoggedRow[] {
  return [...fleet({ seed: 5, sessions: 40 })].map((row) => logged({ ...row, session_id: row.sessionId }));
}

function logged({ session_id, agent, tool, arguments: given, response }: Record<keyof LoggedRow, unknown>): LoggedRow {
  return {
    session_id: String(session_id),
    agent: String(agent),
    tool: String(tool),
    arguments: JSON.stringify(given),
    response: JSON.stringify(response),
  };
}
