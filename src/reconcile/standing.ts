/** How far capture has come, and whether a row that is in the table and nowhere here may still come by the stream. */
import { pause } from '../lifecycle.ts';
import { clientConfig, explainPostgres, openClient } from '../postgres/connection.ts';
import type { Lsn, Micros } from '../records.ts';
import { type CaptureFacts, type Injection, noCapture, readFact } from '../sessionizer/journal-facts.ts';
import { journalMigrations } from '../sessionizer/journal-schema.ts';
import { bucketStored } from '../sessionizer/stored-bucket.ts';
import { explainSqlite, openSqlite, type SqliteDatabase } from '../sqlite.ts';
import { flushedTarget } from '../stream/target.ts';

export interface Standing extends CaptureFacts {
  /** Rows that come in beside the stream just now. */
  injection: Injection | null;
  /** When the first row was, or the server's time at the first watermark; null where the journal does not say. */
  began: Micros | null;
  /** Hour of the first row that was ever taken in; null where that has no time, or there is none. */
  firstBucket: number | null;
}

/** The journal's facts, as the process that captures has stored them last. */
export class StandingReader {
  readonly #db: SqliteDatabase;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.#db = openSqlite(path, { what: 'journal', migrations: journalMigrations, readonly: true });
  }

  read(): Standing {
    try {
      const facts = readFact<CaptureFacts>(this.#db, 'capture') ?? noCapture;
      const injection = readFact<Injection>(this.#db, 'injection');
      const sql = 'SELECT bucket FROM ledger ORDER BY id LIMIT 1';
      const first = this.#db.prepare(sql).pluck().get() as number | undefined;
      return {
        ...facts,
        injection,
        began: readFact<Micros>(this.#db, 'began'),
        firstBucket: first === undefined ? null : bucketStored(first),
      };
    } catch (error) {
      throw explainSqlite(error, 'journal', this.#path);
    }
  }

  close(): void {
    this.#db.close();
  }
}

export interface SourcePlace {
  url: string;
  slot: string;
  publication: string;
}

/** How long capture is waited for until it has passed what was read. */
export const patienceMs = 60_000;
/** Without a reader of the slot for so long, no capture runs: a reconnect is shorter. */
const absentMs = 3_000;
const lookEveryMs = 200;
/** A server that is not stuck flushes by then what can be seen of it. */
const flushWithinMs = 2_000;

/**
 * Resolves with true once every row that was visible when it was called has been handed to the journal: what the journal
 * does not know then will not come by itself. False where capture does not get there in time, or does not run and has
 * rows of the table still before it.
 *
 * @throws OperatorError where the server can't be asked.
 */
export async function hasPassed(
  place: SourcePlace,
  standing: StandingReader,
  { waitMs, signal }: { waitMs: number; signal: AbortSignal },
): Promise<boolean> {
  const deadline = Date.now() + waitMs;
  const lsn = await flushedWithin(place, Math.max(waitMs, flushWithinMs), signal);
  if (lsn === null) return false;
  let absentSince: number | null = null;
  for (;;) {
    const { progress, history, injection } = standing.read();
    const isSettled = history !== 'reading' && injection === null;
    if (isSettled && progress !== null && progress.resumeLsn >= lsn) return true;
    if (signal.aborted || Date.now() >= deadline) return false;
    const isRead = await isSlotRead(place);
    absentSince = isRead ? null : (absentSince ?? Date.now());
    if (absentSince !== null && Date.now() - absentSince >= absentMs) {
      return isSettled && progress !== null && (await isNothingPending(place, progress.resumeLsn));
    }
    await pause(lookEveryMs, signal);
  }
}

/** Null where what was visible is not flushed by then: it is not streamed before. */
async function flushedWithin({ url }: SourcePlace, ms: number, signal: AbortSignal): Promise<Lsn | null> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
  try {
    return await flushedTarget(url, ended);
  } catch (error) {
    if (ended.aborted) return null;
    throw error;
  }
}

async function isSlotRead({ url, slot }: SourcePlace): Promise<boolean> {
  const rows = await ask(url, 'SELECT active FROM pg_replication_slots WHERE slot_name = $1', [slot]);
  return rows[0]?.active === 't';
}

/** Decodes what the slot has before it, without taking it: whether there is any row of the table among it. */
async function isNothingPending({ url, slot, publication }: SourcePlace, resumeLsn: string): Promise<boolean> {
  const found = await ask(
    url,
    `SELECT (confirmed_flush_lsn <= $2::pg_lsn)::text AS behind FROM pg_replication_slots
      WHERE slot_name = $1 AND NOT active AND coalesce(wal_status, '') <> 'lost'`,
    [slot, resumeLsn],
  );
  if (found[0]?.behind !== 'true') return false;
  try {
    const [row] = await ask(
      url,
      `SELECT count(*) AS rows FROM (
         SELECT FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)
          WHERE get_byte(data, 0) = ascii('I') LIMIT 1) AS pending`,
      [slot, `"${publication.replaceAll('"', '""')}"`],
    );
    return row?.rows === '0';
  } catch {
    // Somebody reads it by now, or there is too much to decode: then it is not known to be empty.
    return false;
  }
}

async function ask(url: string, sql: string, values: unknown[]): Promise<Record<string, string>[]> {
  const client = await openClient(
    clientConfig(url, { purpose: 'reconcile', settings: { statement_timeout: '60000' } }),
  );
  try {
    return (await client.query(sql, values)).rows as Record<string, string>[];
  } catch (error) {
    throw explainPostgres(error, url, 'ask for the slot');
  } finally {
    await client.end().catch(() => {});
  }
}
