/** Whether the journal holds the rows of the table, by a hash over (key, text) that does not depend on their order. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type Chunk, unpackTurns } from '../../src/sessionizer/chunk.ts';
import { type AuditLog, table } from './log-server.ts';

export interface RowSum {
  rows: number;
  /** Of the first 60 bits of each row's MD5. */
  sum: bigint;
}

/** Columns of a row are joined by a character that JSON and numbers never hold raw. */
const columns = 'id, session_id, agent, tool, arguments, response, cost_usd, duration_ms, created_at';

export async function rowsOfTable({ client }: AuditLog): Promise<RowSum> {
  await client.query(`SET TimeZone = 'UTC'`);
  const text = columns.split(', ').map((c) => `${c}::text`);
  const { rows } = await client.query(
    `SELECT count(*)::text AS rows, sum(('x' || left(md5(concat_ws(E'\\x1f', ${text})), 15))::bit(60)::bigint)::text AS sum
       FROM ${table}`,
  );
  return { rows: Number(rows[0].rows), sum: BigInt(rows[0].sum) };
}

export function rowsOfJournal(dataDir: string): RowSum {
  const db = new Database(join(dataDir, 'journal.sqlite'), { readonly: true });
  try {
    const total: RowSum = { rows: 0, sum: 0n };
    const chunks = db.prepare(
      `SELECT heads, body, coalesce(p.session_id, s.session_id) AS session
         FROM chunks c LEFT JOIN parts p ON p.id = c.part_id LEFT JOIN sealed s ON s.part_id = c.part_id`,
    );
    for (const { session, ...chunk } of chunks.iterate() as Iterable<Chunk & { session: string }>) {
      for (const t of unpackTurns(session, chunk)) {
        const named = [t.rowKey, t.sessionId, t.agent, t.tool, t.arguments, t.response];
        const texts = [...named, t.costUsd, t.durationMs, t.createdAt].filter((text) => text !== null);
        const digest = createHash('md5').update(texts.join('\x1f')).digest('hex');
        total.rows += 1;
        total.sum += BigInt(`0x${digest.slice(0, 15)}`);
      }
    }
    return total;
  } finally {
    db.close();
  }
}

/** @throws Error where the journal does not hold the very rows of the table. */
export function refuseOther(expected: RowSum, held: RowSum): void {
  if (held.rows === expected.rows && held.sum === expected.sum) return;
  throw new Error(`the journal holds ${held.rows} rows (${held.sum}), the table ${expected.rows} (${expected.sum})`);
}
