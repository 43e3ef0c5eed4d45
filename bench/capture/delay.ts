/** How long after its idle timeout a session is on the topic, while others go on being written. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { inNewDir } from './in-new-dir.ts';
import { type AuditLog, startAuditLog } from './log-server.ts';
import { type RunningReader, startReader } from './pass.ts';
import { type Built, ourCapture } from './readers.ts';

export interface DelayResult {
  rowsPerSecond: number;
  sessions: number;
  /** From the commit of a session's last row to its place on the topic, less the idle timeout. */
  p50Ms: number;
  p99Ms: number;
}

const rowsPerSecond = 1000;
/** A transaction each. */
const rowsAtOnce = 10;
const idleTimeoutMs = 5000;
const sessionsAtOnce = 100;
const rowsPerSession = 20;
const rowsAtRound = sessionsAtOnce * rowsPerSession;
const patienceMs = 60_000;

export async function measureDelay(built: Built, seconds: number): Promise<DelayResult> {
  const log = await startAuditLog();
  try {
    return await inNewDir((dataDir) => measure(log, built, seconds, dataDir));
  } finally {
    await log.stop();
  }
}

async function measure(log: AuditLog, built: Built, seconds: number, dataDir: string): Promise<DelayResult> {
  const env = { TC_SESSION_IDLE_TIMEOUT: `${idleTimeoutMs}ms`, TC_SESSION_MIN_TURNS: String(rowsPerSession) };
  const slot = await log.newSlot();
  const capture = startReader(ourCapture(built, { url: log.url, slot, dataDir, env, args: [] }));
  try {
    // Whole rounds: a session that is cut short would wait for more turns.
    const rounds = Math.ceil((seconds * rowsPerSecond) / rowsAtRound);
    await write(log, rounds * rowsAtRound);
    const sessions = rounds * sessionsAtOnce;
    await allPublished(dataDir, sessions, capture);
    const delays = delaysOf(dataDir).sort((a, b) => a - b);
    const at = (share: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))]!;
    return { rowsPerSecond, sessions, p50Ms: at(0.5), p99Ms: at(0.99) };
  } finally {
    capture.child.kill('SIGTERM');
    await capture.finished;
  }
}

async function allPublished(dataDir: string, sessions: number, capture: RunningReader): Promise<void> {
  const deadline = performance.now() + idleTimeoutMs + patienceMs;
  while (delaysOf(dataDir).length < sessions) {
    if (capture.endedAt() !== null) await capture.finished;
    if (performance.now() > deadline) {
      throw new Error(`${delaysOf(dataDir).length} of ${sessions} sessions are on the topic ${patienceMs} ms late`);
    }
    await pause(500);
  }
}

/** At an even pace: a writer that falls behind catches up. */
async function write({ client }: AuditLog, rows: number): Promise<void> {
  const began = performance.now();
  for (let first = 0; first < rows; first += rowsAtOnce) {
    await pause(Math.max(0, began + (first / rowsPerSecond) * 1000 - performance.now()));
    await client.query(
      `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
       SELECT format('paced-%s-%s', n / $3::int, n % $4::int), 'agent', 'search_orders', '{}', response_of(n, 17)
         FROM generate_series($1::bigint, $2::bigint) n`,
      [first, first + rowsAtOnce - 1, rowsAtRound, sessionsAtOnce],
    );
  }
}

/** Milliseconds, of every session that is on the topic. Both clocks are this machine's. */
function delaysOf(dataDir: string): number[] {
  const db = new Database(join(dataDir, 'journal.sqlite'), { readonly: true, fileMustExist: false });
  try {
    db.exec(`ATTACH '${join(dataDir, 'topics.sqlite')}' AS topics`);
    return db
      .prepare(
        `SELECT m.published_at - s.last_at / 1000.0 - ${idleTimeoutMs}
           FROM topics.messages m JOIN sealed s ON s.trajectory_id = m.id`,
      )
      .pluck()
      .all() as number[];
  } finally {
    db.close();
  }
}
