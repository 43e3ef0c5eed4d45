/** What the end-to-end tests ask of a file of recorded rows, whichever it is: the simulated fleet or real recordings. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync, inflateSync } from 'node:zlib';
import Database from 'better-sqlite3';
import type { Turn } from '../../src/records.ts';
import { type Running, runCli, startCli } from '../support/cli.ts';
import { queryOn } from '../support/postgres.ts';

export interface RowsOfFile {
  rows: number;
  sessions: number;
  /** Sessions of at least ten rows. */
  long: number;
}

export function countRows(path: string): RowsOfFile {
  const bytes = readFileSync(path);
  const text = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString('utf8');
  const ids = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { session_id: string }).session_id);
  const turns = new Map<string, number>();
  for (const id of ids) turns.set(id, (turns.get(id) ?? 0) + 1);
  return { rows: ids.length, sessions: turns.size, long: [...turns.values()].filter((n) => n >= 10).length };
}

export interface StoredTrajectory {
  id: string;
  sessionId: string;
  part: number;
  turns: Turn[];
}

/** Every trajectory of a dataset with its turns, by session and part. */
export function trajectoriesOf(dataDir: string): StoredTrajectory[] {
  const db = new Database(`${dataDir}/qa_pairs.sqlite`, { readonly: true });
  try {
    const turnsOf = db.prepare('SELECT body FROM trajectory_turns WHERE trajectory_id = ? ORDER BY turn').pluck();
    const rows = db.prepare('SELECT id, session_id AS sessionId, part FROM trajectories').all();
    return (rows as Omit<StoredTrajectory, 'turns'>[])
      .map((row) => ({ ...row, turns: (turnsOf.all(row.id) as Buffer[]).map(turnOfBody) }))
      .sort((a, b) => (a.sessionId < b.sessionId ? -1 : a.sessionId > b.sessionId ? 1 : a.part - b.part));
  } finally {
    db.close();
  }
}

const turnOfBody = (body: Buffer) => JSON.parse(inflateSync(body).toString('utf8')) as Turn;

export function pairsOf(dataDir: string): Record<string, string | number | null>[] {
  const db = new Database(`${dataDir}/qa_pairs.sqlite`, { readonly: true });
  try {
    return db.prepare('SELECT * FROM qa_pairs ORDER BY session_id, question').all() as never;
  } finally {
    db.close();
  }
}

const digest = (parts: (string | null)[]) => createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/** One digest a session over its rows' keys and text, as the server prints them, in the order of time and key. */
export async function sessionsOfTable(url: string): Promise<Map<string, string>> {
  const rows = await queryOn(
    url,
    `SELECT session_id, id::text, agent, tool, arguments::text AS a, response::text AS r
       FROM audit_log ORDER BY created_at, audit_log.id`,
  );
  const sessions = new Map<string, string[]>();
  for (const { session_id, id, agent, tool, a, r } of rows) {
    const session = session_id ?? '';
    const texts = sessions.get(session) ?? [];
    texts.push(digest([id ?? null, agent ?? null, tool ?? null, a ?? null, r ?? null]));
    sessions.set(session, texts);
  }
  return new Map([...sessions].map(([id, texts]) => [id, digest(texts)]));
}

export function digestOfTurns(turns: Turn[]): string {
  return digest(turns.map((turn) => digest([turn.rowKey, turn.agent, turn.tool, turn.arguments, turn.response])));
}

/** The pipe's settings for one data directory. */
export function settingsFor(url: string, dataDir: string): Record<string, string> {
  return {
    TC_POSTGRES_URL: url,
    TC_DATA_DIR: dataDir,
    TC_SESSION_IDLE_TIMEOUT: '2s',
    TC_METRICS_PORT: '0',
    // One for all data directories: what is compiled in one is compared with what is in another.
    TC_REDACT_KEY: 'not-a-real-redaction-key',
  };
}

/** Creates the table, publication and slot, and loads the file behind them. */
export async function prepare(env: Record<string, string>, file: string): Promise<void> {
  for (const args of [
    ['init', '--create-table'],
    ['load', file, '--speed', 'max'],
  ]) {
    const { code, stderr } = await runCli(args, { env });
    if (code !== 0) throw new Error(`${args[0]} ended with ${code}: ${stderr}`);
  }
}

/** Starts the pipe and kills it as soon as `reached` says so; false where it ended by itself before. */
export async function killWhen(env: Record<string, string>, reached: () => boolean): Promise<boolean> {
  const running = startCli(['run', '--until-idle'], { env });
  await untilReached(running, reached);
  running.child.kill('SIGKILL');
  const { signal } = await running.finished;
  return signal === 'SIGKILL';
}

async function untilReached(running: Running, reached: () => boolean): Promise<void> {
  let ended = false;
  void running.finished.finally(() => {
    ended = true;
  });
  while (!ended && !reached()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** A count from a file that another process writes; 0 while it is not there yet. */
export function countIn(path: string, sql: string): number {
  try {
    const db = new Database(path, { readonly: true, fileMustExist: true });
    try {
      return (db.prepare(sql).pluck().get() as number | null) ?? 0;
    } finally {
      db.close();
    }
  } catch {
    return 0;
  }
}
