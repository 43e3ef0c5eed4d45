/**
 * The call store that compile workers of several hosts share. Every statement may be repeated with the same result, so
 * that a server that restarts costs no answer that was paid for.
 */
import type pg from 'pg';
import type { ModelCall } from '../records.ts';
import { type CallStore, readCall, readResult, type SegmentKey, type SegmentResult } from './calls.ts';
import { callStoreWords } from './calls-postgres-faults.ts';
import { openSchema } from './calls-postgres-schema.ts';
import { digestOf } from './digest.ts';
import { durably, openPostgresStore, type PostgresStoreOptions } from './postgres-store.ts';

/**
 * Opens the store, and makes its schema `trajectory_compiler` where it is missing.
 *
 * @throws OperatorError `calls_url`, `calls_auth`, `calls_database`, `calls_permission` (with the statements that grant
 * what is missing), `calls_tls`, `calls_newer`: stop; `calls_unreachable`, `calls_failed`: retry.
 */
export async function openPostgresCallStore(options: PostgresStoreOptions): Promise<CallStore> {
  const { attempt, patiently, close } = openPostgresStore(options, callStoreWords);
  try {
    const id = await attempt('open', openSchema);
    return {
      id,
      answer: (key) => patiently('read', (client) => readAnswer(client, key)),
      record: (call, answer) => patiently('write', (client) => record(client, call, answer)),
      unsettled: (segmentId) => patiently('read', (client) => readUnsettled(client, segmentId)),
      segment: (key) => patiently('read', (client) => readSegment(client, key)),
      settle: (key, result, { replace = false } = {}) =>
        patiently('write', (client) => durably(client, () => settle(client, key, result, replace))),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readAnswer(client: pg.ClientBase, key: string) {
  const { rows } = await client.query(
    `SELECT call, reply FROM trajectory_compiler.answers a JOIN trajectory_compiler.calls c ON c.id = a.call_id
      WHERE key = $1`,
    [key],
  );
  const [row] = rows as { call: string; reply: string }[];
  return row === undefined ? null : { call: readCall(row.call), reply: row.reply };
}

async function record(client: pg.ClientBase, call: ModelCall, answer?: { key: string; reply: string }): Promise<void> {
  await durably(client, async () => {
    await client.query(
      'INSERT INTO trajectory_compiler.calls (id, segment_id, call) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING',
      [call.id, call.segmentId, JSON.stringify(call)],
    );
    if (answer === undefined) return;
    // A forced second answer takes the place of the first: the newer one was asked for.
    await client.query(
      `INSERT INTO trajectory_compiler.answers (key, call_id, reply) VALUES ($1, $2, $3)
         ON CONFLICT (key) DO UPDATE SET call_id = excluded.call_id, reply = excluded.reply`,
      [answer.key, call.id, answer.reply],
    );
  });
}

async function readUnsettled(client: pg.ClientBase, segmentId: string): Promise<ModelCall[]> {
  const { rows } = await client.query(
    'SELECT call FROM trajectory_compiler.calls WHERE segment_id = $1 AND NOT settled ORDER BY ordinal',
    [segmentId],
  );
  return (rows as { call: string }[]).map(({ call }) => readCall(call));
}

/** Session ids have no limit in length, what an index holds has one. */
function nameOf({ sessionId, fingerprint, version }: SegmentKey): string {
  return digestOf(sessionId, fingerprint, version);
}

async function readSegment(client: pg.ClientBase, key: SegmentKey, lock = ''): Promise<SegmentResult | null> {
  const { rows } = await client.query(`SELECT result FROM trajectory_compiler.segments WHERE key = $1 ${lock}`, [
    nameOf(key),
  ]);
  const [row] = rows as { result: string }[];
  return row === undefined ? null : readResult(row.result);
}

async function settle(
  client: pg.ClientBase,
  key: SegmentKey,
  result: SegmentResult,
  replace: boolean,
): Promise<SegmentResult> {
  const text = JSON.stringify(result);
  // Where another worker is about to record its own, this waits for it.
  const { rowCount } = await client.query(
    `INSERT INTO trajectory_compiler.segments (key, session_id, fingerprint, version, result)
       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO NOTHING`,
    [nameOf(key), key.sessionId, key.fingerprint, key.version, text],
  );
  if (rowCount === 0) {
    const first = replace ? null : await readSegment(client, key, 'FOR UPDATE');
    if (first !== null) return first;
    await client.query('UPDATE trajectory_compiler.segments SET result = $2 WHERE key = $1', [nameOf(key), text]);
  }
  const ids = result.calls.map(({ id }) => id);
  await client.query('UPDATE trajectory_compiler.calls SET settled = true WHERE id = ANY($1)', [ids]);
  return result;
}
