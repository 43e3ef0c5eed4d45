/** Recorded sessions, written to an audit log again and again under new ids. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import { Dice } from '../../src/demo/dice.ts';
import { fleet } from '../../src/demo/fleet.ts';
import { pause } from '../../src/lifecycle.ts';
import { isoOf } from '../../src/records.ts';

interface RecordedRow {
  session_id: string;
  agent: string;
  tool: string;
  arguments: unknown;
  response: unknown;
  cost_usd: string | number | null;
  duration_ms: string | number | null;
  created_at: string;
}

export interface Sessions {
  /** What they are, in words. */
  what: string;
  rows: RecordedRow[][];
}

const recordings = fileURLToPath(new URL('../../../shared/data/audit_log.jsonl.gz', import.meta.url));

/** Recordings of real agents where they lie beside the checkout, else the simulated fleet. */
export function recordedSessions(): Sessions {
  const there = existsSync(recordings);
  const rows = there ? readLines(gunzipSync(readFileSync(recordings)).toString('utf8')) : simulated();
  const sessions = new Map<string, RecordedRow[]>();
  for (const row of rows) {
    const session = sessions.get(row.session_id) ?? [];
    session.push(row);
    sessions.set(row.session_id, session);
  }
  return { what: there ? 'recorded sessions' : 'simulated sessions', rows: [...sessions.values()] };
}

function readLines(text: string): RecordedRow[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as RecordedRow);
}

function simulated(): RecordedRow[] {
  const begunAt = Date.UTC(2026, 2, 2, 9) * 1000;
  return [...fleet({ seed: 11, sessions: 60 })].map((row) => ({
    ...{ session_id: row.sessionId, agent: row.agent, tool: row.tool },
    ...{ arguments: row.arguments, response: row.response, cost_usd: row.costUsd, duration_ms: row.durationMs },
    created_at: isoOf(begunAt + row.offsetMs * 1000),
  }));
}

export interface Loaded {
  rows: number;
  sessions: number;
}

/** Inserts a session, each in one transaction, every `everyMs` until the signal fires. */
export async function keepLoading(
  url: string,
  { rows: sessions }: Sessions,
  { everyMs, seed, signal }: { everyMs: number; seed: number; signal: AbortSignal },
): Promise<Loaded> {
  const dice = new Dice(seed);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const loaded = { rows: 0, sessions: 0 };
  try {
    while (!signal.aborted) {
      const session = dice.pick(sessions);
      await insertSession(client, session, `again-${loaded.sessions}`);
      loaded.rows += session.length;
      loaded.sessions += 1;
      await pause(everyMs, signal);
    }
    return loaded;
  } finally {
    await client.end();
  }
}

export async function insertSession(
  client: Pick<pg.Client, 'query'>,
  session: RecordedRow[],
  sessionId: string,
): Promise<void> {
  await client.query(
    `INSERT INTO audit_log (session_id, agent, tool, arguments, response, cost_usd, duration_ms, created_at)
     SELECT $1, agent, tool, arguments, response, cost_usd, duration_ms, created_at
       FROM jsonb_to_recordset($2::jsonb) AS row (agent text, tool text, arguments jsonb, response jsonb,
            cost_usd numeric, duration_ms numeric, created_at timestamptz)`,
    [sessionId, JSON.stringify(session)],
  );
}
