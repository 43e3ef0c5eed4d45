/** Gathers what {@link judge} decides by: from the log, an independent decoder, the journal, the topics and the dataset. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { pause } from '../../src/lifecycle.ts';
import { microsOf, type Turn } from '../../src/records.ts';
import { unpackTurns } from '../../src/sessionizer/chunk.ts';
import { openJournalReader } from '../../src/sessionizer/journal-reader.ts';
import { inTurnOrder } from '../../src/sessionizer/trajectory.ts';
import { parseLsn } from '../../src/stream/lsn.ts';
import { trajectoriesOf } from '../../test/e2e/pipe.ts';
import { queryOn } from '../../test/support/postgres.ts';
import type { Ending, LogRow, SealedNow, SeenPart } from './capture-history.ts';

const digestOf = (texts: unknown[]) => createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 32);

/** Places by the order of time and key for the first `existing` rows, by the witness's for the others; null without one. */
export async function readLog(url: string, { existing = 0, places }: { existing?: number; places: string[] | null }) {
  const rows = await queryOn(
    url,
    `SELECT id::text, session_id, agent, tool, arguments::text AS a, response::text AS r,
            (extract(epoch FROM created_at) * 1e6)::bigint::text AS at
       FROM audit_log ORDER BY created_at, audit_log.id`,
  );
  const placeOf = new Map(places?.map((key, place) => [key, place]));
  return rows.map((row, i): LogRow => {
    const [key, at] = [row.id!, Number(row.at)];
    const witnessed = places === null ? null : placeOf.get(key);
    const place = Number(key) <= existing ? i - rows.length : witnessed;
    if (place === undefined) throw new Error(`the witness saw no commit of row ${key}`);
    const digest = digestOf([key, row.agent, row.tool, row.a, row.r, at]);
    return { key, sessionId: row.session_id!, createdAt: at, digest, place };
  });
}

const digestOfTurn = (turn: Turn) => {
  const { rowKey, agent, tool, arguments: a, response } = turn;
  return digestOf([rowKey, agent, tool, a, response, microsOf(turn.createdAt ?? '')]);
};

/** Every part, from the dataset where it is there already. */
export function readParts(dataDir: string): SeenPart[] {
  const stored = existsSync(join(dataDir, 'qa_pairs.sqlite')) ? trajectoriesOf(dataDir) : [];
  const known = new Set(stored.map(({ id }) => id));
  const onTheWay = readSealed(dataDir).filter(({ id }) => !known.has(id));
  const sealed = [...stored, ...onTheWay].map(({ id, sessionId, part, turns }) => ({
    id,
    ...seen(sessionId, part, turns),
  }));
  return [...sealed, ...readLive(dataDir)];
}

function seen(sessionId: string, part: number, turns: Turn[]) {
  return { sessionId, part, turns: turns.map((turn) => ({ key: turn.rowKey, digest: digestOfTurn(turn) })) };
}

/** What the journal still holds of sealed parts. */
function readSealed(dataDir: string) {
  const journal = openJournalReader(join(dataDir, 'journal.sqlite'));
  try {
    const { outbox } = journal;
    const ids = [...outbox.publishedIds(), ...outbox.pending(1_000_000).map(({ trajectoryId }) => trajectoryId)];
    return ids.flatMap((id) => {
      try {
        return [outbox.assemble(id)];
      } catch (error) {
        // It was finished and forgotten in between.
        if ((error as { code?: string }).code === 'trajectory_unknown') return [];
        throw error;
      }
    });
  } finally {
    journal.close();
  }
}

/** Open and held parts. */
function readLive(dataDir: string): SeenPart[] {
  const sql = `SELECT parts.id, session_id AS sessionId, part, heads, body
                 FROM chunks CROSS JOIN parts ON parts.id = chunks.part_id`;
  type Row = { id: number; sessionId: string; part: number; heads: string; body: string };
  const chunks = reading(join(dataDir, 'journal.sqlite'), (db) => db.prepare(sql).all() as Row[]);
  const parts = new Map<number, { sessionId: string; part: number; turns: Turn[] }>();
  for (const { id, sessionId, part, ...chunk } of chunks) {
    const known = parts.get(id) ?? { sessionId, part, turns: [] };
    known.turns.push(...unpackTurns(sessionId, chunk));
    parts.set(id, known);
  }
  return [...parts.values()].map(({ sessionId, part, turns }) => ({
    id: null,
    ...seen(sessionId, part, inTurnOrder(turns)),
  }));
}

/** Sealed parts as they stand now. The journal first: what moves on meanwhile is then seen twice, not missed. */
export function readSnapshot(dataDir: string): SealedNow[] {
  if (!existsSync(join(dataDir, 'journal.sqlite'))) return [];
  const sealed = readSealed(dataDir).map(({ id, sessionId, part, contentHash }) => ({
    id,
    sessionId,
    part,
    contentHash,
  }));
  const path = join(dataDir, 'qa_pairs.sqlite');
  const sql = 'SELECT id, session_id AS sessionId, part, content_hash AS contentHash FROM trajectories';
  const stored = existsSync(path) ? (reading(path, (db) => db.prepare(sql).all()) as Omit<SealedNow, 'stored'>[]) : [];
  return [...sealed.map((part) => ({ ...part, stored: false })), ...stored.map((part) => ({ ...part, stored: true }))];
}

/** The position that the journal holds, null before it holds one. */
export function storedPosition(db: Database.Database): string | null {
  const sql = `SELECT value ->> '$.progress.resumeLsn' FROM facts WHERE name = 'capture'`;
  return (db.prepare(sql).pluck().get() as string | null | undefined) ?? null;
}

export function readEnding(dataDir: string): Ending {
  const count = (table: string) =>
    reading(join(dataDir, 'topics.sqlite'), (db) => {
      return db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
    });
  const journal = openJournalReader(join(dataDir, 'journal.sqlite'));
  try {
    const { open } = journal.totals();
    const unpublished = journal.outbox.depth();
    return { open, unpublished, undelivered: count('deliveries'), parked: count('dead_letters') };
  } finally {
    journal.close();
  }
}

export function reading<T>(path: string, read: (db: Database.Database) => T): T {
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: 10_000 });
  try {
    return read(db);
  } finally {
    db.close();
  }
}

/** A slot of another decoder, to say in which order rows were committed. */
export async function createWitness(url: string, slot: string): Promise<void> {
  await queryOn(url, `SELECT pg_create_logical_replication_slot('${slot}', 'test_decoding')`);
}

/** Keys of rows in the order of their commits. */
export async function askWitness(url: string, slot: string): Promise<string[]> {
  const rows = await queryOn(
    url,
    `SELECT substring(data FROM 'INSERT: id\\[bigint\\]:(\\d+)') AS key
       FROM pg_logical_slot_get_changes('${slot}', NULL, NULL) WHERE data LIKE 'table public.audit_log: INSERT:%'`,
  );
  return rows.map((row) => row.key!);
}

/** What the server was told to forget. */
export async function confirmedPosition(url: string, slot: string): Promise<string> {
  const sql = `SELECT confirmed_flush_lsn AS lsn FROM pg_replication_slots WHERE slot_name = '${slot}'`;
  return parseLsn((await queryOn(url, sql))[0]!.lsn!);
}

/** As `queryOn`, of a server that may be restarting. */
export async function ask(url: string, sql: string): Promise<Record<string, string>[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await queryOn(url, sql);
    } catch (error) {
      if (attempt === 300) throw error;
      await pause(100);
    }
  }
}
